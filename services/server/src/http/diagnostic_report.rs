//! Reports come in here and are read back from here.

use actix_web::{HttpResponse, web};
use interop::fhir::{Incoming, Issue, PatientIn, Refusal, RefusalClass, ReportIn, SubjectRef};
use policy::{Facts, Permit, ReadReport, ResourceKind, SubmitReport};
use records::{
    CareRelation, CaseRef, Event, EventKind, Id, Patient, PhiText, Related, RelationBasis, ServiceCode,
    Subject, Version, kind,
};
use store::{Door, PatientMatch, Tx};
use time::OffsetDateTime;

use super::{
    FHIR_JSON,
    problem::{FhirProblem, Problem},
    scene::{Body, Ehr},
};

/// Reads a body off the request threads: four megabytes of base64 take a while.
///
/// # Errors
/// [`Problem::Refused`] with what is wrong and where.
pub async fn parse(ehr: &Ehr, body: web::Bytes) -> Result<Incoming, Problem> {
    let parsed = web::block(move || interop::fhir::parse(&body))
        .await
        .map_err(|_| Problem::Internal("parsing"))?;
    parsed.map_err(|refusal| {
        ehr.app.metrics.refused();
        Problem::Refused(refusal)
    })
}

/// Stores what comes in, within one transaction.
pub struct Intake<'a> {
    ehr: &'a Ehr,
    permit: Permit<SubmitReport>,
    stored: u64,
}

/// A report as it was stored.
pub struct Stored {
    /// Report and version.
    pub case: CaseRef,
    /// The report is new.
    pub created: bool,

    /// When the version came.
    pub received_at: OffsetDateTime,
}

impl Stored {
    /// Its address below the base.
    #[must_use]
    pub fn location(&self) -> String {
        format!(
            "DiagnosticReport/{}/_history/{}",
            self.case.report,
            self.case.version.get()
        )
    }
    /// Its entity tag.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.case.version.get())
    }
}

fn unknown_patient() -> Problem {
    Problem::Refused(Refusal {
        class: RefusalClass::Unprocessable,
        issues: vec![
            Issue::error(
                "not-found",
                "The patient is not known here. Send the Patient first, contained in the report, or both in a transaction Bundle.",
            )
            .at("DiagnosticReport.subject"),
        ],
    })
}

/// Identifiers that lead to different people: to take the first would put a report into a stranger's record.
fn several_patients(expression: &str) -> Problem {
    Problem::Refused(Refusal {
        class: RefusalClass::Unprocessable,
        issues: vec![
            Issue::error(
                "multiple-matches",
                "The identifiers belong to different patients here. Send those of one patient.",
            )
            .at(expression),
        ],
    })
}

async fn known(
    tx: &mut Tx,
    tenant: Id<kind::Tenant>,
    identifiers: &[PhiText],
) -> Result<Id<kind::Patient>, Problem> {
    match tx.patient_by_identifiers(tenant, identifiers).await? {
        PatientMatch::None => Err(unknown_patient()),
        PatientMatch::One(id) => Ok(id),
        PatientMatch::Several => Err(several_patients("DiagnosticReport.subject")),
    }
}

impl<'a> Intake<'a> {
    /// Asks the policy once for the whole request.
    ///
    /// # Errors
    /// [`Problem::Denied`].
    pub async fn new(ehr: &'a Ehr) -> Result<Self, Problem> {
        let resource = ehr.app.tenant_resource(ResourceKind::Tenant);
        let permit = ehr
            .app
            .authorize::<SubmitReport>(&ehr.actor(), &resource, &Facts::default())
            .await?;
        Ok(Self {
            ehr,
            permit,
            stored: 0,
        })
    }

    /// Wakes the workers and counts, once everything is stored.
    pub fn finished(&self) {
        self.ehr.app.metrics.received(self.stored);
        if self.stored > 0 {
            self.ehr.app.wake.notify_one();
        }
    }

    /// Stores a patient; one who is known by an identifier is brought up to date.
    ///
    /// # Errors
    /// [`Problem::Store`].
    pub async fn patient(
        &self,
        tx: &mut Tx,
        patient: PatientIn,
    ) -> Result<(Id<kind::Patient>, bool), Problem> {
        let app = &self.ehr.app;
        let known = match tx
            .patient_by_identifiers(app.tenant, &patient.identifiers)
            .await?
        {
            PatientMatch::None => None,
            PatientMatch::One(id) => Some(id),
            PatientMatch::Several => return Err(several_patients("Patient.identifier")),
        };
        let id = known.unwrap_or_else(|| Id::generate(&*app.clock, &*app.ids));
        let record = Patient {
            id,
            demographics: patient.demographics,
        };
        let event = Event::permitted(
            &self.permit,
            EventKind::PatientRecorded,
            Subject::patient(id),
            &*app.clock,
            &*app.ids,
        );
        tx.put_patient(&record, &patient.identifiers, &patient.resource, &event)
            .await?;
        Ok((id, known.is_none()))
    }

    async fn subject(&self, tx: &mut Tx, subject: SubjectRef) -> Result<Patient, Problem> {
        let tenant = self.ehr.app.tenant;
        let id = match subject {
            SubjectRef::Ours(id) => match tx.patient(tenant, id).await? {
                Some((patient, _)) => return Ok(patient),
                // A UUID that is not ours may be the hospital's own.
                None => known(tx, tenant, &[interop::fhir::reference_alias(id)]).await?,
            },
            SubjectRef::Known(identifiers) => known(tx, tenant, &identifiers).await?,
            SubjectRef::Given(patient) => self.patient(tx, patient).await?.0,
        };
        Ok(tx.patient(tenant, id).await?.ok_or_else(unknown_patient)?.0)
    }

    /// Stores a report: new, the same again, or a new version that makes the old one void.
    ///
    /// # Errors
    /// [`Problem::Refused`] for an unknown patient, [`Problem::Store`].
    pub async fn report(&mut self, tx: &mut Tx, report: ReportIn) -> Result<Stored, Problem> {
        let app = &self.ehr.app;
        let ReportIn { submission, subject } = report;
        let patient = self.subject(tx, subject).await?;
        let found = tx.find_report(app.tenant, &submission, patient.id).await?;
        let (id, version, created) = match found {
            Some(found) if found.same_content => {
                let case = found.live.case();
                let event = Event::permitted(
                    &self.permit,
                    EventKind::ReportRepeated,
                    case.subject(),
                    &*app.clock,
                    &*app.ids,
                );
                tx.note(&event).await?;
                let standing = tx
                    .standing(app.tenant, case.report)
                    .await?
                    .ok_or(Problem::NotFound)?;
                return Ok(Stored {
                    case,
                    created: false,
                    received_at: standing.received_at,
                });
            }
            Some(found) => {
                let (case, next) = (found.live.case(), found.live.case().version.next());
                tx.commit(found.live.supersede(&self.permit, next, &*app.clock, &*app.ids)?)
                    .await?;
                (case.report, next, false)
            }
            None => (Id::generate(&*app.clock, &*app.ids), Version::FIRST, true),
        };
        let recorded = submission.receive(&self.permit, id, version, &patient, &*app.clock, &*app.ids)?;
        let stored = tx.commit(recorded).await?;
        if stored.received().is_some() {
            self.relations(tx, &stored).await?;
            self.stored += 1;
        }
        Ok(Stored {
            case: stored.case(),
            created,
            received_at: stored.received_at(),
        })
    }

    /// Who may see this report: the pool of its service, and the people that the order and the encounter name.
    async fn relations(&self, tx: &mut Tx, stored: &records::StoredSubmission) -> Result<(), Problem> {
        let app = &self.ehr.app;
        let (case, actor) = (stored.case(), self.ehr.actor());
        let ends = app.clock.now() + app.numbers.care_relation();
        let mut related = Vec::new();
        let service = &stored.submission().service;
        let pool = match tx.pool_for(app.tenant, service).await? {
            Some(pool) => Some(pool),
            // A service that nobody reads for would leave the report unseen: radiology takes it.
            None => tx.pool_for(app.tenant, &ServiceCode::radiology()).await?,
        };
        related.extend(pool.map(|pool| (Related::Pool(pool), RelationBasis::ReadingPool)));
        for practitioner in &stored.submission().practitioners {
            if let Some(account) = tx
                .account_of_practitioner(app.tenant, &practitioner.identifier)
                .await?
            {
                let relation = (Related::Account(account), practitioner.basis);
                if !related.contains(&relation) {
                    related.push(relation);
                }
            }
        }
        for (related, basis) in related {
            tx.commit(CareRelation::start(
                case,
                related,
                basis,
                ends,
                &actor,
                &*app.clock,
                &*app.ids,
            ))
            .await?;
        }
        Ok(())
    }
}

/// `POST /fhir/DiagnosticReport`.
pub async fn receive(ehr: Ehr, Body(body): Body) -> Result<HttpResponse, FhirProblem> {
    let Incoming::Report(report) = parse(&ehr, body).await? else {
        return Err(Problem::Refused(Refusal {
            class: RefusalClass::NotSupported,
            issues: vec![
                Issue::error(
                    "not-supported",
                    "This address takes a DiagnosticReport; send a Bundle to /fhir.",
                )
                .at("resourceType"),
            ],
        })
        .into());
    };
    let app = &ehr.app;
    let mut tx = app.begin(Door::Ehr).await?;
    let mut intake = Intake::new(&ehr).await?;
    let stored = intake.report(&mut tx, *report).await?;
    let resource = tx
        .resource(app.tenant, stored.case.report, stored.case.version)
        .await?;
    tx.finish().await?;
    intake.finished();
    let (raw, at) = resource.ok_or(Problem::Internal("stored resource"))?;
    let body = with_id(&raw, stored.case.report, stored.case.version, at)?;
    let mut response = if stored.created {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(response
        .content_type(FHIR_JSON)
        .insert_header((
            "Location",
            format!("{}/fhir/{}", app.public_url, stored.location()),
        ))
        .insert_header(("ETag", stored.etag()))
        .body(body))
}

fn with_id(
    raw: &PhiText,
    id: Id<kind::Report>,
    version: Version,
    at: OffsetDateTime,
) -> Result<String, Problem> {
    interop::emit::with_server_id(raw, id, version, at).map_err(|_| Problem::Internal("stored resource"))
}

/// A permit for the sender to read a report back, with the event that says so.
async fn may_read(ehr: &Ehr, tx: &mut Tx, report: &str) -> Result<(CaseRef, Permit<ReadReport>), Problem> {
    let app = &ehr.app;
    let report: Id<kind::Report> = report.parse().map_err(|_| Problem::NotFound)?;
    let standing = tx.standing(app.tenant, report).await?.ok_or(Problem::NotFound)?;
    let facts = tx.facts(&ehr.actor(), &standing.case, &*app.clock).await?;
    let permit = app
        .authorize::<ReadReport>(&ehr.actor(), &standing.case.resource(), &facts)
        .await;
    let permit = permit.map_err(hide)?;
    let event = Event::permitted(
        &permit,
        EventKind::ReportRead,
        standing.case.subject(),
        &*app.clock,
        &*app.ids,
    );
    tx.note(&event).await?;
    Ok((standing.case, permit))
}

/// What another system sent does not exist for this one.
#[must_use]
pub fn hide(problem: Problem) -> Problem {
    match problem {
        Problem::Denied => Problem::NotFound,
        other => other,
    }
}

/// `GET /fhir/DiagnosticReport/{report}`: the current version.
pub async fn read(ehr: Ehr, report: web::Path<String>) -> Result<HttpResponse, FhirProblem> {
    let mut tx = ehr.app.begin(Door::Ehr).await?;
    let (case, _permit) = may_read(&ehr, &mut tx, &report).await?;
    send(&ehr, tx, case, case.version).await
}

/// `GET /fhir/DiagnosticReport/{report}/_history/{version}`.
pub async fn read_version(ehr: Ehr, path: web::Path<(String, String)>) -> Result<HttpResponse, FhirProblem> {
    let (report, version) = path.into_inner();
    let version = version
        .parse()
        .ok()
        .and_then(Version::new)
        .ok_or(Problem::NotFound)?;
    let mut tx = ehr.app.begin(Door::Ehr).await?;
    let (case, _permit) = may_read(&ehr, &mut tx, &report).await?;
    send(&ehr, tx, case, version).await
}

async fn send(ehr: &Ehr, mut tx: Tx, case: CaseRef, version: Version) -> Result<HttpResponse, FhirProblem> {
    let found = tx.resource(ehr.app.tenant, case.report, version).await?;
    tx.finish().await?;
    let (raw, at) = found.ok_or(Problem::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .insert_header(("ETag", format!("W/\"{}\"", version.get())))
        .body(with_id(&raw, case.report, version, at)?))
}

/// `GET /fhir/DiagnosticReport/{report}/$submitted`: the request that brought the current version, byte for byte.
pub async fn submitted(ehr: Ehr, report: web::Path<String>) -> Result<HttpResponse, FhirProblem> {
    let mut tx = ehr.app.begin(Door::Ehr).await?;
    let (case, _permit) = may_read(&ehr, &mut tx, &report).await?;
    let found = tx.submitted(ehr.app.tenant, case.report, case.version).await?;
    tx.finish().await?;
    let body = found.ok_or(Problem::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(FHIR_JSON)
        .body(body.expose().to_owned()))
}
