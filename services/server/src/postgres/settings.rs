//! What we set in the server's configuration, and why.

use super::PostgresError;
use super::account::Account;
use super::connection::Endpoint;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Our file in the data folder; `postgresql.conf` includes it.
pub(super) const FILE: &str = "countersign.conf";

/// How much the data are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// As PostgreSQL comes: a commit is on disk.
    Full,
    /// For tests: nothing outlives the process, so nothing waits for a disk.
    None,
}

/// The settings file's text.
fn text(endpoint: &Endpoint, durability: Durability) -> String {
    let listen = match endpoint {
        // Only plain paths reach this (`is_plain`), so they need no quoting.
        Endpoint::Socket(folder) => {
            format!(
                "listen_addresses = ''\nunix_socket_directories = '{}'\n",
                folder.display()
            )
        }
        Endpoint::Loopback(_) => "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n".to_owned(),
    };
    let durability = match durability {
        Durability::Full => "",
        // https://www.postgresql.org/docs/current/non-durability.html
        Durability::None => {
            "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n\
             max_connections = 200\n"
        }
    };
    format!(
        "# Written by countersign at every start; your changes would be lost.\n\
         {listen}\
         port = {port}\n\
         unix_socket_permissions = 0700\n\
         password_encryption = 'scram-sha-256'\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         # Patients are in the statements' values. LOG and FATAL lines are about the server; ERROR lines can quote a value,\n\
         # and DETAIL lines (gone with terse) quote rows.\n\
         log_min_messages = 'log'\n\
         log_error_verbosity = 'terse'\n\
         log_min_error_statement = 'panic'\n\
         log_statement = 'none'\n\
         log_min_duration_statement = -1\n\
         {durability}",
        port = endpoint.port(),
    )
}

/// Writes our file into `data`, readable for the account.
pub(super) fn write(
    data: &Path,
    endpoint: &Endpoint,
    durability: Durability,
    account: &Account,
) -> Result<(), PostgresError> {
    let path = data.join(FILE);
    // A new file each time, and handed over by its handle: `data` belongs to the account, and root follows no link there.
    let mut fresh = tempfile::Builder::new()
        .prefix(".countersign-")
        .tempfile_in(data)
        .map_err(PostgresError::file("write in", data))?;
    fresh
        .write_all(text(endpoint, durability).as_bytes())
        .and_then(|()| account.own_file(fresh.as_file()))
        .map_err(PostgresError::file("write", &path))?;
    fresh
        .persist(&path)
        .map_err(|error| PostgresError::file("write", &path)(error.error))?;
    Ok(())
}

/// Whether a path can stand in a settings list without quoting.
pub(super) fn is_plain(path: &Path) -> bool {
    path.as_os_str()
        .as_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_give_up_durability() {
        let endpoint = Endpoint::Socket("/srv/run".into());
        let full = text(&endpoint, Durability::Full);
        assert!(!full.contains("fsync"));
        assert!(
            full.contains("unix_socket_directories = '/srv/run'\nport = 5432\n"),
            "{full}"
        );
        assert!(text(&endpoint, Durability::None).contains("fsync = off\n"));
    }

    #[test]
    fn loopback_means_no_other_address() {
        let text = text(&Endpoint::Loopback(6000), Durability::Full);
        assert!(
            text.contains("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = 6000\n"),
            "{text}"
        );
    }

    #[test]
    fn odd_paths_are_not_plain() {
        assert!(is_plain(Path::new("/var/lib/countersign-2/run")));
        for odd in ["/a b", "/a,b", "/a'b", "/ä"] {
            assert!(!is_plain(Path::new(odd)), "{odd}");
        }
    }
}
