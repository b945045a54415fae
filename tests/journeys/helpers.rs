//! One `TestApp`: a real service on a port of its own, over a database of its own, with verbs as methods.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use actix_web::web;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use policy::Role;
use records::{
    Account, Client, Clock, Event, EventKind, Id, IdSource, PhiText, ServiceCode, Subject, SystemIds,
    Username, kind,
};
use seal::{Token, password::hash_password};
use serde_json::{Value, json};
use server::{
    config::ModelArgs,
    http::{App, Mode},
    keys,
    model::Model,
    postgres::{Cluster, Connection},
    service::{self, Background, Doors, PartKeys, Parts},
};
use store::{Door, NewAccount, PoolLimits, Store};
use ureq::{Agent, http};

/// Password of every account of the tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// The machine's clock, moved on by as much as a test wants.
#[derive(Default)]
pub struct ShiftedClock(Mutex<time::Duration>);

impl ShiftedClock {
    /// Moves the clock on.
    pub fn advance(&self, by: time::Duration) {
        *self.0.lock().expect("no test panics while it holds the clock") += by;
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> time::OffsetDateTime {
        records::SystemClock.now() + *self.0.lock().expect("no test panics while it holds the clock")
    }
}

/// The one cluster of this test run.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::ephemeral(bindir().as_deref())
            .expect("PostgreSQL 14 or newer is installed (./countersign test does it)")
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where PostgreSQL is"
)]
fn bindir() -> Option<std::path::PathBuf> {
    std::env::var_os("PG_BINDIR").map(Into::into)
}

/// A fresh, empty database.
pub fn database() -> Connection {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    cluster().create_database(&name).expect("a database is made")
}

/// The default model, loaded once for all tests.
pub fn model() -> Arc<Model> {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    let load = || {
        let args = ModelArgs {
            model: None,
            model_keys: None,
            allow_evaluation_model: true,
            workers: 1,
            threads: None,
            pin_threads: false,
            precision: server::config::Precision::Auto,
            // A build for tests computes slowly, and a long note takes hundreds of long texts.
            explanation_texts: 96,
        };
        Arc::new(Model::load(&args, true).expect("the default model loads"))
    };
    Arc::clone(MODEL.get_or_init(load))
}

/// A running service.
pub struct TestApp {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its handlers work with.
    pub app: web::Data<App>,
    /// Its database.
    pub connection: Connection,
    /// Its clock.
    pub clock: Arc<ShiftedClock>,
    /// Token of the EHR.
    pub token: String,
    stop: mpsc::Sender<()>,
    thread: Option<thread::JoinHandle<()>>,
    _keys: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }
}

/// How a test's service is started.
#[derive(Clone, Copy)]
pub struct Options {
    /// Workers in the background; 0 leaves reports where they are.
    pub workers: usize,
}

impl TestApp {
    /// A service with one worker.
    pub fn start() -> Self {
        Self::with(Options { workers: 1 })
    }

    /// A service.
    pub fn with(options: Options) -> Self {
        let connection = database();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key_folder = folder.path().join("keys");
        keys::create(&key_folder).expect("keys are made");
        let clock = Arc::new(ShiftedClock::default());
        let (stop, stopped) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        let (url, model, shifted) = (connection.url(), model(), Arc::clone(&clock));
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                store::migrate_url(&url).await.expect("the schema is made");
                let (store_keys, part_keys) = PartKeys::split(keys::load(&key_folder).expect("keys load"));
                let limits = PoolLimits {
                    connections: 6,
                    patience: Duration::from_secs(2),
                    ..PoolLimits::default()
                };
                let store = Store::new(&url, limits, store_keys).expect("the address parses");
                let mode = Mode {
                    demo: true,
                    secure_cookies: false,
                };
                let mut parts = Parts::new(
                    store,
                    part_keys,
                    model,
                    "hospital",
                    mode,
                    "http://test.example".to_owned(),
                );
                parts.clock = shifted;
                let (app, scrubber) = parts.assemble().await.expect("the service is put together");
                let token = Box::pin(people(&app)).await;
                let background =
                    (options.workers > 0).then(|| Background::start(&app, &scrubber, options.workers));
                let doors = Doors {
                    listen: ([127, 0, 0, 1], 0).into(),
                    tls: None,
                    proxies: Vec::new(),
                };
                let running = service::open(app.clone(), doors).expect("a port is free");
                ready
                    .send((running.address, app.clone(), token))
                    .expect("the test waits");
                let _ = web::block(move || stopped.recv()).await;
                running.handle.stop(false).await;
                if let Some(background) = background {
                    background.stop().await;
                }
                app.store.close().await;
            });
        });
        let (address, app, token) = started
            .recv_timeout(Duration::from_mins(1))
            .expect("the service starts within a minute");
        Self {
            address,
            app,
            connection,
            clock,
            token,
            stop,
            thread: Some(thread),
            _keys: folder,
        }
    }

    fn agent() -> Agent {
        Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent()
    }

    /// A request without any credentials.
    pub fn anonymous(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).expect("a request");
        let mut response = Self::agent().run(request).expect("the service answers");
        let body = response.body_mut().read_to_vec().expect("a body");
        // A PDF is no text, but begins like one.
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        }
    }

    /// The EHR sends a resource.
    pub fn ehr_post(&self, path: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/fhir+json"),
        ];
        self.anonymous("POST", path, &headers, body)
    }

    /// The EHR reads.
    pub fn ehr_get(&self, path: &str) -> Answer {
        self.anonymous(
            "GET",
            path,
            &[("Authorization", &format!("Bearer {}", self.token))],
            b"",
        )
    }

    /// The EHR sends a report with its patient; returns the report's id.
    pub fn submit(&self, report: &Report) -> String {
        let answer = self.ehr_post("/fhir", report.bundle().to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        report_id(&answer.json())
    }

    /// Waits until a report's Task has this status.
    pub fn wait_for(&self, report: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let task = self.ehr_get(&format!("/fhir/Task/{report}")).json();
            if task["status"] == status {
                return task;
            }
            assert!(
                // A build for tests computes slowly, and all journeys share one engine and two cores.
                began.elapsed() < Duration::from_mins(5),
                "still {} after five minutes",
                task["status"]
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Signs in; the browser keeps cookies.
    pub fn sign_in(&self, username: &str) -> Browser<'_> {
        let mut browser = Browser::new(self);
        let form = browser.get("/login");
        let csrf = csrf(&form.body);
        let answer = browser.post(
            "/login",
            &[
                ("csrf", &csrf),
                ("username", username),
                ("password", PASSWORD),
                ("next", ""),
            ],
        );
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// Runs a statement in the service's database above its triggers and row policies.
    pub fn superuser_sql(&self, script: &str) -> String {
        let superuser = cluster().superuser_connection();
        run_psql(&superuser, self.connection.database(), script).expect("the statement runs")
    }

    /// Runs a statement as the service's own role; the error's text where it is refused.
    pub fn sql(&self, script: &str) -> Result<String, String> {
        run_psql(&self.connection, self.connection.database(), script)
    }

    /// Does async work of the store.
    #[expect(
        clippy::unused_self,
        reason = "reads as a verb of the application, like the others"
    )]
    pub fn store<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(work)
    }
}

/// Runs a statement as superuser outside of any test's database.
pub fn maintenance(script: &str) -> String {
    run_psql(&cluster().superuser_connection(), "postgres", script).expect("the statement runs")
}

fn run_psql(connection: &Connection, database: &str, script: &str) -> Result<String, String> {
    let output = std::process::Command::new("psql")
        .env("PGPASSWORD", connection.password())
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set",
            "ON_ERROR_STOP=1",
            "--command",
            script,
        ])
        .arg("--host")
        .arg(connection.host())
        .args([
            "--port",
            &connection.port().to_string(),
            "--username",
            connection.user(),
            "--dbname",
            database,
        ])
        .output()
        .expect("psql runs");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accounts of every role, a second physician, a physician who reads nothing, and the EHR; returns the EHR's token.
async fn people(app: &App) -> String {
    let system = records::worker(app.tenant);
    let hash = hash_password(PASSWORD).expect("a hash");
    let mut tx = app.store.begin(Door::Admin).await.expect("the database answers");
    for (username, role, practitioner, reads) in [
        (
            "physician",
            Role::Physician,
            Some("https://staff.example|p-1"),
            true,
        ),
        (
            "colleague",
            Role::Physician,
            Some("https://staff.example|p-2"),
            true,
        ),
        (
            "stranger",
            Role::Physician,
            Some("https://staff.example|p-3"),
            false,
        ),
        ("auditor", Role::Auditor, None, false),
        ("administrator", Role::Administrator, None, false),
    ] {
        let account = Account {
            id: Id::generate(&*app.clock, &*app.ids),
            tenant: app.tenant,
            username: Username::parse(username).expect("a user name"),
            display_name: format!("Dr. {username} of the tests"),
            roles: vec![role],
            demo: false,
        };
        let subject = Subject::account(account.id);
        let event = Event::observed(
            &system,
            EventKind::AccountCreated,
            subject,
            &*app.clock,
            &*app.ids,
        );
        let (id, now) = (account.id, app.clock.now());
        let practitioner = practitioner.map(|text| PhiText::new(text.to_owned()));
        let new = NewAccount {
            account,
            password: hash.clone(),
            practitioner,
            created_at: now,
        };
        tx.create_account(&new, &event).await.expect("an account");
        if reads {
            let event = Event::observed(
                &system,
                EventKind::AccountChanged,
                subject,
                &*app.clock,
                &*app.ids,
            );
            let pool = Id::generate(&*app.clock, &*app.ids);
            tx.join_pool(pool, &ServiceCode::radiology(), id, &event)
                .await
                .expect("a pool");
        }
    }
    tx.finish().await.expect("accounts are stored");
    ehr(app, "Hospital EHR").await
}

/// Registers a calling system; returns its token.
pub async fn ehr(app: &App, name: &str) -> String {
    let system = records::worker(app.tenant);
    let id: Id<kind::Client> = Id::generate(&*app.clock, &SystemIds as &dyn IdSource);
    let client = Client {
        id,
        tenant: app.tenant,
        name: name.to_owned(),
        demo: false,
    };
    let token = Token::generate().expect("a token");
    let event = |kind| Event::observed(&system, kind, Subject::client(id), &*app.clock, &*app.ids);
    let secret = hash_password("a secret of the tests").expect("a hash");
    let mut tx = app.store.begin(Door::Admin).await.expect("the database answers");
    tx.create_client(&client, &secret, &event(EventKind::ClientCreated))
        .await
        .expect("a client");
    tx.issue_token(
        &token.digest(),
        &client,
        Some(time::Duration::days(30)),
        &event(EventKind::TokenIssued),
    )
    .await
    .expect("a token is stored");
    tx.finish().await.expect("the client is stored");
    token.reveal().to_owned()
}

/// Somebody at the portal.
pub struct Browser<'a> {
    app: &'a TestApp,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    /// A browser without cookies.
    pub fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookies: Vec::new(),
        }
    }

    /// A browser with somebody's cookies.
    pub fn with(app: &'a TestApp, cookies: &[(String, String)]) -> Self {
        Self {
            app,
            cookies: cookies.to_vec(),
        }
    }
}

impl Browser<'_> {
    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let headers = [
            ("Cookie", cookies.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let answer = self.app.anonymous(method, path, &headers, body);
        for value in answer.headers.get_all("set-cookie") {
            let pair = value
                .to_str()
                .expect("a cookie")
                .split(';')
                .next()
                .unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(kept, _)| kept != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Opens a page.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    /// Sends a form.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        self.send("POST", path, body.join("&").as_bytes())
    }

    /// Opens a case, and sends a form of its page with the page's own token and version.
    pub fn act(&mut self, report: &str, verb: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(&format!("/cases/{report}"));
        assert_eq!(page.status, 200, "{}", page.body);
        let csrf = csrf(&page.body);
        // A page that offers nothing has no version either: somebody may still send a form by hand.
        let version = if page.body.contains("name=\"version\"") {
            hidden(&page.body, "version")
        } else {
            "1".to_owned()
        };
        let mut all = vec![("csrf", csrf.as_str()), ("version", version.as_str())];
        all.extend_from_slice(fields);
        self.post(&format!("/cases/{report}/{verb}"), &all)
    }

    /// Claims a case and signs it with what the model suggests.
    pub fn claim_and_agree(&mut self, report: &str) {
        assert_eq!(self.act(report, "claim", &[]).status, 303);
        let signed = self.act(report, "sign", &[("decision", "agree"), ("password", PASSWORD)]);
        assert_eq!(signed.status, 303, "{}", signed.body);
    }

    /// The cookies, for another browser.
    pub fn cookies(&self) -> &[(String, String)] {
        &self.cookies
    }
}

/// A form's token on a page.
pub fn csrf(page: &str) -> String {
    hidden(page, "csrf")
}

/// The value of a hidden field, whatever the order of its attributes.
pub fn hidden(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\"");
    let at = page
        .find(&marker)
        .unwrap_or_else(|| panic!("no field {name} on the page"));
    let from = page[..at].rfind('<').unwrap_or(0);
    let tag = &page[from..from + page[from..].find('>').unwrap_or(0)];
    let value = tag
        .split("value=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("no value in the field {name}"));
    value.split('"').next().unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                (byte as char).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A synthetic report.
#[derive(Clone)]
pub struct Report {
    /// Accession number.
    pub accession: String,
    /// Medical record number.
    pub mrn: String,
    /// Family name.
    pub family: String,
    /// Status.
    pub status: &'static str,
    /// Text.
    pub text: String,
}

impl Report {
    /// A report with an abnormal text.
    pub fn abnormal(number: u32) -> Self {
        Self {
            accession: format!("ACC-{number}"),
            mrn: format!("MRN-{number}"),
            family: format!("Quillon{number}"),
            status: "final",
            text: "The heart is enlarged. There is a large right pleural effusion with atelectasis. Impression: Cardiomegaly and pleural effusion.".to_owned(),
        }
    }

    /// A report with a normal text.
    pub fn normal(number: u32) -> Self {
        let text = "An ordinary heart. Both lungs are clear. Neither effusion nor pneumothorax is seen. Impression: Normal chest.";
        Self {
            text: text.to_owned(),
            ..Self::abnormal(number)
        }
    }

    /// The `DiagnosticReport`, with `subject` as its reference.
    pub fn resource(&self, subject: &str) -> Value {
        json!({
            "resourceType": "DiagnosticReport",
            "identifier": [{ "system": "https://hospital.example/accession", "value": self.accession }],
            "status": self.status,
            "code": { "text": "Chest radiograph" },
            "subject": { "reference": subject },
            "presentedForm": [{ "contentType": "text/plain", "data": STANDARD.encode(&self.text) }],
        })
    }

    /// The Patient.
    pub fn patient(&self) -> Value {
        json!({
            "resourceType": "Patient",
            "identifier": [{ "system": "https://hospital.example/mrn", "value": self.mrn }],
            "name": [{ "family": self.family, "given": ["Testa"] }],
            "birthDate": "1970-02-03",
            "gender": "female",
        })
    }

    /// Both, in a transaction.
    pub fn bundle(&self) -> Value {
        let patient = "urn:uuid:11111111-2222-4333-8444-555555555555";
        json!({
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                { "fullUrl": patient, "resource": self.patient(), "request": { "method": "POST", "url": "Patient" } },
                { "resource": self.resource(patient), "request": { "method": "POST", "url": "DiagnosticReport" } },
            ],
        })
    }
}

/// Id of the report in a transaction response.
pub fn report_id(response: &Value) -> String {
    let entries = response["entry"].as_array().expect("entries");
    entries
        .iter()
        .filter_map(|entry| entry["response"]["location"].as_str())
        .find_map(|location| location.split_once("DiagnosticReport/"))
        .and_then(|(_, id)| id.split('/').next())
        .expect("a report in the response")
        .to_owned()
}
