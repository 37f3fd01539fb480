//! `gpu-train devices`: every adapter, and which one is taken by default.

use clap::Args;

use super::{Failure, Outcome};

/// The options of `gpu-train devices`.
#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Results as one JSON document
    #[arg(long, help_heading = "Output")]
    json: bool,
}
impl Devices {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let _ = self.json;
        Ok(Outcome::Done)
    }
}
