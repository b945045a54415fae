//! The subcommands: one file a noun.

pub mod audit;
pub mod bench;
pub mod client;
pub mod data;
pub mod database;
pub mod deid;
pub mod demo;
pub mod dev;
pub mod explain;
mod figures;
pub mod keys;
pub mod migrate;
pub mod model;
pub mod prove;
pub mod serve;
pub mod submit;
pub mod up;
pub mod user;
pub mod work;

use clap::{Parser, Subcommand};

use crate::config::LogArgs;

/// Countersign reads clinical reports, suggests what is in them, and lets nothing leave before a physician has signed.
#[derive(Parser)]
#[command(name = "countersign", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    /// Logging.
    pub log: LogArgs,
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Try it out: start everything on this machine, with a database, demo accounts and demo cases
    Up(crate::config::UpArgs),
    /// Serve the portal and the API, with an existing database
    Serve(serve::ServeArgs),
    /// Run background workers only, with an existing database
    Work(work::WorkArgs),
    /// Bring the database's schema up to date
    Migrate(migrate::MigrateArgs),
    /// Manage the people who sign in
    User(user::UserArgs),
    /// Manage the systems that call the API
    Client(client::ClientArgs),
    /// Make this installation's keys
    Keys(keys::KeysCommandArgs),
    /// Send reports from a CSV file through the API, as an EHR would
    Submit(submit::SubmitArgs),
    /// Take patients out of documents, and measure what is missed
    Deid(deid::DeidArgs),
    /// Look after labelled reports before a model learns from them
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Train, evaluate and inspect models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Explain what the model says of reports, and measure the explanations
    Explain(explain::ExplainArgs),
    /// Verify and list the audit log
    Audit(audit::AuditArgs),
    /// Run a proof campaign and write its report
    Prove(prove::ProveArgs),
    /// Open psql on the database of `up`
    Psql(database::PsqlArgs),
    /// For developers of this program
    #[command(hide = true)]
    Dev(dev::DevArgs),
}

/// Any failure of a subcommand, with its chain: what happened, where, what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does what the command line says.
///
/// # Errors
/// [`Failure`], for `main` to print.
pub fn run(cli: Cli) -> Result<std::process::ExitCode, Failure> {
    use std::process::ExitCode;
    crate::telemetry::start(&cli.log)?;
    match cli.command {
        Command::Up(args) => up::run(&args)?,
        Command::Serve(args) => serve::run(args)?,
        Command::Work(args) => work::run(args)?,
        Command::Migrate(args) => migrate::run(&args)?,
        Command::User(args) => user::run(args)?,
        Command::Client(args) => client::run(args)?,
        Command::Keys(args) => keys::run(&args)?,
        Command::Submit(args) => return submit::run(&args),
        Command::Deid(args) => return deid::run(args),
        Command::Data(command) => data::run(command)?,
        Command::Model(command) => model::run(command)?,
        Command::Bench(command) => bench::run(&command)?,
        Command::Explain(args) => return explain::run(&args),
        Command::Audit(args) => return audit::run(args),
        Command::Prove(args) => return prove::run(&args),
        Command::Psql(args) => return database::psql(&args),
        Command::Dev(args) => return dev::run(args),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs async work to its end on this thread.
///
/// # Errors
/// Those of the work.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    actix_web::rt::System::new().block_on(work)
}

/// A line for people on standard output.
pub fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    // Whoever reads may have seen enough (`| head`): that is no failure of ours.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
