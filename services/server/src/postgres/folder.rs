//! The cluster's folder: its parts, their owners, and the lock on it.

use super::account::Account;
use super::connection::Endpoint;
use super::{PostgresError, settings};
use nix::unistd::Uid;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest path of a unix socket on Linux, without the closing NUL (`sun_path` of `unix(7)` has 108 bytes).
const LONGEST_SOCKET_PATH: usize = 107;

/// How long a lock may outlive its holder: a child that another thread is launching shares it until its `exec`.
const LOCK_FREED_WITHIN: Duration = Duration::from_millis(300);

/// Where `countersign up` keeps its data by default: `/var/lib/countersign` as root, else `countersign` in the XDG data
/// folder (XDG Base Directory Specification: `$XDG_DATA_HOME` if absolute, else `~/.local/share`).
///
/// Give the cluster a folder of its own below it, such as `postgres/`: as root its parts belong to another account.
///
/// # Errors
/// [`PostgresError::NoDefaultFolder`] when neither argument helps.
pub fn default_folder(xdg_data_home: Option<&Path>, home: Option<&Path>) -> Result<PathBuf, PostgresError> {
    if Uid::effective().is_root() {
        return Ok(PathBuf::from("/var/lib/countersign"));
    }
    user_folder(xdg_data_home, home).ok_or(PostgresError::NoDefaultFolder)
}

fn user_folder(xdg_data_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    xdg_data_home
        .filter(|folder| folder.is_absolute())
        .map(Path::to_owned)
        .or_else(|| {
            home.filter(|folder| folder.is_absolute())
                .map(|home| home.join(".local/share"))
        })
        .map(|data| data.join("countersign"))
}

/// Makes a folder and its missing parents, and returns its absolute name without links.
///
/// New ones are 0700; as root 0711, because the database's account has to pass through them (it cannot list them).
///
/// # Errors
/// [`PostgresError::File`] when the file system refuses.
pub fn create_folder(folder: &Path) -> Result<PathBuf, PostgresError> {
    let folder = std::path::absolute(folder).map_err(PostgresError::file("resolve", folder))?;
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    let missing: Vec<&Path> = folder.ancestors().take_while(|step| !step.exists()).collect();
    for step in missing.into_iter().rev() {
        match DirBuilder::new().mode(mode).create(step) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(PostgresError::file("create the folder", step)(error)),
            // Again, whatever the umask took away.
            Ok(()) => std::fs::set_permissions(step, Permissions::from_mode(mode))
                .map_err(PostgresError::file("set the mode of", step))?,
        }
    }
    std::fs::canonicalize(&folder).map_err(PostgresError::file("open", &folder))
}

/// The names below a cluster's folder.
pub(super) struct Folder {
    home: PathBuf,
}

impl Folder {
    /// Makes the folder. Its name must survive `pg_ctl`, which puts paths between double quotes in a shell line.
    pub(super) fn create(home: &Path) -> Result<Self, PostgresError> {
        let home = create_folder(home)?;
        if home
            .as_os_str()
            .as_bytes()
            .iter()
            .any(|byte| b"\"$`\\\n\r".contains(byte))
        {
            return Err(PostgresError::Name { folder: home });
        }
        Ok(Self { home })
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.home.join("run")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.log().join("postgresql.log")
    }

    pub(super) fn role_password(&self) -> PathBuf {
        self.home.join("role.password")
    }

    pub(super) fn superuser_password(&self) -> PathBuf {
        self.home.join("superuser.password")
    }

    /// Takes the lock, for as long as the returned file lives (also past a `kill -9`: the kernel frees it).
    pub(super) fn lock(&self) -> Result<File, PostgresError> {
        let path = self.home.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(PostgresError::file("open", &path))?;
        let end = Instant::now() + LOCK_FREED_WITHIN;
        let outcome = loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(PostgresError::InUse {
                    folder: self.home.clone(),
                    holder,
                });
            }
            Err(TryLockError::Error(error)) => return Err(PostgresError::file("lock", &path)(error)),
        }
        // The number is only for the message above.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(PostgresError::file("write", &path))?;
        Ok(file)
    }

    /// Makes the parts that belong to the account, and has the account try the way there.
    pub(super) fn hand_over(&self, account: &Account) -> Result<(), PostgresError> {
        for part in [self.run(), self.log()] {
            match DirBuilder::new().mode(0o700).create(&part) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PostgresError::file("create the folder", &part)(error)),
                Ok(()) => account.own(&part)?,
            }
            account.ensure_enters(&part)?;
        }
        Ok(())
    }

    /// The major version that made the data; `None` when there are none.
    pub(super) fn data_major(&self) -> Result<Option<u32>, PostgresError> {
        let path = self.data().join("PG_VERSION");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let not_a_number = || std::io::Error::new(ErrorKind::InvalidData, "not a version");
                text.trim()
                    .parse()
                    .map(Some)
                    .map_err(|_| PostgresError::file("understand", &path)(not_a_number()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PostgresError::file("read", &path)(error)),
        }
    }

    /// How to listen: on a socket here, unless its path is too long or would need quoting in the settings.
    pub(super) fn endpoint(&self) -> Result<Endpoint, PostgresError> {
        let run = self.run();
        let longest = run.join(format!(".s.PGSQL.{}", Endpoint::SOCKET_PORT));
        if longest.as_os_str().len() <= LONGEST_SOCKET_PATH && settings::is_plain(&run) {
            return Ok(Endpoint::Socket(run));
        }
        free_port()
            .map(Endpoint::Loopback)
            .map_err(PostgresError::file("find a free port for", &self.home))
    }
}

/// A TCP port on 127.0.0.1 that was free a moment ago.
pub(super) fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()
        .map(|address| address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_folder_follows_xdg() {
        let (xdg, home) = (Path::new("/x/data"), Path::new("/home/ada"));
        assert_eq!(
            user_folder(Some(xdg), Some(home)),
            Some(PathBuf::from("/x/data/countersign"))
        );
        let below_home = Some(PathBuf::from("/home/ada/.local/share/countersign"));
        assert_eq!(user_folder(None, Some(home)), below_home);
        assert_eq!(user_folder(Some(Path::new("relative")), Some(home)), below_home);
        assert_eq!(user_folder(None, None), None);
    }

    #[test]
    fn names_that_a_shell_would_expand_are_refused() {
        let root = tempfile::tempdir().expect("temporary folder");
        for name in ["a$b", "a`b", "a\"b", "a\\b", "a\nb"] {
            assert!(
                matches!(
                    Folder::create(&root.path().join(name)),
                    Err(PostgresError::Name { .. })
                ),
                "{name:?}"
            );
        }
        assert!(Folder::create(&root.path().join("plain name")).is_ok());
    }

    #[test]
    fn a_long_folder_listens_on_loopback_instead() {
        let root = tempfile::tempdir().expect("temporary folder");
        let short = Folder::create(&root.path().join("s")).expect("folder");
        assert!(matches!(short.endpoint(), Ok(Endpoint::Socket(_))));
        let long = Folder::create(&root.path().join("l".repeat(100))).expect("folder");
        assert!(matches!(long.endpoint(), Ok(Endpoint::Loopback(port)) if port > 0));
    }

    #[test]
    fn a_lock_is_exclusive_names_its_holder_and_ends_with_it() {
        let root = tempfile::tempdir().expect("temporary folder");
        let folder = Folder::create(root.path()).expect("folder");
        let held = folder.lock().expect("free");
        let refused = folder.lock().expect_err("held");
        assert!(
            matches!(refused, PostgresError::InUse { holder: Some(pid), .. } if pid == std::process::id())
        );
        drop(held);
        assert!(folder.lock().is_ok());
    }
}
