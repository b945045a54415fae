//! Systems that call the API, and their tokens.

use records::{Client, Event, Id, kind};
use seal::{Digest, password::PasswordHash};
use time::{Duration, OffsetDateTime};

use crate::{Result, StoreError, Tx};

impl Tx {
    /// Registers a calling system.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the name is taken.
    pub async fn create_client(
        &mut self,
        client: &Client,
        secret: &PasswordHash,
        event: &Event,
    ) -> Result<()> {
        let done = sqlx::query!(
            "INSERT INTO client (id, tenant_id, name, secret_hash, demo, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
            client.id.uuid(),
            client.tenant.uuid(),
            client.name,
            secret.as_str(),
            client.demo,
            event.at(),
        )
        .execute(&mut *self.sql)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Taken);
        }
        self.note(event).await
    }

    /// The calling system of that id with the hash of its secret.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn client(&mut self, id: Id<kind::Client>) -> Result<Option<(Client, PasswordHash)>> {
        let row = sqlx::query!(
            "SELECT id, tenant_id, name, demo, secret_hash FROM client WHERE id = $1 AND disabled_at IS NULL",
            id.uuid()
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        row.map(|row| {
            let secret = PasswordHash::parse(&row.secret_hash).map_err(|_| StoreError::Corrupt {
                table: "client",
                column: "secret_hash",
                row: row.id,
            })?;
            let client = Client {
                id: Id::from_uuid(row.id),
                tenant: Id::from_uuid(row.tenant_id),
                name: row.name,
                demo: row.demo,
            };
            Ok((client, secret))
        })
        .transpose()
    }

    /// Stores a bearer token by its digest; without `lasts` it has no end, which `up` alone accepts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn issue_token(
        &mut self,
        token: &Digest,
        client: &Client,
        lasts: Option<Duration>,
        event: &Event,
    ) -> Result<()> {
        sqlx::query!(
            "INSERT INTO client_token (token, tenant_id, client_id, fixed, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            token.as_bytes().as_slice(),
            client.tenant.uuid(),
            client.id.uuid(),
            lasts.is_none(),
            event.at(),
            lasts.map(|lasts| event.at() + lasts),
        )
        .execute(&mut *self.sql)
        .await?;
        self.note(event).await
    }

    /// Whose token it is, if it is good now; one without an end is good where `fixed` says so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bearer(
        &mut self,
        token: &Digest,
        fixed: bool,
        now: OffsetDateTime,
    ) -> Result<Option<Client>> {
        let row = sqlx::query!(
            "SELECT c.id, c.tenant_id, c.name, c.demo FROM client_token t JOIN client c ON c.id = t.client_id
             WHERE t.token = $1 AND c.disabled_at IS NULL AND ((t.fixed AND $2) OR t.expires_at > $3)",
            token.as_bytes().as_slice(),
            fixed,
            now
        )
        .fetch_optional(&mut *self.sql)
        .await?;
        Ok(row.map(|row| Client {
            id: Id::from_uuid(row.id),
            tenant: Id::from_uuid(row.tenant_id),
            name: row.name,
            demo: row.demo,
        }))
    }
}
