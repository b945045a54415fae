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
    /// of unequal length beside 16 of 64, which are as many word pieces in all: the ragged batch's waste is what it takes
    /// longer. Each figure is the median of the passes within --seconds, and the best. Run what you compare with at the
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
