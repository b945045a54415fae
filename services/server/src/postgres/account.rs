//! Which account the server programs run as, and how they are launched.

use super::PostgresError;
use nix::unistd::{Uid, User};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Accounts to drop to, best first: Debian's `postgresql-common` makes the first, every system has the second.
const CHOICES: [&str; 2] = ["postgres", "nobody"];

/// The account of the server programs: our own, or when we are root the one we drop to.
pub(super) struct Account {
    /// `None`: we are not root and stay who we are.
    drop_to: Option<Identity>,
}

struct Identity {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Ourselves, unless we are root: then the owner of existing `data`, else `postgres`, else `nobody`.
    pub(super) fn choose(data: &Path) -> Result<Self, PostgresError> {
        if !Uid::effective().is_root() {
            return Ok(Self { drop_to: None });
        }
        let owner = std::fs::metadata(data)
            .ok()
            .map(|found| Uid::from_raw(found.uid()))
            .filter(|uid| !uid.is_root());
        let user = owner
            .and_then(|uid| User::from_uid(uid).ok().flatten())
            .or_else(|| {
                CHOICES
                    .iter()
                    .find_map(|name| User::from_name(name).ok().flatten())
            })
            .filter(|user| !user.uid.is_root())
            .ok_or(PostgresError::NoAccount)?;
        let drop_to = Identity {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        };
        Ok(Self {
            drop_to: Some(drop_to),
        })
    }

    /// A command that runs as this account, from `/`, without our environment (which holds our secrets and may hold
    /// `PG*` variables that would redirect it), without our terminal, and in a process group of its own, so that Ctrl-C
    /// reaches us first and we decide what stops when.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if let Some(identity) = &self.drop_to {
            // std also clears root's supplementary groups when it changes the uid.
            command.gid(identity.gid).uid(identity.uid);
        }
        command
    }

    /// Makes the account the owner of a file or folder that we made.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        self.drop_to.as_ref().map_or(Ok(()), |identity| {
            std::os::unix::fs::lchown(path, Some(identity.uid), Some(identity.gid))
                .map_err(PostgresError::file("give the database account", path))
        })
    }

    /// The same for an open file.
    pub(super) fn own_file(&self, file: &File) -> io::Result<()> {
        self.drop_to.as_ref().map_or(Ok(()), |identity| {
            std::os::unix::fs::fchown(file, Some(identity.uid), Some(identity.gid))
        })
    }

    /// Tries, as the account, to enter `folder` (which exists).
    pub(super) fn ensure_enters(&self, folder: &Path) -> Result<(), PostgresError> {
        let Some(identity) = &self.drop_to else {
            return Ok(());
        };
        let shell = Path::new("/bin/sh");
        let entered = self
            .command(shell)
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(folder)
            .status()
            .map_err(|source| PostgresError::Run {
                program: shell.to_owned(),
                source,
            })?;
        if entered.success() {
            return Ok(());
        }
        let barrier = identity.barrier(folder).unwrap_or_else(|| folder.to_owned());
        Err(PostgresError::Unreachable {
            account: identity.name.clone(),
            barrier,
        })
    }
}

impl Identity {
    /// The topmost folder on the way to `folder` whose mode bits do not let this account through. Only names the
    /// culprit; the attempt itself decided.
    fn barrier(&self, folder: &Path) -> Option<PathBuf> {
        let mut way: Vec<&Path> = folder.ancestors().collect();
        way.reverse();
        way.into_iter()
            .find(|step| std::fs::metadata(step).is_ok_and(|found| !self.passes(&found)))
            .map(Path::to_owned)
    }

    fn passes(&self, found: &std::fs::Metadata) -> bool {
        let search = if found.uid() == self.uid {
            0o100
        } else if found.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        found.mode() & search != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_run_as_the_account_and_without_our_environment() {
        let account = Account::choose(Path::new("/nonexistent")).expect("an account");
        let output = account
            .command(Path::new("/bin/sh"))
            .args(["-c", "id -u; id -G; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '"])
            .stdout(Stdio::piped())
            .output()
            .expect("a shell");
        let text = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        if let Some(identity) = &account.drop_to {
            assert_eq!(lines[0], identity.uid.to_string());
            assert_eq!(
                lines[1],
                identity.gid.to_string(),
                "no supplementary group of root is left"
            );
        } else {
            assert_eq!(lines[0], Uid::effective().to_string());
        }
        assert_eq!(lines[2], "/");
        assert!(!lines[3].contains("CARGO"), "{}", lines[3]);
    }
}
