//! The store, and the one way to write: a transaction in which every change brings its audit entry.

use std::{str::FromStr, sync::Arc, time::Duration};

use records::{Id, Recorded, at_rest, kind};
use seal::{MacKey, Place, Signer, Vault, VerifyingKey};
use sqlx::{
    PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Door, Result, StoreError};

/// The keys that the store works with.
pub struct Keys {
    /// Seals fields.
    pub vault: Vault,
    /// Finds rows by identifiers that are not stored.
    pub index: MacKey,
    /// Signs checkpoints of the audit log.
    pub log: Signer,
    /// Verifies physicians' signatures.
    pub reports: VerifyingKey,
}

/// How the pool behaves.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Connections at most.
    pub connections: u32,
    /// How long a caller waits for one.
    pub patience: Duration,
    /// How long one statement may take.
    pub statement: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            connections: 16,
            patience: Duration::from_secs(3),
            statement: Duration::from_secs(30),
        }
    }
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: PgPool,
    pub(crate) keys: Arc<Keys>,
}

/// A transaction at one door. Dropped without [`Tx::finish`], it did not happen.
pub struct Tx {
    pub(crate) sql: Transaction<'static, Postgres>,
    pub(crate) keys: Arc<Keys>,
}

/// A state that knows how to write its row. Only states of `records` are written, and only by [`Tx::commit`].
pub trait Row {
    /// Writes the row within the transaction.
    fn write(&self, tx: &mut Tx, event: Id<kind::Event>) -> impl Future<Output = Result<()>> + Send;
}

impl Store {
    /// A pool for `url`. Connects when first asked, so that a database which is away shows as such, and not at start.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn new(url: &str, limits: PoolLimits, keys: Keys) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::BadUrl)?
            .application_name("countersign")
            .options([("statement_timeout", format!("{}ms", limits.statement.as_millis()))]);
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections)
            .acquire_timeout(limits.patience)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            keys: Arc::new(keys),
        })
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Migration`].
    pub async fn migrate(&self) -> Result<()> {
        migrate(&self.pool).await
    }

    /// Whether the database answers and its schema is the one that this program was built with.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub async fn ready(&self) -> Result<bool> {
        let newest = MIGRATIONS
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0);
        let applied =
            sqlx::query_scalar::<_, Option<i64>>("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.pool)
                .await;
        match applied {
            Ok(version) => Ok(version == Some(newest)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a transaction at `door`.
    ///
    /// # Errors
    /// [`StoreError`] when the database is away.
    pub async fn begin(&self, door: Door) -> Result<Tx> {
        let mut sql = self.pool.begin().await?;
        sqlx::query!("SELECT set_config('countersign.door', $1, true)", door.as_str())
            .fetch_one(&mut *sql)
            .await?;
        Ok(Tx {
            sql,
            keys: Arc::clone(&self.keys),
        })
    }

    /// Ends every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

async fn migrate(pool: &PgPool) -> Result<()> {
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) => StoreError::from(error),
        other => StoreError::Migration(other),
    })
}

/// Brings the schema at `url` up to date, for a database that nobody uses yet.
///
/// # Errors
/// [`StoreError`].
pub async fn migrate_url(url: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let done = migrate(&pool).await;
    pool.close().await;
    done
}

impl Tx {
    /// Writes the event, then the state's row, and opens the state.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the transaction may be kept then.
    pub async fn commit<T: Row>(&mut self, recorded: Recorded<T>) -> Result<T> {
        let receipt = self.append(recorded.event()).await?;
        let event = recorded.event().id();
        at_rest::peek(&recorded).write(self, event).await?;
        // The receipt was made for this very event two lines above.
        recorded.open(&receipt).map_err(|_| StoreError::Conflict)
    }

    /// Makes everything of this transaction last.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not.
    pub async fn finish(self) -> Result<()> {
        Ok(self.sql.commit().await?)
    }

    pub(crate) fn seal(
        &self,
        tenant: Id<kind::Tenant>,
        table: &'static str,
        column: &'static str,
        row: Uuid,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let place = Place {
            tenant: tenant.bytes(),
            table,
            row: row.into_bytes(),
            column,
        };
        self.keys
            .vault
            .seal(&place, plain)
            .map_err(|_| StoreError::Sealing)
    }

    pub(crate) fn open(
        &self,
        tenant: Id<kind::Tenant>,
        table: &'static str,
        column: &'static str,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let place = Place {
            tenant: tenant.bytes(),
            table,
            row: row.into_bytes(),
            column,
        };
        self.keys
            .vault
            .open(&place, sealed)
            .map_err(|_| StoreError::Sealed { table, column, row })
    }

    pub(crate) fn open_text(
        &self,
        tenant: Id<kind::Tenant>,
        table: &'static str,
        column: &'static str,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<String> {
        let bytes = self.open(tenant, table, column, row, sealed)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| StoreError::Corrupt { table, column, row })
    }

    /// Keyed digest of something that is looked up but not stored.
    pub(crate) fn blind(&self, tenant: Id<kind::Tenant>, purpose: &str, parts: &[&str]) -> Vec<u8> {
        let tenant = tenant.bytes();
        let mut all: Vec<&[u8]> = vec![&tenant, purpose.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        self.keys.index.digest(&all).as_bytes().to_vec()
    }
}
