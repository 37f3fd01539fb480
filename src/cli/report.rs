//! `gpu-train report RUN...`: runs as one HTML page.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::interrupt::Interrupt;
use super::options::{DeviceOptions, OutputOptions};
use super::{Failure, Outcome, paths};
use crate::data::Dataset;
use crate::report::{self, Findings, RecordedRun, RunReport, page, weights_figure};
use crate::train::checkpoint;
use crate::{Error, Result, files};

/// The options of `gpu-train report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Runs: folders that `gpu-train train --run` made, or log files alone
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The HTML file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    out: PathBuf,
    /// The folder with mnist/ and fashion-mnist/ [default: the run's, $GPU_TRAIN_DATA_DIR, the platform's]
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    out: String,
    runs: Vec<String>,
}

/// What a run's folder gave beside its log.
struct Looked {
    weights: Option<report::plot::Figure>,
    findings: Result<(Findings, Dataset), String>,
}

impl Report {
    /// Reads, looks and writes.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        if self.runs.iter().any(|run| paths::same(run, &self.out)) {
            let problem = format!("--out names a run, {}", self.out.display());
            return Err(Failure::Usage(Error::config_hint(problem, "name an HTML file of its own")));
        }
        paths::check_replaceable(&self.out)?;
        let interrupt = Interrupt::listen();
        let mut runs: Vec<_> = self.runs.iter().map(|path| RecordedRun::read(path)).collect::<Result<_>>()?;
        let names: Vec<_> = runs.iter().map(|run| run.name.clone()).collect();
        for (run, path) in runs.iter_mut().zip(&self.runs) {
            // Runs of one name are told apart by where they are.
            if names.iter().filter(|name| **name == run.name).count() > 1 {
                run.name = path.display().to_string();
            }
        }
        let mut looked = Vec::new();
        for (run, path) in runs.iter().zip(&self.runs) {
            interrupt.check()?;
            if !self.output.quiet {
                report::note(&format!("{}: {} steps", run.name, report::count(run.steps)));
            }
            looked.push(self.look(run, path)?);
        }
        let reports: Vec<_> = runs
            .iter()
            .zip(looked.iter_mut())
            .map(|(run, looked)| RunReport {
                run,
                weights: looked.weights.take(),
                findings: match &looked.findings {
                    Ok((findings, dataset)) => Ok((findings, dataset.test())),
                    Err(reason) => Err(reason.clone()),
                },
            })
            .collect();
        let written =
            page(&reports).and_then(|html| files::write_whole(&self.out, |out| out.write_all(html.as_bytes())));
        written.map_err(|error| Error::io("write", &self.out, error))?;
        let out = self.out.display().to_string();
        if self.output.json {
            report::json(&Document { command: "report", out, runs: runs.into_iter().map(|run| run.name).collect() })?;
        } else {
            report::print(&format!("report  {out}\n"))?;
        }
        Ok(Outcome::Done)
    }

    /// What the model and its data set tell; what is missing is no error, but is said.
    fn look(&self, run: &RecordedRun, path: &Path) -> Result<Looked> {
        let nothing = |weights, reason: String| Ok(Looked { weights, findings: Err(reason) });
        let Some(model) = &run.model else {
            let reason = if path.is_dir() {
                "No model was kept, as of a run that failed: there is nothing to look into."
            } else {
                "Only the log is here: without the model there is nothing to look into."
            };
            return nothing(None, reason.into());
        };
        let network = match checkpoint::load(model) {
            Ok(loaded) => loaded.network,
            Err(error) => {
                report::warning(&error.to_string());
                return nothing(None, format!("The model cannot be read, so there is nothing to look into: {error}."));
            }
        };
        let Some(name) = run.setting("dataset") else {
            return nothing(None, "The log does not say which data set it was.".into());
        };
        let folder = self.data_dir.clone().or_else(|| run.setting("data_dir").map(PathBuf::from));
        let dataset = match Dataset::open_with_classes(&name, folder.as_deref(), network.architecture.outputs()) {
            Ok(dataset) => dataset,
            Err(error) => {
                let reason = format!(
                    "Without its data set there is no confusion matrix, no sample and no gradient to show: {error}."
                );
                // Most images are square.
                let side = network.architecture.inputs().isqrt();
                return nothing(weights_figure(&network, side, side), reason);
            }
        };
        let weights = weights_figure(&network, dataset.test().rows(), dataset.test().columns());
        let mut opened = self.device.open()?;
        match Findings::of(opened.backend.as_mut(), &network, &dataset, self.device.threads()) {
            Ok(findings) => Ok(Looked { weights, findings: Ok((findings, dataset)) }),
            Err(Error::Config { problem, .. }) => {
                nothing(weights, format!("The data set {name} is no longer the one of the run: {problem}."))
            }
            Err(error) => Err(error),
        }
    }
}
