//! The review queue as a physician sees it: no text, no name.

use clinical::Outcome;
use records::{CaseState, Id, kind};
use time::OffsetDateTime;

use crate::{Result, StoreError, Tx, report};

/// One line of the queue.
#[derive(Clone, Debug)]
pub struct QueueLine {
    /// Report.
    pub report: Id<kind::Report>,
    /// Version.
    pub version: i32,
    /// State.
    pub state: CaseState,
    /// Service that reads it.
    pub service: String,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// What the classifier said; `None` before it did.
    pub outcome: Option<Outcome>,
    /// Who holds it: account and printed name.
    pub holder: Option<(Id<kind::Account>, String)>,
    /// When the lease ends.
    pub until: Option<OffsetDateTime>,
}

/// Cases by what they wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Wait for the gateway or the classifier.
    pub incoming: i64,
    /// Wait for a physician.
    pub waiting: i64,
    /// Are with a physician.
    pub claimed: i64,
    /// Are signed.
    pub signed: i64,
}

impl Tx {
    /// Cases that this physician may see, by a care relation, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn queue(
        &mut self,
        tenant: Id<kind::Tenant>,
        account: Id<kind::Account>,
        states: &[CaseState],
        now: OffsetDateTime,
        (limit, offset): (i64, i64),
    ) -> Result<Vec<QueueLine>> {
        let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
        let rows = sqlx::query!(
            r#"SELECT v.id AS row, v.report_id, v.version, v.state::text AS "state!", v.service, v.received_at,
                      a.id AS "assessment?", a.outcome AS "outcome?", c.account_id AS "account_id?", c.until AS "until?",
                      h.display_name AS "holder?"
               FROM report r
               JOIN report_version v ON v.report_id = r.id AND v.version = r.current_version
               LEFT JOIN assessment a ON a.version_id = v.id
               LEFT JOIN claim c ON c.version_id = v.id AND c.ended_at IS NULL
               LEFT JOIN account h ON h.id = c.account_id
               WHERE r.tenant_id = $1 AND v.state::text = ANY($2)
                 AND EXISTS (SELECT FROM care_relation q LEFT JOIN reading_pool_member m
                       ON m.pool_id = q.pool_id AND m.account_id = $3 AND m.since <= $4 AND (m.until IS NULL OR m.until > $4)
                     WHERE q.report_id = r.id AND q.starts_at <= $4 AND q.ends_at > $4
                       AND (q.account_id = $3 OR m.account_id IS NOT NULL))
               ORDER BY v.received_at, v.id LIMIT $5 OFFSET $6"#,
            tenant.uuid(),
            &states,
            account.uuid(),
            now,
            limit,
            offset
        )
        .fetch_all(&mut *self.sql)
        .await?;
        rows.into_iter()
            .map(|row| {
                let outcome = match (row.assessment, row.outcome) {
                    (Some(id), Some(sealed)) => {
                        let plain = self.open(tenant, "assessment", "outcome", id, &sealed)?;
                        Some(serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt {
                            table: "assessment",
                            column: "outcome",
                            row: id,
                        })?)
                    }
                    _ => None,
                };
                Ok(QueueLine {
                    report: Id::from_uuid(row.report_id),
                    version: row.version,
                    state: report::case_state(&row.state, row.row)?,
                    service: row.service,
                    received_at: row.received_at,
                    outcome,
                    holder: row.account_id.map(Id::from_uuid).zip(row.holder),
                    until: row.until,
                })
            })
            .collect()
    }

    /// How many cases of a hospital wait for what.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn queue_counts(&mut self, tenant: Id<kind::Tenant>) -> Result<QueueCounts> {
        let row = sqlx::query!(
            r#"SELECT count(*) FILTER (WHERE state IN ('received', 'deidentified')) AS "incoming!",
                      count(*) FILTER (WHERE state = 'assessed') AS "waiting!",
                      count(*) FILTER (WHERE state = 'claimed') AS "claimed!",
                      count(*) FILTER (WHERE state IN ('signed', 'released')) AS "signed!"
               FROM report_version WHERE tenant_id = $1"#,
            tenant.uuid()
        )
        .fetch_one(&mut *self.sql)
        .await?;
        Ok(QueueCounts {
            incoming: row.incoming,
            waiting: row.waiting,
            claimed: row.claimed,
            signed: row.signed,
        })
    }
}
