//! The portal's journey in a real browser: Debian's `chromium`, driven by `chromedriver` over the W3C's protocol.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::helpers::{PASSWORD, Report, TestApp};

/// A browser window.
struct Window {
    driver: Child,
    base: String,
    session: String,
    profile: tempfile::TempDir,
}

fn installed(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

impl Window {
    fn open(width: u32, height: u32) -> Option<Self> {
        let (driver, chromium) = (installed("chromedriver")?, installed("chromium")?);
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let driver = Command::new(driver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let profile = tempfile::tempdir().expect("a fresh profile");
        let mut window = Self {
            driver,
            base: format!("http://127.0.0.1:{port}"),
            session: String::new(),
            profile,
        };
        let options = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": {
            "binary": chromium,
            "args": [
                "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", window.profile.path().display()),
            ],
        } } } });
        let began = Instant::now();
        loop {
            match window.call("POST", "/session", &options) {
                Ok(value) => {
                    value["sessionId"]
                        .as_str()
                        .expect("a session")
                        .clone_into(&mut window.session);
                    // A page that is on its way is waited for.
                    window.command("POST", "/timeouts", &json!({ "implicit": 10_000 }));
                    return Some(window);
                }
                Err(error) => assert!(
                    began.elapsed() < Duration::from_mins(1),
                    "the browser does not start: {error}"
                ),
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_mins(1)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Content-Type", "application/json");
        let sent = if method == "POST" {
            agent.run(
                request
                    .body(body.to_string())
                    .map_err(|error| error.to_string())?,
            )
        } else {
            agent.run(request.body(()).map_err(|error| error.to_string())?)
        };
        let mut response = sent.map_err(|error| error.to_string())?;
        let good = response.status().is_success();
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if good {
            Ok(value["value"].clone())
        } else {
            Err(value["value"]["message"].to_string())
        }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn visit(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    fn find(&self, selector: &str) -> String {
        let found = self.command(
            "POST",
            "/element",
            &json!({ "using": "css selector", "value": selector }),
        );
        let element = found
            .as_object()
            .and_then(|object| object.values().next())
            .and_then(Value::as_str);
        element.expect("an element").to_owned()
    }

    fn click(&self, selector: &str) {
        let element = self.find(selector);
        let script =
            "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center', behavior: 'instant' })";
        self.command(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": [selector] }),
        );
        self.command("POST", &format!("/element/{element}/click"), &json!({}));
    }

    fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.command(
            "POST",
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// What the page says once it says `wanted`, whatever its capitals: a click may return before the next page is there,
    /// and the body of the last one is gone when it comes.
    fn says(&self, wanted: &[&str]) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let body = self.find("body");
            let path = format!("/session/{}/element/{body}/text", self.session);
            let read = self.call("GET", &path, &json!({}));
            let text = read.as_ref().ok().and_then(Value::as_str).unwrap_or_default();
            let small = text.to_lowercase();
            if wanted.iter().all(|words| small.contains(&words.to_lowercase())) {
                return text.to_owned();
            }
            assert!(Instant::now() < deadline, "no {wanted:?} in {read:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Width that the page needs, in CSS pixels, and width that it has.
    fn widths(&self) -> (i64, i64) {
        let script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let both = self.command("POST", "/execute/sync", &json!({ "script": script, "args": [] }));
        (
            both[0].as_i64().unwrap_or_default(),
            both[1].as_i64().unwrap_or_default(),
        )
    }

    /// A picture below the build folder, to be looked at.
    fn picture(&self, name: &str) {
        let picture = self.command("GET", "/screenshot", &json!({}));
        let bytes = STANDARD
            .decode(picture.as_str().unwrap_or_default())
            .expect("base64");
        assert!(bytes.starts_with(b"\x89PNG"), "a picture");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("portal");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("the picture is written");
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.call("DELETE", &format!("/session/{}", self.session), &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn a_physician_signs_in_a_browser() {
    let Some(window) = Window::open(1280, 1500) else {
        assert!(!in_ci(), "chromium and chromedriver are missing");
        eprintln!("skipped: chromium and chromedriver are not installed (./countersign test installs them)");
        return;
    };
    let app = TestApp::start();
    let report = app.submit(&Report::abnormal(50));
    app.submit(&Report::normal(51));
    app.wait_for(&report, "in-progress");
    let base = format!("http://{}", app.address);

    window.visit(&base);
    window.picture("login-desktop");
    window.fill("input[name=username]", "physician");
    window.fill("input[name=password]", PASSWORD);
    window.click("main form button");
    window.says(&["Review queue"]);
    window.picture("queue-desktop");
    window.click(&format!("a[href='/cases/{report}']"));
    let text = window.says(&["not proof"]);
    assert!(text.contains("Quillon50"), "{text}");
    window.picture("case-desktop");
    window.click("form[action$='/claim'] button");
    window.click("input[name=decision][value=agree]");
    window.fill("form[action$='/sign'] input[name=password]", PASSWORD);
    window.picture("sign-desktop");
    window.click("form[action$='/sign'] button");
    window.says(&["signed"]);
    window.picture("signed-desktop");
    app.wait_for(&report, "completed");
    window.visit(&format!("{base}/model"));
    window.picture("model-desktop");

    // On a phone nothing is cut off or has to be moved sideways.
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    window.command(
        "POST",
        "/goog/cdp/execute",
        &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": phone }),
    );
    for (name, path) in [
        ("queue", "/queue".to_owned()),
        ("case", format!("/cases/{report}")),
        ("model", "/model".to_owned()),
    ] {
        window.visit(&format!("{base}{path}"));
        let (needs, has) = window.widths();
        assert!(needs <= has, "{name} needs {needs} of {has} pixels on a phone");
        window.picture(&format!("{name}-phone"));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "CI says that it is CI by the environment"
)]
fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}
