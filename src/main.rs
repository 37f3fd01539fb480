//! The command `gpu-train`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gpu_train::cli::Cli;

fn main() -> ExitCode {
    let started = Instant::now();
    match Cli::try_parse() {
        Ok(cli) => cli.run(started),
        Err(message) => {
            // Help that nobody reads any more (`gpu-train --help | head`) is no error.
            let _ = message.print();
            u8::try_from(message.exit_code()).unwrap_or(2).into()
        }
    }
}
