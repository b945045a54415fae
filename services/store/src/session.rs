//! Sign-ins of the portal.

use records::{Account, Event, Id, kind};
use seal::Digest;
use time::{Duration, OffsetDateTime};

use crate::{Result, Tx, account::account};

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Without a request.
    pub idle: Duration,
    /// At most.
    pub absolute: Duration,
}

impl Tx {
    /// Starts a session for the cookie whose token has this digest.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn start_session(
        &mut self,
        token: &Digest,
        account: &Account,
        limits: SessionLimits,
        event: &Event,
    ) -> Result<()> {
        sqlx::query!(
            "INSERT INTO session (token, tenant_id, account_id, created_at, seen_at, expires_at)
             VALUES ($1, $2, $3, $4, $4, $5)",
            token.as_bytes().as_slice(),
            account.tenant.uuid(),
            account.id.uuid(),
            event.at(),
            event.at() + limits.absolute,
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// Who holds this session, if it still runs; moves its idle clock on.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn session(
        &mut self,
        token: &Digest,
        limits: SessionLimits,
        now: OffsetDateTime,
    ) -> Result<Option<Account>> {
        let row = sqlx::query!(
            "UPDATE session s SET seen_at = $2 FROM account a
             WHERE s.token = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3
               AND a.id = s.account_id AND a.disabled_at IS NULL
             RETURNING a.id, a.tenant_id, a.username, a.display_name, a.roles, a.demo",
            token.as_bytes().as_slice(),
            now,
            now - limits.idle,
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| Ok(account!(row))).transpose()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn end_session(&mut self, token: &Digest, event: &Event) -> Result<()> {
        sqlx::query!(
            "UPDATE session SET ended_at = $2 WHERE token = $1 AND ended_at IS NULL",
            token.as_bytes().as_slice(),
            event.at()
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// The hospital of that code.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn tenant(&mut self, code: &str) -> Result<Option<Id<kind::Tenant>>> {
        Ok(sqlx::query_scalar!("SELECT id FROM tenant WHERE code = $1", code)
            .fetch_optional(&mut *self.sql)
            .await?
            .map(Id::from_uuid))
    }

    /// Every hospital, by code.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn tenants(&mut self) -> Result<Vec<(Id<kind::Tenant>, String)>> {
        let rows = sqlx::query!("SELECT id, code FROM tenant ORDER BY code")
            .fetch_all(&mut *self.sql)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (Id::from_uuid(row.id), row.code))
            .collect())
    }

    /// Makes a hospital where there is none of that code; returns the one that is there afterwards.
    ///
    /// # Errors
    /// [`crate::StoreError`].
    pub async fn ensure_tenant(
        &mut self,
        id: Id<kind::Tenant>,
        code: &str,
        now: OffsetDateTime,
    ) -> Result<Id<kind::Tenant>> {
        sqlx::query!(
            "INSERT INTO tenant (id, code, created_at) VALUES ($1, $2, $3) ON CONFLICT (code) DO NOTHING",
            id.uuid(),
            code,
            now
        )
        .execute(&mut *self.sql)
        .await?;
        let id = sqlx::query_scalar!("SELECT id FROM tenant WHERE code = $1", code)
            .fetch_one(&mut *self.sql)
            .await?;
        Ok(Id::from_uuid(id))
    }
}
