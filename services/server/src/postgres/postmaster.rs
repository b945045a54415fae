//! Which processes belong to a data folder, and whether its postmaster lives.
//!
//! `pg_ctl status` and `postmaster.pid` tell what was: after a `kill -9` or a restart of a container the number in the
//! file may be free or another process's. Every process of a cluster has its data folder as working directory, and
//! the kernel shows it.

use super::PostgresError;
use super::connection::Endpoint;
use super::folder::Folder;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the orphans of a killed postmaster may take to notice (they poll a pipe, so it is usually at once).
const ORPHANS_LEAVE_WITHIN: Duration = Duration::from_secs(30);

/// A postmaster that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: i32,
    /// Where it listens, as it wrote down itself; `None` while it starts.
    pub(super) endpoint: Option<Endpoint>,
}

impl Postmaster {
    /// The postmaster of `data`, if one runs.
    pub(super) fn find(data: &Path) -> Option<Self> {
        let recorded = Self::parse(&std::fs::read_to_string(data.join("postmaster.pid")).ok()?)?;
        processes_in(data).contains(&recorded.pid).then_some(recorded)
    }

    /// Reads `postmaster.pid`: number, data folder, start time, port, socket folder, listen address, … (one a line;
    /// `LOCK_FILE_LINE_…` in its `miscadmin.h`).
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid: &i32| *pid > 0)?;
        let line = |index: usize| lines.get(index).copied().filter(|line| !line.is_empty());
        let port: Option<u16> = line(3).and_then(|port| port.parse().ok());
        let endpoint = match (line(4), line(5), port) {
            (Some(folder), _, Some(Endpoint::SOCKET_PORT)) => Some(Endpoint::Socket(folder.into())),
            (None, Some(_), Some(port)) => Some(Endpoint::Loopback(port)),
            _ => None,
        };
        Some(Self { pid, endpoint })
    }
}

/// Processes whose working directory is `data` (absolute, without links).
pub(super) fn processes_in(data: &Path) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .collect()
}

/// Waits until no process is left in `data`, for at most `limit`; returns whether that came true.
pub(super) fn wait_until_gone(data: &Path, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while !processes_in(data).is_empty() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Clears what a killed postmaster left. Call it with the folder's lock held and no postmaster running.
///
/// The lock files must go: PostgreSQL refuses to start when the number in one of them is, by now, any other process's.
pub(super) fn clear_leftovers(folder: &Folder) -> Result<(), PostgresError> {
    let data = folder.data();
    if !wait_until_gone(&data, ORPHANS_LEAVE_WITHIN) {
        return Err(PostgresError::Stop {
            folder: data,
            seconds: ORPHANS_LEAVE_WITHIN.as_secs(),
        });
    }
    let socket = folder.run().join(format!(".s.PGSQL.{}", Endpoint::SOCKET_PORT));
    for stale in [
        data.join("postmaster.pid"),
        socket.with_extension("5432.lock"),
        socket,
    ] {
        match std::fs::remove_file(&stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PostgresError::file("remove", &stale)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_read() {
        let socket = "4711\n/srv/data\n1700000000\n5432\n/srv/run\n\n  1234 5678\nready   \n";
        let found = Postmaster::parse(socket).expect("a postmaster");
        assert_eq!(
            found,
            Postmaster {
                pid: 4711,
                endpoint: Some(Endpoint::Socket("/srv/run".into()))
            }
        );

        let loopback = "4711\n/srv/data\n1700000000\n6001\n\n127.0.0.1\n";
        assert_eq!(
            Postmaster::parse(loopback).and_then(|found| found.endpoint),
            Some(Endpoint::Loopback(6001))
        );

        let starting = "4711\n/srv/data\n1700000000\n";
        assert_eq!(
            Postmaster::parse(starting),
            Some(Postmaster {
                pid: 4711,
                endpoint: None
            })
        );
        // A negative number is a stand-alone backend's.
        for other in ["", "\n", "-12\n/srv/data\n", "x\n"] {
            assert_eq!(Postmaster::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_recorded_number_that_is_another_process_is_no_postmaster() {
        let data = tempfile::tempdir().expect("temporary folder");
        std::fs::write(
            data.path().join("postmaster.pid"),
            format!("{}\n", std::process::id()),
        )
        .expect("file");
        assert_eq!(Postmaster::find(data.path()), None);
    }
}
