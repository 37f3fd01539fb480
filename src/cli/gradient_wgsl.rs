//! `gpu-train gradient --wgsl FILE --at POINT`: the gradient of a user's function.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::options::{DeviceOptions, OutputOptions};
use super::record::DeviceRecord;
use super::summary::Probes;
use super::{Failure, Outcome, paths};
use crate::data::Tensors;
use crate::device::Selector;
use crate::gradient::Difference;
use crate::gradient::function::{FunctionOptions, StepSize, WgslFunction, WgslGradient};
use crate::report::{self, count, duration, pairs, significant, table};
use crate::{Error, Result};

/// Options that speak of models and samples.
const OF_MODELS: [&str; 13] = [
    "model",
    "method",
    "probes",
    "split",
    "indices",
    "dataset",
    "data_dir",
    "activation",
    "output_activation",
    "loss",
    "epsilon",
    "threads",
    "memory",
];

/// Which function, and where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Function")]
pub(super) struct FunctionFile {
    /// A function in WGSL: `fn f(x: ptr<function, array<f32, N>>) -> f32`; or `fn f() -> f32`, which reads variable i of
    /// its own `var<storage, read> x: array<f32>`, or by `parameter(i)`; or, reading so, `fn term(i: u32) -> f32` and
    /// `const TERMS`, for the sum of the terms. N is the number of variables; the step is auto where none is given
    #[arg(long, value_name = "FILE", requires = "at", conflicts_with_all = OF_MODELS)]
    pub(super) wgsl: Option<PathBuf>,
    /// The point, as safetensors: float32 tensors, one behind the other in the order of their names
    #[arg(long, value_name = "FILE", requires = "wgsl")]
    pub(super) at: Option<PathBuf>,
}

/// What is asked of it.
pub(super) struct Request<'a> {
    /// The function's text.
    pub(super) wgsl: &'a Path,
    /// The point's file.
    pub(super) at: &'a Path,
    pub(super) difference: Difference,
    pub(super) step_size: StepSize,
    /// Where the gradient goes.
    pub(super) out: Option<&'a Path>,
    /// One run to warm up and the median of so many; none: a single run.
    pub(super) repeat: Option<u32>,
    pub(super) device: &'a DeviceOptions,
    pub(super) output: &'a OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    wgsl: String,
    device: DeviceRecord,
    difference: &'static str,
    /// A number, or `auto`.
    step_size: serde_json::Value,
    parameters: usize,
    loss: f64,
    seconds: f64,
    loss_evaluations: u64,
    probes: Probes,
    tensors: Vec<TensorRecord>,
}

#[derive(Serialize)]
struct TensorRecord {
    name: String,
    norm: f64,
    max_abs: f64,
    /// Norms of the tensor's errors, estimated.
    truncation_estimate: f64,
    rounding_estimate: f64,
    /// The median of its variables' steps.
    step_size: f64,
}

/// Computes and reports.
pub(super) fn run(request: &Request) -> Result<Outcome, Failure> {
    if request.device.device == "cpu" {
        let problem = "--wgsl runs on an adapter, and the CPU path is none";
        return Err(Failure::Usage(Error::config_hint(problem, "--device auto, gpu or software")));
    }
    if let Some(path) = request.out {
        paths::check_replaceable(path)?;
    }
    let text = std::fs::read_to_string(request.wgsl).map_err(|error| Error::io("read", request.wgsl, error))?;
    let point = Tensors::read(request.at)?;
    let Ok(selector) = request.device.device.parse::<Selector>();
    let mut function = WgslFunction::open(request.wgsl, &text, &point.values, &selector)?;
    for warning in function.warnings() {
        report::warning(warning);
    }
    let device = DeviceRecord::new(function.device(), function.reason());
    if !request.output.quiet {
        report::note(&format!("device  {device}"));
    }
    let options =
        FunctionOptions { difference: request.difference, step_size: request.step_size, ..FunctionOptions::default() };
    let ranges: Vec<_> = point.tensors.iter().map(|tensor| tensor.range.clone()).collect();
    let (found, seconds) =
        timed(&mut function, &ranges, &options, request.repeat).map_err(|error| in_tensors(error, &point))?;
    if let Some(path) = request.out {
        point.write_like(path, &found.gradient)?;
    }
    let document = Document {
        command: "gradient",
        wgsl: request.wgsl.display().to_string(),
        device,
        difference: request.difference.name(),
        step_size: match request.step_size {
            StepSize::Auto => "auto".into(),
            StepSize::Fixed(step) => step.into(),
        },
        parameters: point.values.len(),
        loss: found.value,
        seconds,
        loss_evaluations: found.evaluations,
        probes: Probes::each(point.values.len()),
        tensors: records(&point, &found),
    };
    if request.output.json {
        report::json(&document)?;
    } else {
        report::print(&text_of(&document, request.out))?;
    }
    Ok(Outcome::Done)
}

/// A gradient and its time: one run, or the median of several after one that does not count.
fn timed(
    function: &mut WgslFunction,
    tensors: &[Range<usize>],
    options: &FunctionOptions,
    repeat: Option<u32>,
) -> Result<(WgslGradient, f64)> {
    let mut once = || -> Result<(WgslGradient, f64)> {
        let begun = Instant::now();
        let found = function.gradient(tensors, options)?;
        Ok((found, begun.elapsed().as_secs_f64()))
    };
    let (mut found, seconds) = once()?;
    let Some(repeat) = repeat else { return Ok((found, seconds)) };
    let mut times = Vec::new();
    for _ in 0..repeat.max(1) {
        let (again, seconds) = once()?;
        found = again;
        times.push(seconds);
    }
    times.sort_by(f64::total_cmp);
    Ok((found, times[times.len() / 2]))
}

/// A variable's number told as its tensor's element.
fn in_tensors(error: Error, point: &Tensors) -> Error {
    match error {
        Error::FunctionValue { value, variable: Some(variable), place } => {
            let tensor = point.tensors.iter().find(|tensor| tensor.range.contains(&variable));
            let name = tensor.map_or_else(|| variable.to_string(), |tensor| tensor.element(variable));
            Error::FunctionValue { value, variable: None, place: format!("where {name} {place}") }
        }
        error => error,
    }
}

fn records(point: &Tensors, found: &WgslGradient) -> Vec<TensorRecord> {
    let tensors = point.tensors.iter().zip(&found.estimates);
    tensors
        .map(|(tensor, estimate)| {
            let values: Vec<f64> = found.gradient[tensor.range.clone()].iter().copied().map(f64::from).collect();
            let mut steps = found.step_sizes[tensor.range.clone()].to_vec();
            steps.sort_by(f64::total_cmp);
            TensorRecord {
                name: tensor.name.clone(),
                norm: values.iter().map(|value| value * value).sum::<f64>().sqrt(),
                max_abs: values.iter().fold(0.0, |most, value| value.abs().max(most)),
                truncation_estimate: estimate.truncation,
                rounding_estimate: estimate.rounding,
                step_size: steps.get(steps.len() / 2).copied().unwrap_or(0.0),
            }
        })
        .collect()
}

/// As people read it.
fn text_of(document: &Document, out: Option<&Path>) -> String {
    let rows: Vec<[String; 6]> = document
        .tensors
        .iter()
        .map(|tensor| {
            let numbers =
                [tensor.norm, tensor.max_abs, tensor.truncation_estimate, tensor.rounding_estimate, tensor.step_size];
            let [norm, most, truncation, rounding, step] = numbers.map(significant);
            [tensor.name.clone(), norm, most, truncation, rounding, step]
        })
        .collect();
    let gradient = table(["", "norm", "largest", "truncation", "rounding", "step"], &rows);
    let mut rest = vec![
        ("loss", significant(document.loss)),
        ("time", duration(document.seconds)),
        ("evaluations", count(document.loss_evaluations)),
        ("device", document.device.to_string()),
    ];
    if let Some(path) = out {
        rest.push(("saved", path.display().to_string()));
    }
    format!("{gradient}\n{}", pairs(&rest))
}
