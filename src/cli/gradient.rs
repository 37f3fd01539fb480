//! `gpu-train gradient MODEL`: the gradient of a model's loss at given samples, and how far it may be from the truth.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::gradient_wgsl::{self, FunctionFile};
use super::interrupt::Interrupt;
use super::options::{DataOptions, DeviceOptions, FunctionOptions, OutputOptions, QuotientOptions, number};
use super::record::DeviceRecord;
use super::samples::{SampleOptions, Samples};
use super::summary::Probes;
use super::values::StepSize;
use super::{Failure, Outcome, literal, paths};
use crate::backend::Backend;
use crate::gradient::{
    ErrorEstimate, GradientOptions, Method, Rounding, balanced_steps, error_estimates, function, measured_gradient,
    stepped_gradient,
};
use crate::network::Network;
use crate::report::{self, count, duration, pairs, significant, table};
use crate::train::checkpoint;
use crate::{Error, Result};

/// Where the gradient comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodName {
    /// Difference quotients made of changes: complete, exact to float32, fast
    Numerical,
    /// The textbook's loop, two forward passes a parameter: float64 on the CPU, float32 on an adapter
    Literal,
    /// The derivative, by the chain rule
    Backprop,
}

impl MethodName {
    fn name(self) -> &'static str {
        match self {
            Self::Numerical => Method::Numerical.name(),
            Self::Literal => "literal",
            Self::Backprop => Method::Backprop.name(),
        }
    }
}

/// The options of `gpu-train gradient`.
#[derive(Debug, Args)]
pub(super) struct Gradient {
    /// The model, as safetensors
    #[arg(required_unless_present = "wgsl")]
    model: Option<PathBuf>,
    #[command(flatten)]
    function: FunctionFile,
    /// Where the gradient comes from
    #[arg(long, default_value = "numerical", help_heading = "Gradient")]
    method: MethodName,
    #[command(flatten)]
    quotient: QuotientOptions,
    /// Compute it so many times, after once to warm up, and tell the median time
    #[arg(long, value_name = "N", help_heading = "Gradient", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(allow_negative_numbers = true)]
    repeat: Option<u32>,
    #[command(flatten)]
    samples: SampleOptions,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    functions: FunctionOptions,
    /// Write the gradient here, as safetensors with the model's names and shapes
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// A gradient and what is known of it, by whichever method.
pub(super) struct Found {
    pub(super) loss: f64,
    pub(super) seconds: f64,
    pub(super) loss_evaluations: f64,
    pub(super) probes: Option<Probes>,
    /// In the model's layout.
    pub(super) gradient: Vec<f64>,
    pub(super) estimates: Vec<ErrorEstimate>,
    /// The step of each tensor, where it was chosen.
    pub(super) steps: Option<Vec<f32>>,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    dataset: String,
    split: &'static str,
    samples: usize,
    device: DeviceRecord,
    method: &'static str,
    difference: Option<&'static str>,
    /// `auto` where each tensor has its own.
    step_size: Option<serde_json::Value>,
    loss: f64,
    seconds: f64,
    loss_evaluations: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<Probes>,
    tensors: Vec<TensorRow>,
}

#[derive(Serialize)]
struct TensorRow {
    name: String,
    #[serde(skip)]
    shape: String,
    norm: f64,
    max_abs: f64,
    truncation_estimate: f64,
    rounding_estimate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_size: Option<f32>,
}

impl Gradient {
    /// Computes and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let path = match (&self.model, &self.function.wgsl, &self.function.at) {
            (Some(model), ..) => model,
            (None, Some(wgsl), Some(at)) => return gradient_wgsl::run(&self.of_function(wgsl, at)),
            _ => return Err(Failure::Usage(Error::config("no model, and no function with a point"))),
        };
        let mut model = checkpoint::load(path)?;
        self.functions.override_model(&mut model).map_err(Failure::Usage)?;
        let network = model.network;
        if let Some(path) = &self.out {
            paths::check_replaceable(path)?;
        }
        let interrupt = Interrupt::listen();
        let dataset = self.data.open(Some(network.architecture.outputs()))?;
        let samples = self.samples.of(&dataset).map_err(Failure::Usage)?;
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        let backend = opened.backend.as_mut();
        let found = match self.method {
            MethodName::Literal => literal::gradient(backend, &network, &samples, &self.literal(), &interrupt)?,
            MethodName::Numerical => self.computed(backend, &network, &samples, Method::Numerical)?,
            MethodName::Backprop => self.computed(backend, &network, &samples, Method::Backprop)?,
        };
        interrupt.check()?;
        if !found.loss.is_finite() {
            let problem = format!("its loss on these samples is {}", found.loss);
            return Err(Error::Model { path: path.clone(), problem }.into());
        }
        if let Some(path) = &self.out {
            save(path, &network, &found.gradient)?;
        }
        let is_quotient = self.method != MethodName::Backprop;
        let document = Document {
            command: "gradient",
            dataset: dataset.name().into(),
            split: samples.split,
            samples: samples.len(),
            device,
            method: self.method.name(),
            difference: is_quotient.then(|| self.quotient.difference.name()),
            step_size: is_quotient.then(|| self.step_size()),
            loss: found.loss,
            seconds: found.seconds,
            loss_evaluations: found.loss_evaluations,
            tensors: rows(&network, &found),
            probes: found.probes,
        };
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text(&network, self.out.as_deref()))?;
        }
        Ok(Outcome::Done)
    }

    /// The same for a function in WGSL.
    fn of_function<'a>(&'a self, wgsl: &'a Path, at: &'a Path) -> gradient_wgsl::Request<'a> {
        let step_size = match self.quotient.given_step {
            None | Some(StepSize::Auto) => function::StepSize::Auto,
            // The number that was typed, which float32 has not.
            Some(StepSize::Fixed(step)) => function::StepSize::Fixed(number(step).parse().unwrap_or(step.into())),
        };
        gradient_wgsl::Request {
            wgsl,
            at,
            difference: self.quotient.difference,
            step_size,
            out: self.out.as_deref(),
            repeat: self.repeat,
            device: &self.device,
            output: &self.output,
        }
    }

    fn step_size(&self) -> serde_json::Value {
        match self.quotient.step_size() {
            StepSize::Auto => "auto".into(),
            StepSize::Fixed(step_size) => serde_json::to_value(step_size).unwrap_or_default(),
        }
    }

    fn literal(&self) -> literal::Request {
        literal::Request {
            quotient: self.quotient.clone(),
            threads: self.device.threads(),
            repeat: self.repeat.map(|repeat| repeat as usize),
            quiet: self.output.quiet,
        }
    }

    /// A gradient by the engine's own passes.
    fn computed(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        samples: &Samples,
        method: Method,
    ) -> Result<Found> {
        let source = samples.source();
        let repeat = self.repeat.map(|repeat| repeat as usize);
        let options = self.quotient.gradient_options(method, self.device.memory);
        let auto = self.quotient.step_size() == StepSize::Auto && method == Method::Numerical;
        let (computed, steps) = if auto {
            let steps = balanced_steps(backend, network, &source, options, Rounding::OfChanges)?;
            (stepped_gradient(backend, network, &source, options, &steps, repeat)?, Some(steps))
        } else {
            (measured_gradient(backend, network, &source, options, repeat)?, None)
        };
        let estimates = estimates(backend, network, samples, options, steps.as_deref(), &computed.gradient)?;
        Ok(Found {
            loss: computed.loss.into(),
            seconds: computed.seconds,
            loss_evaluations: computed.loss_evaluations,
            probes: computed.probes.map(Probes::from),
            gradient: computed.gradient.into_iter().map(f64::from).collect(),
            estimates,
            steps,
        })
    }
}

/// The estimates of each tensor at its own step.
pub(super) fn estimates(
    backend: &mut dyn Backend,
    network: &Network,
    samples: &Samples,
    options: GradientOptions,
    steps: Option<&[f32]>,
    gradient: &[f32],
) -> Result<Vec<ErrorEstimate>> {
    let source = samples.source();
    let Some(steps) = steps else { return error_estimates(backend, network, &source, options, gradient) };
    let mut all = Vec::new();
    let mut known: Option<(f32, Vec<ErrorEstimate>)> = None;
    for (index, &step_size) in steps.iter().enumerate() {
        let (_, at_step) = match known.take().filter(|(step, _)| *step == step_size) {
            Some(same) => known.insert(same),
            None => {
                let options = GradientOptions { step_size, ..options };
                known.insert((step_size, error_estimates(backend, network, &source, options, gradient)?))
            }
        };
        all.extend(at_step.get(index));
    }
    Ok(all)
}

/// Writes a gradient as a model of which it has the layout.
fn save(path: &Path, network: &Network, gradient: &[f64]) -> Result<()> {
    let parameters = gradient.iter().map(|&value| value as f32).collect();
    checkpoint::save(path, &Network { parameters, ..network.clone() })
}

fn rows(network: &Network, found: &Found) -> Vec<TensorRow> {
    let tensors = network.layout.tensors().zip(&found.estimates).enumerate();
    let row = |(index, (tensor, estimate)): (usize, (crate::network::TensorLayout, &ErrorEstimate))| {
        let values = &found.gradient[tensor.range()];
        TensorRow {
            norm: values.iter().map(|value| value * value).sum::<f64>().sqrt(),
            max_abs: values.iter().fold(0.0, |most, value| value.abs().max(most)),
            truncation_estimate: estimate.truncation,
            rounding_estimate: estimate.rounding,
            step_size: found.steps.as_ref().and_then(|steps| steps.get(index).copied()),
            shape: shape(&tensor),
            name: tensor.name,
        }
    };
    tensors.map(row).collect()
}

/// A tensor's shape as it stands in model files.
pub(super) fn shape(tensor: &crate::network::TensorLayout) -> String {
    if tensor.name.ends_with("weight") {
        format!("{} x {}", tensor.columns, tensor.rows)
    } else {
        tensor.columns.to_string()
    }
}

impl Document {
    fn text(&self, network: &Network, saved: Option<&Path>) -> String {
        let step = |row: &TensorRow| row.step_size.map_or_else(String::new, |step| format!("  h = {}", number(step)));
        let share = |estimate: f64, norm: f64| {
            if norm > 0.0 { format!("{:.1e}", estimate / norm) } else { format!("{estimate:.1e} abs") }
        };
        let rows = self.tensors.iter().map(|row| {
            [
                format!("{}{}", row.name, step(row)),
                row.shape.clone(),
                significant(row.norm),
                significant(row.max_abs),
                share(row.truncation_estimate, row.norm),
                share(row.rounding_estimate, row.norm),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let tensors = table(["", "shape", "norm", "largest", "truncation", "rounding"], &rows);
        let method = match (self.difference, &self.step_size) {
            (Some(difference), Some(step)) => {
                let step = step.as_f64().map_or_else(|| "auto".into(), |step| number(step as f32));
                format!("{}, {difference} difference, h = {step}", self.method)
            }
            _ => self.method.into(),
        };
        let mut about = vec![
            ("gradient", method),
            ("loss", format!("{:.6} of {} samples ({})", self.loss, count(self.samples as u64), self.split)),
            ("time", format!("{}, samples to gradient", precise_duration(self.seconds))),
            ("evaluations", {
                let made = significant(self.loss_evaluations);
                format!(
                    "{made} of the batch's loss, for {} parameters",
                    count(network.architecture.parameter_count() as u64)
                )
            }),
        ];
        if let Some(probes) = &self.probes {
            about.push(("probes", probes.to_string()));
        }
        if let Some(path) = saved {
            about.push(("saved", path.display().to_string()));
        }
        format!("{tensors}\ntruncation and rounding: shares of the norm\n\n{}", pairs(&about))
    }
}

/// Below a second with more digits than [`duration`].
fn precise_duration(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.3} ms", seconds * 1e3) } else { duration(seconds) }
}
