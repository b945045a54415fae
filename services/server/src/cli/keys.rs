//! Making keys.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, say};

/// Make this installation's keys: field encryption, pseudonyms, look-up, audit log and signatures.
#[derive(Args)]
pub struct KeysCommandArgs {
    /// Folder to make; keep a copy in a safe place, what is sealed cannot be read without it
    pub folder: PathBuf,
}

/// # Errors
/// [`Failure`] when there are keys already, or the folder cannot be written.
pub fn run(args: &KeysCommandArgs) -> Result<(), Failure> {
    crate::keys::create(&args.folder)?;
    let ring = crate::keys::load(&args.folder)?;
    say(format_args!(
        "Keys are in {}. Keep a copy in a safe place.",
        args.folder.display()
    ));
    say(format_args!(
        "Auditors verify the log with this public key:\n{}",
        ring.store.log.public()
    ));
    Ok(())
}
