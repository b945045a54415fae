//! Where a database is and how to log in.

use super::secret::Secret;
use std::fmt;
use std::path::{Path, PathBuf};

/// How the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A unix socket in this folder; the port is only part of its name.
    Socket(PathBuf),
    /// TCP on 127.0.0.1, where the socket's path would be too long.
    Loopback(u16),
}

impl Endpoint {
    /// The port in a socket's file name; nobody else uses our folder, so it never has to change.
    pub(super) const SOCKET_PORT: u16 = 5432;

    /// Host as libpq wants it: a folder or an address.
    pub(super) fn host(&self) -> &Path {
        match self {
            Self::Socket(folder) => folder,
            Self::Loopback(_) => Path::new("127.0.0.1"),
        }
    }

    /// Port, for both kinds.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Socket(_) => Self::SOCKET_PORT,
            Self::Loopback(port) => *port,
        }
    }
}

/// The facts a client needs. `Debug` leaves the password out; there is no `Display`.
#[derive(Clone)]
pub struct Connection {
    pub(super) endpoint: Endpoint,
    pub(super) user: &'static str,
    pub(super) password: Secret,
    pub(super) database: String,
}

impl Connection {
    /// The folder of the unix socket, or `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> &Path {
        self.endpoint.host()
    }

    /// The TCP port, or the number in the socket's file name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.endpoint.port()
    }

    /// The role to log in as; never a superuser.
    #[must_use]
    pub fn user(&self) -> &str {
        self.user
    }

    /// The role's password. Never print, log or pass it on a command line.
    #[must_use]
    pub fn password(&self) -> &str {
        self.password.expose()
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// A `postgres://` URL as libpq and sqlx read it.
    ///
    /// **It contains the password**: hand it to a client or to a child's environment, never to a log, an error or a page.
    ///
    /// A unix socket is written as `?host=%2F…`, with `localhost` in the authority, which every URL parser accepts.
    #[must_use]
    pub fn url(&self) -> String {
        let (user, password, database) = (self.user, self.password.expose(), &self.database);
        match &self.endpoint {
            Endpoint::Loopback(port) => format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}"),
            Endpoint::Socket(folder) => {
                let host = percent_encoded(folder.as_os_str().as_encoded_bytes());
                let port = Endpoint::SOCKET_PORT;
                format!("postgres://{user}:{password}@localhost:{port}/{database}?host={host}")
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// RFC 3986 percent-encoding of all but the unreserved characters (section 2.3).
fn percent_encoded(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, &byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Infallible: writing to a `String` has no error.
                let _ = write!(text, "%{byte:02X}");
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(endpoint: Endpoint) -> Connection {
        let password = Secret::random().expect("randomness");
        Connection {
            endpoint,
            user: "countersign",
            password,
            database: "notes".to_owned(),
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let connection = connection(Endpoint::Loopback(5999));
        let shown = format!("{connection:?}");
        assert!(shown.contains("notes"), "{shown}");
        assert!(!shown.contains(connection.password()));
    }

    #[test]
    fn a_socket_folder_is_percent_encoded() {
        let connection = connection(Endpoint::Socket(PathBuf::from("/var/lib/a b+c/run")));
        let url = connection.url();
        assert!(
            url.ends_with("@localhost:5432/notes?host=%2Fvar%2Flib%2Fa%20b%2Bc%2Frun"),
            "unexpected tail"
        );
        assert!(url.starts_with(&format!("postgres://countersign:{}@", connection.password())));
    }
}
