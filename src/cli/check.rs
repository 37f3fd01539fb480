//! `gpu-train check [MODEL]`: is the numerical gradient what it is said to be?

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::gradient::{estimates, shape};
use super::interrupt::Interrupt;
use super::options::{
    DEFAULT_INITIALIZATION, DataOptions, DeviceOptions, FunctionOptions, OutputOptions, QuotientOptions, number,
};
use super::record::DeviceRecord;
use super::samples::SampleOptions;
use super::values::{HiddenSizes, StepSize};
use super::{Failure, Outcome};
use crate::gradient::{
    BatchSource, CheckOptions, GradientOptions, Method, Rounding, TensorCheck, balanced_steps, check_gradient,
    measured_gradient,
};
use crate::network::{Initialization, Network};
use crate::report::{self, pairs, table};
use crate::train::checkpoint;
use crate::{Error, Result};

/// The options of `gpu-train check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The model, as safetensors; without one a fresh network is checked
    model: Option<PathBuf>,
    /// Units of each hidden layer: 50, or 512,256, or none for softmax regression [default: 50]
    #[arg(long, value_name = "SIZES", help_heading = "Network", conflicts_with = "model")]
    hidden: Option<HiddenSizes>,
    #[command(flatten)]
    functions: FunctionOptions,
    /// Fresh weights: normal:DEVIATION, xavier or he [default: normal:0.01]
    #[arg(long, help_heading = "Network", conflicts_with = "model")]
    init: Option<Initialization>,
    #[command(flatten)]
    quotient: QuotientOptions,
    /// Parameters of each tensor whose quotients are computed in float64 as well
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Gradient")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    sampled: u32,
    /// Of fresh weights, and of the parameters that are sampled
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = "Gradient", allow_negative_numbers = true)]
    seed: u64,
    #[command(flatten)]
    samples: SampleOptions,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    dataset: String,
    split: &'static str,
    samples: usize,
    device: DeviceRecord,
    network: Vec<usize>,
    activation: &'static str,
    loss_function: &'static str,
    difference: &'static str,
    step_size: f32,
    loss: f64,
    tensors: Vec<TensorRow>,
    passed: bool,
}

#[derive(Serialize)]
struct TensorRow {
    name: String,
    #[serde(skip)]
    shape: String,
    relative_error: f64,
    max_abs_error: f64,
    worst_index: Vec<usize>,
    estimate: f64,
    quotient_error: f64,
    oracle: &'static str,
    sampled: usize,
    passed: bool,
}

impl From<TensorCheck> for TensorRow {
    fn from(check: TensorCheck) -> Self {
        Self {
            shape: shape(&check.tensor),
            name: check.tensor.name,
            relative_error: check.relative_error,
            max_abs_error: check.max_abs_error,
            worst_index: check.worst_index,
            estimate: check.estimate,
            quotient_error: check.quotient_error,
            oracle: check.oracle.name(),
            sampled: check.sampled,
            passed: check.passed,
        }
    }
}

impl Check {
    /// Checks and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let model = match &self.model {
            None => {
                self.functions.of_fresh_network().map_err(Failure::Usage)?;
                None
            }
            Some(path) => {
                let mut model = checkpoint::load(path)?;
                self.functions.override_model(&mut model).map_err(Failure::Usage)?;
                Some(model.network)
            }
        };
        let interrupt = Interrupt::listen();
        let dataset = self.data.open(model.as_ref().map(|model| model.architecture.outputs()))?;
        let network = match model {
            Some(network) => network,
            None => {
                let architecture = self.functions.fresh_architecture(self.hidden.as_ref(), &dataset);
                let initialization = self.init.unwrap_or(DEFAULT_INITIALIZATION);
                Network::initialized(architecture.map_err(Failure::Usage)?, initialization, self.seed)
            }
        };
        let samples = self.samples.of(&dataset).map_err(Failure::Usage)?;
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        let backend = opened.backend.as_mut();
        let source = samples.source();
        let options = self.options(backend, &network, &source)?;
        let numerical = measured_gradient(backend, &network, &source, options, None)?;
        if !numerical.loss.is_finite() {
            let problem = format!("the loss on these samples is {}", numerical.loss);
            return Err(Error::Config { problem, hint: None }.into());
        }
        let estimates = estimates(backend, &network, &samples, options, None, &numerical.gradient)?;
        let derivative = GradientOptions { method: Method::Backprop, ..options };
        let derivative = measured_gradient(backend, &network, &source, derivative, None)?.gradient;
        interrupt.check()?;
        let how = CheckOptions {
            difference: options.difference,
            step_size: options.step_size,
            sampled: self.sampled as usize,
            seed: self.seed,
            threads: self.device.threads(),
        };
        let checks = check_gradient(&network, &source, &numerical.gradient, &estimates, &derivative, how)?;
        interrupt.check()?;
        let document = Document {
            command: "check",
            dataset: dataset.name().into(),
            split: samples.split,
            samples: samples.len(),
            device,
            network: network.architecture.sizes.clone(),
            activation: network.architecture.activation.name(),
            loss_function: network.architecture.output.loss().name(),
            difference: options.difference.name(),
            step_size: options.step_size,
            loss: numerical.loss.into(),
            passed: checks.iter().all(|check| check.passed),
            tensors: checks.into_iter().map(TensorRow::from).collect(),
        };
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text())?;
        }
        Ok(if document.passed { Outcome::Done } else { Outcome::Refuted })
    }

    /// With the step that was asked for; `auto` takes the smallest of the layers' own.
    fn options(
        &self,
        backend: &mut dyn crate::backend::Backend,
        network: &Network,
        source: &BatchSource<'_>,
    ) -> Result<GradientOptions> {
        let mut options = self.quotient.gradient_options(Method::Numerical, self.device.memory);
        if self.quotient.step_size() == StepSize::Auto {
            let steps = balanced_steps(backend, network, source, options, Rounding::OfChanges)?;
            options.step_size = steps.into_iter().fold(f32::INFINITY, f32::min);
        }
        Ok(options)
    }
}

impl Document {
    fn text(&self) -> String {
        let rows = self.tensors.iter().map(|row| {
            let place: Vec<_> = row.worst_index.iter().map(ToString::to_string).collect();
            [
                row.name.clone(),
                row.shape.clone(),
                format!("{:.1e}", row.relative_error),
                format!("{:.1e}", row.estimate),
                format!("{:.1e} at [{}]", row.max_abs_error, place.join(", ")),
                format!("{:.1e}", row.quotient_error),
                format!("{} {}", row.sampled, row.oracle),
                if row.passed { "ok" } else { "WRONG" }.to_string(),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let headings = ["", "shape", "to back-prop.", "estimate", "largest", "to float64", "of", ""];
        let sizes: Vec<_> = self.network.iter().map(ToString::to_string).collect();
        let wrong = self.tensors.iter().filter(|row| !row.passed).count();
        let verdict = match wrong {
            0 => "passed: every tensor is the quotient, and the derivative within its estimate".to_string(),
            _ => format!("FAILED: {wrong} of {} tensors are wrong", self.tensors.len()),
        };
        let about = pairs(&[
            ("gradient", format!("{} difference, h = {}", self.difference, number(self.step_size))),
            ("network", format!("{}: {}, {}", sizes.join("-"), self.activation, self.loss_function)),
            ("loss", format!("{:.6} of {} samples ({})", self.loss, self.samples, self.split)),
        ]);
        format!("{}\nerrors and estimates: shares of the norm\n\n{about}\n{verdict}\n", table(headings, &rows))
    }
}
