//! Clears a temporary cluster away, whatever happens to us.

use super::PostgresError;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which the kernel closes when we exit, crash or are killed; then stops the cluster
/// at once and removes its folder. `$1` is the folder. SIGQUIT is PostgreSQL's immediate shutdown.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || pid=
case $pid in ''|*[!0-9]*) pid= ;; esac
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
    kill -QUIT "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
fi
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf -- "$1" 2>/dev/null
    [ -e "$1" ] || break
    sleep 0.5
done
"#;

/// A child that outlives us by a moment. Dropping it lets it do its work and waits for that.
pub(super) struct Watchdog {
    child: Child,
}

impl Watchdog {
    /// Guards `folder` (absolute, without links), which it will remove.
    pub(super) fn guard(folder: &Path) -> Result<Self, PostgresError> {
        let shell = Path::new("/bin/sh");
        let child = Command::new(shell)
            .args(["-c", SCRIPT, "countersign-watchdog"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| PostgresError::Run {
                program: shell.to_owned(),
                source,
            })?;
        Ok(Self { child })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // `wait` closes its stdin first, and that is the signal.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_when_the_guard_does() {
        let folder = tempfile::tempdir().expect("temporary folder").keep();
        std::fs::create_dir_all(folder.join("data/base")).expect("folder");
        let watchdog = Watchdog::guard(&folder).expect("a shell");
        assert!(folder.exists());
        drop(watchdog);
        assert!(!folder.exists());
    }
}
