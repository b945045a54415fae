//! The background journey: scrub, assess, queue; and what keeps the house: the log's sequencer, leases that end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web;
use clinical::Scrubber;
use inference::{Busy, Lane};
use policy::{AssessCase, Facts, Permit};
use records::{AnyCase, CaseRef, Event, EventKind, Fact, Id, kind};
use store::{Door, Job, JobKind, Scrubbed, StoreError};
use tokio::sync::watch;

use crate::http::{App, problem::Problem, problem::chain};

/// How long a worker may keep a job before another takes it: longer than the longest note takes.
const LEASE: time::Duration = time::Duration::minutes(10);
/// How long an idle worker waits before it looks again, where nobody wakes it.
const IDLE: Duration = Duration::from_millis(500);
/// How often the sequencer looks for entries without an index.
const SEQUENCE: Duration = Duration::from_millis(300);
/// How often leases that are over are looked for.
const EXPIRE: Duration = Duration::from_secs(10);
/// How long to wait when the database is away.
const AWAY: Duration = Duration::from_secs(2);

/// Scrubs and assesses.
#[derive(Clone)]
pub struct Worker {
    app: web::Data<App>,
    scrubber: Arc<Scrubber>,
}

/// What came of one look at the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A job was done, or put back.
    Worked,
    /// There was none.
    Idle,
}

impl Worker {
    /// A worker that takes patients out with `scrubber`.
    #[must_use]
    pub fn new(app: web::Data<App>, scrubber: Arc<Scrubber>) -> Self {
        Self { app, scrubber }
    }

    /// Works until `stop` says so; a job in hand is finished first.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match Box::pin(self.step()).await {
                Ok(Step::Worked) => continue,
                Ok(Step::Idle) => IDLE,
                Err(problem) => {
                    problem.log();
                    AWAY
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                () = self.app.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes one job and does it.
    ///
    /// # Errors
    /// [`Problem`] when the database is away; the job is taken again once its lease is over.
    pub async fn step(&self) -> Result<Step, Problem> {
        let mut tx = self.app.begin(Door::Work).await?;
        let job = tx.take_job(self.app.clock.now(), LEASE).await?;
        tx.finish().await?;
        let Some(job) = job else { return Ok(Step::Idle) };
        let done = match job.kind {
            JobKind::Deidentify => self.deidentify(&job).await,
            JobKind::Assess => self.assess(&job).await,
        };
        if let Err(problem) = done {
            self.failed(&job, &problem).await?;
        }
        Ok(Step::Worked)
    }

    async fn failed(&self, job: &Job, problem: &Problem) -> Result<(), Problem> {
        self.app.metrics.job_failed(job.kind.as_str());
        let said = problem.said();
        let reason = match problem {
            Problem::Store(error) => chain(error),
            _ => said.title.to_owned(),
        };
        tracing::warn!(job = %job.id, kind = job.kind.as_str(), attempt = job.attempts, reason, "background work failed");
        let mut tx = self.app.begin(Door::Work).await?;
        if tx.job_failed(job, said.code, self.app.clock.now()).await? {
            if let Some(case) = tx.case_of_job(job).await? {
                let event = Event::observed(
                    &records::worker(case.case().tenant),
                    EventKind::JobFailed,
                    case.case().subject(),
                    &*self.app.clock,
                    &*self.app.ids,
                )
                .with("job", Fact::id(job.id))
                .with("failure", Fact::word(said.code));
                tx.note(&event).await?;
            }
            tracing::error!(job = %job.id, kind = job.kind.as_str(), "background work was given up; the report waits for help");
        }
        Ok(tx.finish().await?)
    }

    async fn permit(&self, case: &CaseRef) -> Result<Permit<AssessCase>, Problem> {
        self.app
            .authorize::<AssessCase>(&records::worker(case.tenant), &case.resource(), &Facts::default())
            .await
    }

    async fn deidentify(&self, job: &Job) -> Result<(), Problem> {
        let app = &self.app;
        let mut tx = app.begin(Door::Work).await?;
        if let Some(AnyCase::Received(case)) = tx.case_of_job(job).await? {
            let at = case.case();
            let permit = self.permit(&at).await?;
            let note = tx.note_to_scrub(&permit, &at).await?;
            let scrubber = Arc::clone(&self.scrubber);
            let (clean, map) = web::block(move || note.deidentify(&scrubber))
                .await
                .map_err(|_| Problem::Internal("scrubber"))?;
            tx.put_scrubbed(
                &at,
                &Scrubbed {
                    note: &clean,
                    map: &map,
                },
            )
            .await?;
            let moved = case.deidentify(&permit, &clean, map.redactions().len(), &*app.clock, &*app.ids)?;
            tx.commit(moved).await?;
            app.metrics.transition("deidentified");
        }
        tx.job_done(job).await?;
        tx.finish().await?;
        app.wake.notify_one();
        Ok(())
    }

    async fn assess(&self, job: &Job) -> Result<(), Problem> {
        let app = &self.app;
        let mut tx = app.begin(Door::Work).await?;
        let note = match tx.case_of_job(job).await? {
            Some(AnyCase::Deidentified(case)) => {
                let report = case.case().report;
                tx.deidentified_note(&case.case())
                    .await?
                    .map(|(note, _)| (note, report))
            }
            _ => None,
        };
        let Some((note, report)) = note else {
            tx.job_done(job).await?;
            return Ok(tx.finish().await?);
        };
        // The model takes seconds: nothing stays locked meanwhile, and the case is looked at again afterwards.
        drop(tx);
        let model = Arc::clone(&app.model);
        let began = Instant::now();
        // Once the lease is over another worker has the job, and nobody wants this answer.
        let deadline = began + LEASE.unsigned_abs();
        let outcome =
            web::block(move || model.assess(&note, report.uuid().as_bytes(), Lane::Routine, deadline))
                .await
                .map_err(|_| Problem::Internal("model"))?
                .map_err(|busy| match busy {
                    Busy::Late | Busy::Overloaded => Problem::Overloaded,
                })?;
        app.metrics.assessed(began.elapsed());
        let mut tx = app.begin(Door::Work).await?;
        if let Some(AnyCase::Deidentified(case)) = tx.case_of_job(job).await? {
            let permit = self.permit(&case.case()).await?;
            tx.commit(case.assess(&permit, outcome, &app.model.pins(), &*app.clock, &*app.ids)?)
                .await?;
            app.metrics.transition("assessed");
        }
        tx.job_done(job).await?;
        Ok(tx.finish().await?)
    }
}

/// Gives audit entries their index and leaf, and ends leases that are over, until `stop` says so.
pub async fn keep_house(app: web::Data<App>, mut stop: watch::Receiver<bool>) {
    let mut last = Instant::now();
    loop {
        let stopping = *stop.borrow();
        let pause = match housework(&app, &mut last).await {
            Ok(()) => SEQUENCE,
            Err(problem) => {
                problem.log();
                AWAY
            }
        };
        if stopping {
            return;
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn housework(app: &App, last: &mut Instant) -> Result<(), Problem> {
    if last.elapsed() >= EXPIRE {
        *last = Instant::now();
        expire(app).await?;
    }
    sequence(app, app.tenant).await
}

/// Gives every entry of a hospital its index.
///
/// # Errors
/// [`Problem::Store`].
pub async fn sequence(app: &App, tenant: Id<kind::Tenant>) -> Result<(), Problem> {
    let count = app.store.sequence(tenant, &*app.clock).await?;
    app.metrics.sequenced(count);
    Ok(())
}

/// Gives cases back to the queue whose lease is over.
///
/// # Errors
/// [`Problem::Store`].
pub async fn expire(app: &App) -> Result<(), Problem> {
    let mut tx = app.begin(Door::Work).await?;
    for case in tx.expired_claims(app.clock.now()).await? {
        if let AnyCase::Claimed(case) = case {
            let actor = records::worker(case.case().tenant);
            if let Ok(moved) = case.expire(&actor, &*app.clock, &*app.ids) {
                tx.commit(moved).await?;
                app.metrics.transition("expired");
            }
        }
    }
    match tx.finish().await {
        // Somebody signed or gave back the case in the same moment: nothing is left to do.
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
