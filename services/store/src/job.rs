//! Background work: a payload is an id, a worker holds a lease, and a job done twice changes nothing.

use records::{AnyCase, CaseRef, Id, kind};
use time::{Duration, OffsetDateTime};

use crate::{Result, StoreError, Tx};

/// What is to be done to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Take out who the patient is.
    Deidentify,
    /// Classify and explain.
    Assess,
}

impl JobKind {
    /// The code in rows, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deidentify => "deidentify",
            Self::Assess => "assess",
        }
    }
}

/// A job that this worker holds.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Id.
    pub id: Id<kind::Job>,
    /// What to do.
    pub kind: JobKind,
    /// To which version.
    pub version: Id<kind::ReportVersion>,
    /// How often it was tried, this time included.
    pub attempts: i32,
}

/// Tries before a job is given up.
pub const MAX_ATTEMPTS: i32 = 5;

impl Tx {
    pub(crate) async fn enqueue(&mut self, case: &CaseRef, kind: JobKind, at: OffsetDateTime) -> Result<()> {
        // One job of a kind for a version: its id can be the version's own, so no id has to be drawn here.
        sqlx::query!(
            "INSERT INTO job (id, tenant_id, kind, version_id, state, run_at) VALUES (gen_random_uuid(), $1, $2, $3, 'ready', $4)
             ON CONFLICT (kind, version_id) DO NOTHING",
            case.tenant.uuid(),
            kind.as_str(),
            case.row.uuid(),
            at
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    pub(crate) async fn drop_jobs(&mut self, case: &CaseRef) -> Result<()> {
        sqlx::query!(
            "UPDATE job SET state = 'done', lease = NULL, lease_until = NULL WHERE version_id = $1 AND state <> 'done'",
            case.row.uuid()
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    /// Takes the oldest job that is due, or whose worker is gone, for `lease`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_job(&mut self, now: OffsetDateTime, lease: Duration) -> Result<Option<Job>> {
        let row = sqlx::query!(
            r#"UPDATE job SET state = 'running', attempts = attempts + 1, lease = gen_random_uuid(), lease_until = $2
               WHERE id = (SELECT id FROM job WHERE (state = 'ready' AND run_at <= $1) OR (state = 'running' AND lease_until <= $1)
                           ORDER BY run_at FOR UPDATE SKIP LOCKED LIMIT 1)
               RETURNING id, kind, version_id, attempts"#,
            now,
            now + lease
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let kind = match row.kind.as_str() {
                "deidentify" => JobKind::Deidentify,
                "assess" => JobKind::Assess,
                _ => {
                    return Err(StoreError::Corrupt {
                        table: "job",
                        column: "kind",
                        row: row.id,
                    });
                }
            };
            Ok(Job {
                id: Id::from_uuid(row.id),
                kind,
                version: Id::from_uuid(row.version_id),
                attempts: row.attempts,
            })
        })
        .transpose()
    }

    /// The version that a job is about, locked; a job of a version that moved on has nothing to do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn case_of_job(&mut self, job: &Job) -> Result<Option<AnyCase>> {
        self.version(job.version).await
    }

    /// Says that a job is done, in the transaction of its effect.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn job_done(&mut self, job: &Job) -> Result<()> {
        sqlx::query!(
            "UPDATE job SET state = 'done', lease = NULL, lease_until = NULL WHERE id = $1",
            job.id.uuid()
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(())
    }

    /// Puts a failed job back for later, or gives it up after [`MAX_ATTEMPTS`]; `failure` is a code.
    /// Returns whether it was given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn job_failed(
        &mut self,
        job: &Job,
        failure: &'static str,
        now: OffsetDateTime,
    ) -> Result<bool> {
        let given_up = job.attempts >= MAX_ATTEMPTS;
        let wait = Duration::seconds(1 << job.attempts.clamp(0, 10));
        sqlx::query!(
            "UPDATE job SET state = CASE WHEN $2 THEN 'failed' ELSE 'ready' END, lease = NULL, lease_until = NULL,
                 run_at = $3, failure = $4 WHERE id = $1",
            job.id.uuid(),
            given_up,
            now + wait,
            failure
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(given_up)
    }

    /// Jobs that wait or run, of one hospital or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn jobs_open(&mut self) -> Result<i64> {
        Ok(
            sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM job WHERE state IN ('ready', 'running')"#)
                .fetch_one(&mut *self.sql)
                .await?,
        )
    }

    /// Claims whose lease is over, each with its case, locked; other workers' are skipped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expired_claims(&mut self, now: OffsetDateTime) -> Result<Vec<AnyCase>> {
        let rows = sqlx::query_scalar!(
            "SELECT c.version_id FROM claim c JOIN report_version v ON v.id = c.version_id
             WHERE c.ended_at IS NULL AND c.until <= $1 LIMIT 100 FOR UPDATE OF v SKIP LOCKED",
            now
        )
        .fetch_all(&mut *self.sql)
        .await?;
        let mut cases = Vec::with_capacity(rows.len());
        for row in rows {
            cases.extend(self.version(Id::from_uuid(row)).await?);
        }
        Ok(cases)
    }
}
