//! `countersign bench`: how fast this machine is at what the service does.

mod engine;

use clap::Subcommand;

use super::Failure;

/// Measure this machine
#[derive(Subcommand)]
pub enum BenchCommand {
    /// Measure how many word pieces a second the classifier reads
    ///
    /// Forward passes over random word pieces, with the head: 8 texts of 128 word pieces, 1 of 32, 16 of 256, and 16 texts
    /// of unequal length, whose waste is what they take longer than in batches of texts of their own length. Each figure is the median of the passes within --seconds, and the best. Run what you compare with at the
    /// same time of day on the same machine, and look at ratios.
    Engine(engine::EngineArgs),
}

/// Does it.
///
/// # Errors
/// [`Failure`].
pub fn run(command: &BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Engine(args) => engine::run(args)?,
    }
    Ok(())
}
