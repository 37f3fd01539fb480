//! `gpu-train evaluate MODEL`: what a model is worth on a split.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::options::{DataOptions, DeviceOptions, FunctionOptions, OutputOptions, PlotOptions};
use super::record::DeviceRecord;
use super::samples::SplitName;
use super::{Failure, Outcome, paths};
use crate::report::{self, Answers, confusion, count, pairs, percent};
use crate::train::{self, checkpoint};
use crate::{Error, Result};

/// The options of `gpu-train evaluate`.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// The model, as safetensors
    model: PathBuf,
    /// The part of the data set
    #[arg(long, default_value = "test", help_heading = "Data")]
    split: SplitName,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    functions: FunctionOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// The confusion matrix, and the samples that went wrong, the surest first
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    dataset: String,
    split: &'static str,
    device: DeviceRecord,
    loss: f64,
    accuracy: f64,
    samples: usize,
    /// A row a true class, a column a predicted one.
    confusion: Vec<Vec<u64>>,
}

impl Evaluate {
    /// Evaluates and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        self.plot.checked().map_err(Failure::Usage)?;
        if let Some(path) = &self.plot.file {
            paths::check_replaceable(path)?;
        }
        let mut model = checkpoint::load(&self.model)?;
        self.functions.override_model(&mut model).map_err(Failure::Usage)?;
        let network = model.network;
        let dataset = self.data.open(Some(network.architecture.outputs()))?;
        let (split, split_name) = self.split.of(&dataset);
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        let evaluation = train::evaluate(opened.backend.as_mut(), &network, split, self.device.memory)?;
        let (loss, accuracy) = (evaluation.score.loss, evaluation.score.accuracy);
        if !loss.is_finite() {
            let problem = format!("its loss on the {split_name} split is {loss}");
            return Err(Error::Model { path: self.model.clone(), problem }.into());
        }
        let answers = match &self.plot.file {
            Some(_) => Some(Answers::of(opened.backend.as_mut(), &network, split)?),
            None => None,
        };
        // What was found is said, whatever happens to the picture.
        let drawn = answers.map_or(Ok(()), |answers| {
            let title = format!("Answers on the {split_name} split of {}: {} right", dataset.name(), percent(accuracy));
            self.plot.save(|| answers.figure(title, split))
        });
        if self.output.json {
            report::json(&Document {
                command: "evaluate",
                dataset: dataset.name().into(),
                split: split_name,
                device,
                loss,
                accuracy,
                samples: split.len(),
                confusion: evaluation.confusion,
            })?;
        } else {
            let scores = pairs(&[
                ("split", format!("{split_name} of {}, {} samples", dataset.name(), count(split.len() as u64))),
                ("loss", format!("{loss:.4}")),
                ("accuracy", percent(accuracy)),
            ]);
            report::print(&format!("{scores}\n{}", confusion(&evaluation.confusion)))?;
        }
        drawn?;
        Ok(Outcome::Done)
    }
}
