//! `countersign`: see `countersign --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match server::cli::run(server::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the command line says what went wrong on standard error"
            )]
            {
                eprintln!("countersign: {}", server::http::problem::chain(&*error));
            }
            ExitCode::FAILURE
        }
    }
}
