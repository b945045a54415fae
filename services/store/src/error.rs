//! Why the store could not do it. No variant holds a value of a row.

use records::TransitionError;
use uuid::Uuid;

/// What went wrong below the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or is starting or stopping: try again.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Two writers met; nothing was written. Try again.
    #[error("another writer was faster; nothing was changed")]
    Conflict,
    /// The database refused for another reason.
    #[error("the database refused ({code})")]
    Database {
        /// SQLSTATE (PostgreSQL, appendix A), or a word where there is none.
        code: String,
        /// What the driver said, for the log.
        #[source]
        source: sqlx::Error,
    },
    /// A row does not fit its type.
    #[error("{table}.{column} of {row} does not fit its type")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row.
        row: Uuid,
    },
    /// A sealed value did not open: another key, or another place.
    #[error("{table}.{column} of {row} does not open with this installation's keys")]
    Sealed {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row.
        row: Uuid,
    },
    /// A value could not be sealed.
    #[error("a value could not be sealed")]
    Sealing,
    /// The move itself was refused.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The schema is older than this program: run `countersign migrate`.
    #[error("the schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The name is taken.
    #[error("that name is taken")]
    Taken,
    /// The address of the database does not parse.
    #[error("DATABASE_URL is not a PostgreSQL address such as postgres://user@host/database")]
    BadUrl,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let code = match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                return Self::Unavailable(error);
            }
            E::Database(database) => database
                .code()
                .map(std::borrow::Cow::into_owned)
                .unwrap_or_default(),
            _ => "driver".to_owned(),
        };
        match code.get(..2) {
            // 08 connection exception, 57 operator intervention (shutdown, cannot connect now), 53 insufficient resources,
            // 58 system error; and what a server says that is there but does not let us in: 28 authorization, 3D no such
            // database. For a caller all of these pass, once an operator has looked.
            Some("08" | "57" | "53" | "58" | "28" | "3D") => Self::Unavailable(error),
            // The database exists and is closed to connections.
            _ if code == "55000" => Self::Unavailable(error),
            // 40 serialization failure and deadlock; 23505 unique violation; 55P03 lock not available.
            Some("40") => Self::Conflict,
            _ if code == "23505" || code == "55P03" => Self::Conflict,
            _ => Self::Database { code, source: error },
        }
    }
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, StoreError>;
