//! The command line: one file a subcommand. Options are data here; what computes is in the library.

mod bench;
mod check;
mod checkpoints;
mod data;
mod devices;
mod evaluate;
mod function;
mod gradient;
mod gradient_wgsl;
mod interrupt;
mod landscape;
mod literal;
mod loss;
mod options;
mod outputs;
mod paths;
mod predict;
mod record;
mod report;
mod samples;
mod summary;
mod train;
mod values;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::Error;
use crate::report as output;

/// Trains neural networks on any GPU, or none, by numerical gradients that need no back-propagation.
/// Without a subcommand it trains.
#[derive(Debug, Parser)]
#[command(name = "gpu-train", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(after_help = train::EXAMPLES, disable_help_flag = true)]
pub struct Cli {
    /// Print help
    // The long form gives each possible value a paragraph.
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Train,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network and evaluate it.
    #[command(after_help = train::EXAMPLES)]
    Train(Box<train::Train>),
    /// Evaluate a model: loss, accuracy, confusion matrix.
    Evaluate(evaluate::Evaluate),
    /// What a model says of pictures, or of samples of a data set.
    Predict(predict::Predict),
    /// The gradient of a model's loss at given samples, with its error: numerical, literal or by back-propagation.
    Gradient(Box<gradient::Gradient>),
    /// Loss and accuracy along one weight and over a plane, and how often their derivatives are 0.
    Landscape(Box<landscape::Landscape>),
    /// Hold the numerical gradient to back-propagation and to float64 quotients; exit code 1 where it fails.
    Check(Box<check::Check>),
    /// Runs as one HTML page: curves, what went wrong, weights, gradients, side by side.
    Report(report::Report),
    /// Formulas: derivatives, gradients, fields and descents.
    #[command(subcommand)]
    Function(Box<function::Function>),
    /// The loss of outputs against targets, term by term.
    Loss(loss::LossOf),
    /// How fast the device is: kernels, gradients, training, data, and their share of what it can do at most.
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<bench::Bench>),
    /// List every adapter, say which one `--device auto` takes and why, and tune the kernels for them.
    #[command(after_help = devices::EXAMPLES)]
    Devices(devices::Devices),
    /// What a data set holds.
    #[command(subcommand)]
    Data(data::Data),
}

/// How a command ended that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// What was to be shown does not hold; that is said already.
    Refuted,
    Interrupted,
}

/// Why a command did not do what it was asked for.
enum Failure {
    /// What was typed makes no sense, whatever the machine and the files are.
    Usage(Error),
    /// It failed.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Cli {
    /// Runs the command and returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    ///
    /// `started` is when the process began.
    #[must_use]
    pub fn run(self, started: Instant) -> ExitCode {
        let result = match self.command {
            None => self.train.run(started),
            Some(Command::Train(train)) => train.run(started),
            Some(Command::Evaluate(evaluate)) => evaluate.run(),
            Some(Command::Predict(predict)) => predict.run(),
            Some(Command::Gradient(gradient)) => gradient.run(),
            Some(Command::Landscape(landscape)) => landscape.run(),
            Some(Command::Check(check)) => check.run(),
            Some(Command::Report(report)) => report.run(),
            Some(Command::Function(function)) => function.run(),
            Some(Command::Loss(loss)) => loss.run(),
            Some(Command::Bench(bench)) => bench.run(),
            Some(Command::Devices(devices)) => devices.run(),
            Some(Command::Data(data)) => data.run(),
        };
        match result {
            Ok(Outcome::Done) => ExitCode::SUCCESS,
            Ok(Outcome::Refuted) => ExitCode::FAILURE,
            Ok(Outcome::Interrupted) => interrupt::EXIT_CODE.into(),
            Err(Failure::Failed(Error::Interrupted)) => {
                output::note("interrupted");
                interrupt::EXIT_CODE.into()
            }
            Err(Failure::Failed(error)) => complain(&error, 1),
            Err(Failure::Usage(error)) => complain(&error, 2),
        }
    }
}

/// One line for what went wrong, and one for what to do about it where something is known.
fn complain(error: &Error, code: u8) -> ExitCode {
    output::note(&format!("error: {error}"));
    if let Some(hint) = error.hint() {
        output::note(&format!("hint: {hint}"));
    }
    code.into()
}
