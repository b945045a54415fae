//! Entries of the audit log: one in the transaction of each effect.

use records::{Event, Id, Receipt, at_rest, kind};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{Result, StoreError, Tx};

macro_rules! entry {
    ($row:ident) => {
        $crate::AuditEntry {
            id: records::Id::from_uuid($row.id),
            tenant: records::Id::from_uuid($row.tenant_id),
            position: $row.position,
            index: $row.index,
            at: $row.at,
            actor_kind: $row.actor_kind,
            actor_id: $row.actor_id,
            roles: $row.roles,
            kind: $row.kind,
            subject_kind: $row.subject_kind,
            subject_id: $row.subject_id,
            subject_version: $row.subject_version,
            policies: $row.policies,
            facts: $row.facts,
        }
    };
}
pub(crate) use entry;

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id.
    pub id: Id<kind::Event>,
    /// Whose log.
    pub tenant: Id<kind::Tenant>,
    /// Order of arrival in the database.
    pub position: i64,
    /// Index in the log, once the sequencer gave it one.
    pub index: Option<i64>,
    /// When.
    pub at: OffsetDateTime,
    /// `user`, `client` or `system`.
    pub actor_kind: String,
    /// Who.
    pub actor_id: Uuid,
    /// What he was then.
    pub roles: Vec<String>,
    /// What.
    pub kind: String,
    /// On what kind of thing.
    pub subject_kind: String,
    /// On which.
    pub subject_id: Uuid,
    /// On which version; 0 where it has none.
    pub subject_version: i32,
    /// By which policies.
    pub policies: Vec<String>,
    /// Details: JSON of ids, digests, numbers and words.
    pub facts: String,
}

impl AuditEntry {
    /// The leaf that the log commits to: every column of the row, as JSON with keys in order and no blanks
    /// (RFC 8785), so that an outsider can make it again from an export.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a column cannot be written so.
    pub fn leaf(&self) -> Result<Vec<u8>> {
        let at = self.at.format(&Rfc3339).map_err(|_| StoreError::Corrupt {
            table: "audit_entry",
            column: "at",
            row: self.id.uuid(),
        })?;
        let leaf = serde_json::json!({
            "actor_id": self.actor_id,
            "actor_kind": self.actor_kind,
            "at": at,
            "facts": self.facts,
            "id": self.id.uuid(),
            "kind": self.kind,
            "policies": self.policies,
            "position": self.position,
            "roles": self.roles,
            "subject_id": self.subject_id,
            "subject_kind": self.subject_kind,
            "subject_version": self.subject_version,
            "tenant": self.tenant.uuid(),
            "v": 1,
        });
        // serde_json without `preserve_order` keeps an object's keys in order.
        Ok(leaf.to_string().into_bytes())
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only by this actor.
    pub actor: Option<Uuid>,
    /// Only about this thing.
    pub subject: Option<Uuid>,
    /// Only at or after this moment.
    pub since: Option<OffsetDateTime>,
    /// Only before this moment.
    pub until: Option<OffsetDateTime>,
    /// Only older than this position, for the next page.
    pub before: Option<i64>,
}

impl Tx {
    /// Writes an event's row; its receipt opens the state that brought it.
    pub(crate) async fn append(&mut self, event: &Event) -> Result<Receipt> {
        let actor = event.actor();
        let roles: Vec<String> = actor
            .roles()
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect();
        let subject = event.subject();
        sqlx::query!(
            "WITH entry AS (
                 INSERT INTO audit_entry (id, tenant_id, at, actor_kind, actor_id, roles, kind, subject_kind, subject_id,
                                          subject_version, policies, facts)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id, tenant_id)
             INSERT INTO audit_pending (entry_id, tenant_id) SELECT id, tenant_id FROM entry",
            event.id().uuid(),
            event.tenant().uuid(),
            event.at(),
            actor.kind_name(),
            actor.id,
            &roles,
            event.kind().as_str(),
            subject.kind.as_str(),
            subject.id,
            i32::try_from(subject.version).unwrap_or(i32::MAX),
            event.policies(),
            at_rest::facts_json(event),
        )
        .execute(&mut *self.sql)
        .await?;
        Ok(at_rest::receipt(event.id()))
    }

    /// Writes an event that changes nothing else: a reading, a refusal, a sign-in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&mut self, event: &Event) -> Result<()> {
        self.append(event).await.map(|_| ())
    }

    /// Entries of a hospital's log, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_entries(
        &mut self,
        tenant: Id<kind::Tenant>,
        filter: &AuditFilter,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query!(
            r#"SELECT e.*, l.index AS "index?" FROM audit_entry e LEFT JOIN audit_leaf l ON l.entry_id = e.id
               WHERE e.tenant_id = $1
                 AND ($2::text IS NULL OR e.kind = $2)
                 AND ($3::uuid IS NULL OR e.actor_id = $3)
                 AND ($4::uuid IS NULL OR e.subject_id = $4)
                 AND ($5::timestamptz IS NULL OR e.at >= $5)
                 AND ($6::timestamptz IS NULL OR e.at < $6)
                 AND ($7::bigint IS NULL OR e.position < $7)
               ORDER BY e.position DESC LIMIT $8"#,
            tenant.uuid(),
            filter.kind,
            filter.actor,
            filter.subject,
            filter.since,
            filter.until,
            filter.before,
            limit,
        )
        .fetch_all(&mut *self.sql)
        .await?;
        Ok(rows.into_iter().map(|row| entry!(row)).collect())
    }

    /// Entries that the newest checkpoint covers, entries that wait for the next, and the checkpoint itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_head(&mut self, tenant: Id<kind::Tenant>) -> Result<(i64, i64, Option<String>)> {
        let head = sqlx::query!(
            "SELECT size, note FROM audit_checkpoint WHERE tenant_id = $1 ORDER BY size DESC LIMIT 1",
            tenant.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        let pending = sqlx::query_scalar!(
            r#"SELECT count(*) AS "n!" FROM audit_pending WHERE tenant_id = $1"#,
            tenant.uuid()
        )
        .fetch_one(&mut *self.sql)
        .await?;
        Ok((
            head.as_ref().map_or(0, |row| row.size),
            pending,
            head.map(|row| row.note),
        ))
    }
}
