//! People who sign in.

use std::io::{BufRead, IsTerminal};

use clap::{Args, Subcommand, ValueEnum};
use policy::Role;
use records::{
    Account, Clock, Event, EventKind, Fact, Id, PhiText, ServiceCode, Subject, SystemClock, SystemIds,
    Username,
};
use seal::password::{PasswordHash, hash_password};
use store::{Door, NewAccount};

use super::{
    Failure, block_on,
    database::{Opened, WhichArgs},
    say,
};

/// Manage the people who sign in.
#[derive(Args)]
pub struct UserArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account; the password is asked for, or read as one line from standard input
    Add {
        /// Name to sign in with
        username: String,
        /// Printed name, as on signatures
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What the person may do
        #[arg(long, required = true, value_delimiter = ',')]
        role: Vec<RoleArg>,
        /// Identifier by which reports name this person, as system|value
        #[arg(long, value_name = "SYSTEM|VALUE")]
        practitioner: Option<String>,
        /// Services whose reports a physician reads (HL7 v2 table 0074), as RAD
        #[arg(long, value_delimiter = ',', value_name = "CODE")]
        reads: Vec<String>,
    },
    /// List accounts
    List,
    /// Set a new password, and end the account's sessions
    Password {
        /// Name to sign in with
        username: String,
    },
    /// Close an account; what it signed stays
    Disable {
        /// Name to sign in with
        username: String,
    },
}

/// What a person may do.
#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Reads, claims, decides and signs.
    Physician,
    /// Reads the audit log.
    Auditor,
    /// Manages accounts; never sees a report.
    Administrator,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Physician => Self::Physician,
            RoleArg::Auditor => Self::Auditor,
            RoleArg::Administrator => Self::Administrator,
        }
    }
}

/// # Errors
/// [`Failure`].
pub fn run(args: UserArgs) -> Result<(), Failure> {
    let password = match &args.command {
        UserCommand::Add { .. } | UserCommand::Password { .. } => Some(ask_password()?),
        UserCommand::List | UserCommand::Disable { .. } => None,
    };
    block_on(async {
        let opened = args.which.open()?;
        match (args.command, password) {
            (
                UserCommand::Add {
                    username,
                    name,
                    role,
                    practitioner,
                    reads,
                },
                Some(password),
            ) => {
                let account = new_account(
                    &opened,
                    &username,
                    name,
                    role.into_iter().map(Role::from).collect(),
                )
                .await?;
                let reads = reads
                    .iter()
                    .map(|code| {
                        ServiceCode::parse(code).ok_or("a service code has 2 to 16 letters and digits")
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                add(&opened, account, password, practitioner.map(PhiText::new), &reads).await?;
                say(format_args!("Account {username} was made."));
            }
            (UserCommand::Password { username }, Some(password)) => {
                change(&opened, &username, Some(&password)).await?;
                say(format_args!(
                    "{username} has a new password; open sessions were ended."
                ));
            }
            (UserCommand::Disable { username }, _) => {
                change(&opened, &username, None).await?;
                say(format_args!("{username} is closed."));
            }
            (UserCommand::List, _) => list(&opened).await?,
            (UserCommand::Add { .. } | UserCommand::Password { .. }, None) => {
                return Err("no password was given".into());
            }
        }
        opened.store.close().await;
        Ok(())
    })
}

fn ask_password() -> Result<PasswordHash, Failure> {
    let password = if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("New password: ")?;
        if first != rpassword::prompt_password("Again: ")? {
            return Err("the two passwords differ".into());
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    // NIST SP 800-63B, section 5.1.1.2: at least 8 characters, no rules of composition; we ask for 12.
    if password.chars().count() < 12 {
        return Err("a password needs at least 12 characters".into());
    }
    Ok(hash_password(&password)?)
}

async fn new_account(
    opened: &Opened,
    username: &str,
    name: String,
    roles: Vec<Role>,
) -> Result<Account, Failure> {
    Ok(Account {
        id: Id::generate(&SystemClock, &SystemIds),
        tenant: opened.ensure_tenant().await?,
        username: Username::parse(username)?,
        display_name: name,
        roles,
        demo: false,
    })
}

/// Makes an account and puts it in the reading pools of `reads`.
///
/// # Errors
/// [`Failure`] when the name is taken or the store fails.
pub async fn add(
    opened: &Opened,
    account: Account,
    password: PasswordHash,
    practitioner: Option<PhiText>,
    reads: &[ServiceCode],
) -> Result<(), Failure> {
    let mut tx = opened.store.begin(Door::Admin).await?;
    let system = records::worker(account.tenant);
    let subject = Subject::account(account.id);
    let event = Event::observed(
        &system,
        EventKind::AccountCreated,
        subject,
        &SystemClock,
        &SystemIds,
    );
    let new = NewAccount {
        account,
        password,
        practitioner,
        created_at: SystemClock.now(),
    };
    tx.create_account(&new, &event).await?;
    for service in reads {
        let event = Event::observed(
            &system,
            EventKind::AccountChanged,
            subject,
            &SystemClock,
            &SystemIds,
        )
        .with("change", Fact::word("joined-pool"));
        tx.join_pool(
            Id::generate(&SystemClock, &SystemIds),
            service,
            new.account.id,
            &event,
        )
        .await?;
    }
    Ok(tx.finish().await?)
}

async fn change(opened: &Opened, username: &str, password: Option<&PasswordHash>) -> Result<(), Failure> {
    let tenant = opened.tenant().await?;
    let username = Username::parse(username)?;
    let mut tx = opened.store.begin(Door::Admin).await?;
    let known = tx
        .credentials(tenant, &username)
        .await?
        .ok_or("there is no account of that name")?;
    let word = if password.is_some() {
        "password"
    } else {
        "disabled"
    };
    let event = Event::observed(
        &records::worker(tenant),
        EventKind::AccountChanged,
        Subject::account(known.account.id),
        &SystemClock,
        &SystemIds,
    )
    .with("change", Fact::word(word));
    match password {
        Some(password) => tx.set_password(known.account.id, password, &event).await?,
        None => tx.disable_account(known.account.id, &event).await?,
    }
    Ok(tx.finish().await?)
}

async fn list(opened: &Opened) -> Result<(), Failure> {
    let tenant = opened.tenant().await?;
    let mut tx = opened.store.begin(Door::Admin).await?;
    for account in tx.accounts(tenant).await? {
        let roles: Vec<&str> = account.roles.iter().map(|role| role.as_str()).collect();
        let demo = if account.demo { "  (demo)" } else { "" };
        say(format_args!(
            "{:<20} {:<24} {}  {}{demo}",
            account.username.as_str(),
            roles.join(","),
            account.id,
            account.display_name
        ));
    }
    Ok(tx.finish().await?)
}
