//! What a run came to, as a table and as JSON.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::record::{DeviceRecord, RunRecord};
use crate::gradient::{Method, ProbeReport};
use crate::network::{Architecture, Network, OutputLoss};
use crate::report::{count, duration, pairs, percent, significant, table};
use crate::train::{Evaluation, SplitScore, Summary};
use crate::{Error, Result};

/// The JSON document of `gpu-train train`.
#[derive(Debug, Serialize)]
pub(super) struct RunSummary {
    command: &'static str,
    dataset: String,
    device: DeviceRecord,
    network: Vec<usize>,
    activation: &'static str,
    loss: &'static str,
    gradient: &'static str,
    step_size: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<&'static str>,
    parameters: u64,
    batch_size: usize,
    steps: u64,
    epochs: f64,
    seconds: f64,
    load_seconds: f64,
    first_step_seconds: f64,
    steps_per_second: f64,
    samples_per_second: f64,
    loss_evaluations: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<Probes>,
    final_batch_loss: f32,
    train_loss: f64,
    train_accuracy: f64,
    test_loss: f64,
    test_accuracy: f64,
    seed: u64,
    interrupted: bool,
}

/// What the numerical gradient's check counted.
#[derive(Debug, Serialize)]
pub(super) struct Probes {
    curves: u64,
    more_nodes: u64,
    single: u64,
    largest_check_error: f64,
}

impl Probes {
    /// Of a function of which nothing is known: no curve is sampled, every parameter is probed by itself.
    pub(super) fn each(parameters: usize) -> Self {
        Self { curves: 0, more_nodes: 0, single: parameters as u64, largest_check_error: 0.0 }
    }
}

impl From<ProbeReport> for Probes {
    fn from(report: ProbeReport) -> Self {
        let ProbeReport { curves, more_nodes, single, largest_check_error } = report;
        Self { curves, more_nodes, single, largest_check_error }
    }
}

impl fmt::Display for Probes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [curves, more, single] = [self.curves, self.more_nodes, self.single].map(count);
        let error = significant(self.largest_check_error);
        write!(formatter, "{curves} curves, {more} with more nodes, {single} one by one; check error at most {error}")
    }
}

impl RunSummary {
    /// The summary of a run that began with the process at `started`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when the last update took the network out of the finite numbers.
    pub(super) fn new(
        record: &RunRecord,
        network: &Network,
        summary: Summary,
        started: Instant,
        load_seconds: f64,
    ) -> Result<Self> {
        check_finite(&summary.evaluation)?;
        let Evaluation { train, test, .. } = summary.evaluation;
        // A clock may be too coarse for a single step.
        let seconds = summary.seconds.max(1e-9);
        Ok(Self {
            command: "train",
            dataset: record.dataset.clone(),
            device: record.device.clone(),
            network: record.network.clone(),
            activation: record.activation,
            loss: record.loss,
            gradient: record.gradient,
            step_size: record.step_size,
            directions: record.directions,
            objective: record.objective,
            parameters: network.architecture.parameter_count() as u64,
            batch_size: record.batch_size,
            steps: summary.steps,
            epochs: summary.epochs,
            seconds: summary.seconds,
            load_seconds,
            first_step_seconds: summary.first_step.saturating_duration_since(started).as_secs_f64(),
            steps_per_second: summary.steps as f64 / seconds,
            samples_per_second: summary.steps as f64 * record.batch_size as f64 / seconds,
            loss_evaluations: summary.loss_evaluations,
            probes: summary.probes.map(Probes::from),
            final_batch_loss: summary.final_batch_loss,
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            test_loss: test.loss,
            test_accuracy: test.accuracy,
            seed: record.seed,
            interrupted: summary.interrupted,
        })
    }

    /// Whether the run stopped before its last step.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// What is to be said of a run that has learnt less than nothing: no number of it need be infinite.
    pub(super) fn ruined(&self, architecture: &Architecture) -> Option<String> {
        /// Fresh networks are a little worse than equal probabilities.
        const WORSE: f64 = 1.5;
        let equal = (architecture.outputs() as f64).ln();
        let is_entropy = matches!(architecture.output, OutputLoss::CrossEntropy { .. });
        (is_entropy && self.steps > 0 && self.train_loss > WORSE * equal).then(|| {
            let loss = self.train_loss;
            format!(
                "the loss after training ({loss:.2}) is worse than that of equal probabilities for all classes ({equal:.2}): \
                 a smaller --learning-rate"
            )
        })
    }

    /// As people read it; `saved` is where the network went.
    pub(super) fn text(&self, record: &RunRecord, saved: Option<&Path>) -> String {
        let score = |split: &str, loss: f64, accuracy: f64| [split.into(), format!("{loss:.4}"), percent(accuracy)];
        let scores =
            [score("train", self.train_loss, self.train_accuracy), score("test", self.test_loss, self.test_accuracy)];
        let stopped = if self.interrupted { ", interrupted" } else { "" };
        let (steps, rate) = (count(self.steps), significant(self.steps_per_second));
        let samples = significant(self.samples_per_second);
        let mut rows = vec![
            ("steps", format!("{steps} ({:.2} epochs) in {}{stopped}", self.epochs, duration(self.seconds))),
            ("speed", format!("{rate} steps/s, {samples} samples/s")),
        ];
        if self.gradient == Method::Numerical.name() {
            // Read literally, each parameter is moved up and down in each step, and the batch's loss computed anew.
            let literal = 2.0 * self.parameters as f64 * self.steps as f64;
            let [made, needed] = [self.loss_evaluations, literal].map(significant);
            let times = significant(literal / self.loss_evaluations.max(1.0));
            rows.push((
                "evaluations",
                format!(
                    "{made} of a batch's loss; one parameter at a time it would be {needed}, {times} times as many"
                ),
            ));
        }
        if let Some(directions) = self.directions {
            let made = significant(self.loss_evaluations);
            rows.push(("evaluations", format!("{made} of a batch, {} a step and 1 to report it", 2 * directions)));
        }
        if let Some(probes) = &self.probes {
            rows.push(("probes", probes.to_string()));
        }
        rows.push(("device", record.device.to_string()));
        if let Some(path) = saved {
            rows.push(("saved", path.display().to_string()));
        }
        rows.push(("repeat", record.repeat.clone()));
        format!("{}\n{}", table(["", "loss", "accuracy"], &scores), pairs(&rows))
    }
}

/// The loss of a batch is looked at step by step; a last update that went too far shows only here.
fn check_finite(evaluation: &Evaluation) -> Result<()> {
    for (split, SplitScore { loss, .. }) in [("training", &evaluation.train), ("test", &evaluation.test)] {
        if !loss.is_finite() {
            let culprit = format!("over the whole {split} split");
            return Err(Error::NonFinite { value: *loss as f32, step: evaluation.step, culprit });
        }
    }
    Ok(())
}
