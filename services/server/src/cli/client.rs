//! Systems that call the API.

use clap::{Args, Subcommand};
use records::{Client, Event, EventKind, Id, Subject, SystemClock, SystemIds};
use seal::{Token, password::hash_password};
use store::Door;

use super::{Failure, block_on, database::WhichArgs, say};

/// Manage the systems that call the API.
#[derive(Args)]
pub struct ClientArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(subcommand)]
    command: ClientCommand,
}

#[derive(Subcommand)]
enum ClientCommand {
    /// Register a system; prints its id and secret once
    Add {
        /// What the hospital calls it, as EHR
        name: String,
    },
}

/// # Errors
/// [`Failure`].
pub fn run(args: ClientArgs) -> Result<(), Failure> {
    let ClientCommand::Add { name } = args.command;
    block_on(async {
        let opened = args.which.open()?;
        let client = Client {
            id: Id::generate(&SystemClock, &SystemIds),
            tenant: opened.ensure_tenant().await?,
            name,
            demo: false,
        };
        let secret = Token::generate()?;
        let hash = hash_password(secret.reveal())?;
        let event = Event::observed(
            &records::worker(client.tenant),
            EventKind::ClientCreated,
            Subject::client(client.id),
            &SystemClock,
            &SystemIds,
        );
        let mut tx = opened.store.begin(Door::Admin).await?;
        tx.create_client(&client, &hash, &event).await?;
        tx.finish().await?;
        opened.store.close().await;
        say(format_args!("client_id      {}", client.id));
        say(format_args!("client_secret  {}", secret.reveal()));
        say("The secret is shown this once. POST both to /oauth/token for an access token of 15 minutes.");
        Ok(())
    })
}
