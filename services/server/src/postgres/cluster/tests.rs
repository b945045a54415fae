//! Against the PostgreSQL of this machine.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

impl Cluster {
    /// Runs a script as the service's role.
    fn as_role(&self, database: &str, script: &str) -> Result<String, PostgresError> {
        let Connection { user, password, .. } = &self.connection;
        Psql {
            user,
            password,
            database,
            ..self.psql()
        }
        .run("run a test's script", script)
    }

    fn postmaster(&self) -> i32 {
        Postmaster::find(&self.folder.data())
            .expect("a running postmaster")
            .pid
    }

    /// What a `kill -9` of this process would leave: a server, and no lock.
    fn abandon(mut self) {
        self.running = false;
    }
}

fn open(folder: &Path) -> Result<Cluster, PostgresError> {
    Cluster::open(
        folder,
        Options {
            bindir: None,
            progress: &mut |_| {},
        },
    )
}

/// The same without waiting for the disk, for what does not depend on it.
fn open_quickly(folder: &Path) -> Result<Cluster, PostgresError> {
    let options = Options {
        bindir: None,
        progress: &mut |_| {},
    };
    Cluster::open_with(Folder::create(folder)?, options, Durability::None, None)
}

/// A folder for a cluster, with parents that the database's account can pass through.
fn reachable() -> tempfile::TempDir {
    let folder = tempfile::Builder::new()
        .prefix("countersign-test-")
        .tempdir_in("/tmp")
        .expect("temporary folder");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o711)).expect("mode");
    folder
}

#[test]
fn an_ephemeral_cluster_works_and_leaves_nothing() {
    let cluster = Cluster::ephemeral(None).expect("a cluster");
    let own = cluster.create_database("one_test").expect("a database");
    assert_eq!((own.database(), own.user()), ("one_test", NAME));
    let rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user;";
    assert_eq!(cluster.as_role("one_test", rights).expect("a row"), "f|f|t\n");
    cluster
        .as_role("one_test", "CREATE TABLE note (id int); CREATE DATABASE another;")
        .expect("rights");

    let taken = cluster
        .create_database("one_test")
        .expect_err("taken")
        .to_string();
    assert!(taken.contains("42P04"), "{taken}");
    for name in ["", "A", "1a", "a\"b", "a-b", &"x".repeat(64)] {
        assert!(
            matches!(
                cluster.create_database(name),
                Err(PostgresError::DatabaseName { .. })
            ),
            "{name}"
        );
    }

    let home = cluster.folder.home().to_owned();
    cluster.stop().expect("stopped");
    assert!(!home.exists());
}

#[test]
fn a_failed_statement_leaves_no_trace_in_error_or_log() {
    let cluster = Cluster::ephemeral(None).expect("a cluster");
    let script = "CREATE TABLE t (v int PRIMARY KEY, w text UNIQUE); INSERT INTO t VALUES (1, 'canary-1');\n\
                  INSERT INTO t VALUES (2, 'canary-1');";
    let unique = cluster.as_role(NAME, script).expect_err("twice").to_string();
    let syntax = cluster
        .as_role(NAME, "SELECT 'canary-2'::int;")
        .expect_err("no number")
        .to_string();
    assert!(
        unique.contains("23505") && syntax.contains("22P02"),
        "{unique} {syntax}"
    );
    let log = std::fs::read_to_string(cluster.folder.log_file()).expect("a log");
    assert!(!format!("{unique}{syntax}{log}").contains("canary"));
    assert!(
        log.contains("ready to accept connections"),
        "the log is the one that matters"
    );
}

#[test]
fn data_outlive_a_stop_a_killed_server_and_a_killed_owner() {
    let folder = reachable();
    let home = folder.path().join("not yet/there");
    let count = "SELECT count(*) FROM note;";

    let cluster = open(&home).expect("made");
    assert!(
        cluster
            .as_role("template1", "CREATE DATABASE forbidden;")
            .is_err(),
        "no CREATEDB outside tests"
    );
    cluster
        .as_role(NAME, "CREATE TABLE note (id int); INSERT INTO note VALUES (1);")
        .expect("a table");
    let second = open(&home)
        .err()
        .expect("refused while the first holds it")
        .to_string();
    assert!(second.contains("in use by another countersign") && second.contains(&home.display().to_string()));
    cluster.stop().expect("stopped");

    let cluster = open(&home).expect("found again");
    assert_eq!(cluster.as_role(NAME, count).expect("rows"), "1\n");
    kill(Pid::from_raw(cluster.postmaster()), Signal::SIGKILL).expect("killed");
    drop(cluster);

    // The number in the stale lock file is, by now, a living process's: ours.
    let lock = home.join("data/postmaster.pid");
    let stale = std::fs::read_to_string(&lock).expect("a lock file was left");
    let (_, rest) = stale.split_once('\n').expect("lines");
    std::fs::write(&lock, format!("{}\n{rest}", std::process::id())).expect("written");
    let cluster = open(&home).expect("recovered");
    assert_eq!(cluster.as_role(NAME, count).expect("rows"), "1\n");

    let pid = cluster.postmaster();
    cluster.abandon();
    let mut lines = Vec::new();
    let options = Options {
        bindir: None,
        progress: &mut |line| lines.push(line.to_owned()),
    };
    let cluster = Cluster::open(&home, options).expect("taken over");
    assert_eq!(cluster.postmaster(), pid);
    assert!(
        lines.iter().any(|line| line.contains("taking it over")),
        "{lines:?}"
    );
    assert_eq!(cluster.as_role(NAME, count).expect("rows"), "1\n");
    cluster.stop().expect("stopped");
    assert_eq!(postmaster::processes_in(&home.join("data")), Vec::<i32>::new());
}

#[test]
fn a_lost_role_password_is_replaced_and_a_lost_superusers_is_named() {
    let folder = reachable();
    drop(open_quickly(folder.path()).expect("made"));
    std::fs::remove_file(folder.path().join("role.password")).expect("removed");
    let cluster = open_quickly(folder.path()).expect("replaced");
    assert_eq!(
        cluster.as_role(NAME, "SELECT 1;").expect("the new one works"),
        "1\n"
    );
    drop(cluster);
    std::fs::remove_file(folder.path().join("superuser.password")).expect("removed");
    assert!(matches!(
        open_quickly(folder.path()),
        Err(PostgresError::SecretLost { .. })
    ));
}

#[test]
fn a_long_folder_is_served_over_loopback_and_found_by_others() {
    let folder = reachable();
    let home = folder.path().join("long".repeat(25));
    assert!(Connection::of_running(&home).expect("nothing there").is_none());
    let cluster = open_quickly(&home).expect("made");
    assert_eq!(cluster.connection().host(), Path::new("127.0.0.1"));
    assert_eq!(cluster.as_role(NAME, "SELECT 1;").expect("a row"), "1\n");
    let found = Connection::of_running(&home).expect("readable").expect("running");
    assert_eq!(found.url(), cluster.connection().url());
    cluster.stop().expect("stopped");
    assert!(Connection::of_running(&home).expect("readable").is_none());
}

#[test]
fn a_private_parent_is_named_or_no_obstacle() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("mode");
    let outcome = open(&folder.path().join("postgres"));
    if Uid::effective().is_root() {
        let error = outcome.err().expect("the account cannot pass").to_string();
        assert!(
            error.contains(&format!("chmod a+x {}", folder.path().display())),
            "{error}"
        );
    } else {
        outcome.expect("our own").stop().expect("stopped");
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = reachable();
    drop(open_quickly(folder.path()).expect("made"));
    let main = folder.path().join("data/postgresql.conf");
    let broken = std::fs::read_to_string(&main).expect("settings") + "\nshared_buffers = 'a lot'\n";
    std::fs::write(&main, broken).expect("written");
    let error = open_quickly(folder.path()).err().expect("refused").to_string();
    assert!(
        error.contains("shared_buffers") && error.contains("postgresql.log"),
        "{error}"
    );
}
