//! `gpu-train loss`: how far outputs are from their targets, term by term.

mod samples;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::samples::Samples;
use super::function::{Device, FloatOptions};
use super::options::OutputOptions;
use super::record::DeviceRecord;
use super::values::not_negative;
use super::{Failure, Outcome};
use crate::backend::{Backend, CrossEntropy, Recording, Softmax, SumOfSquares, Targets};
use crate::network::{Loss, log_softmax, loss_terms, softmax};
use crate::report::{self, count, pairs, table};
use crate::{Error, Result};

/// Below the help.
const EXAMPLES: &str = "\
Examples:
  gpu-train loss --output 0.1,0.05,0.6,0,0.05,0.1,0,0.1,0,0 --target 2
  gpu-train loss --kind sum-of-squares --output 0.1,0.6,0.3 --target 0,1,0
  gpu-train loss --softmax --output 0.3,2.9,4.0
  gpu-train loss --batch outputs.csv          a row a sample: the outputs, and the class last";

/// Samples of a batch that are shown as text.
const SHOWN: usize = 20;

/// The options of `gpu-train loss`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["output", "batch"]))]
pub(super) struct LossOf {
    /// cross-entropy: -sum_k t_k ln(y_k + epsilon); sum-of-squares: 1/2 sum_k (y_k - t_k)^2
    #[arg(long, default_value = "cross-entropy")]
    kind: Loss,
    /// The outputs of one sample: probabilities
    #[arg(long = "output", id = "output", value_name = "Y,...", allow_hyphen_values = true)]
    outputs: Option<Numbers>,
    /// Its target: the right class, counted from 0, or a number for each output (one-hot)
    #[arg(long, value_name = "CLASS|T,...", allow_hyphen_values = true, conflicts_with = "batch")]
    target: Option<Numbers>,
    /// Samples as .csv or .npy, a row each: the outputs, and the class last
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// The rows of the batch end with a target for each output, not with a class
    #[arg(long, requires = "batch")]
    one_hot: bool,
    /// What is added to y in ln(y); with --softmax, 0 takes the loss from the log-softmax
    #[arg(long, value_name = "NUMBER", default_value = "1e-7", allow_negative_numbers = true)]
    #[arg(value_parser = not_negative)]
    epsilon: f32,
    /// The outputs are logits: their softmax comes first. Without a target that is all
    #[arg(long)]
    softmax: bool,
    /// The outputs are any numbers and no probabilities, for the sum of squares
    #[arg(long, conflicts_with = "softmax")]
    raw: bool,
    #[command(flatten)]
    device: FloatOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// A list of numbers.
#[derive(Debug, Clone)]
struct Numbers(Vec<f64>);

impl std::str::FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is no number"));
        text.split(',').map(number).collect::<Result<_, _>>().map(Self)
    }
}

/// What was found.
struct Found {
    /// `[N][C]`, behind the softmax.
    outputs: Vec<Vec<f64>>,
    /// `[N]`
    per_sample: Vec<f64>,
    /// `[N][C]`
    terms: Vec<Vec<f64>>,
}

#[derive(Serialize)]
struct Document<'a> {
    command: &'static str,
    kind: &'static str,
    epsilon: Option<f32>,
    device: DeviceRecord,
    samples: usize,
    loss: Option<f64>,
    per_sample: &'a [f64],
    terms: &'a [Vec<f64>],
    outputs: &'a [Vec<f64>],
}

impl LossOf {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        if self.raw && self.kind == Loss::CrossEntropy {
            let problem = "--raw outputs are no probabilities, which the cross entropy needs";
            return Err(Failure::Usage(Error::config_hint(problem, "--kind sum-of-squares, or --softmax for logits")));
        }
        let samples = match (&self.outputs, &self.batch) {
            (Some(outputs), _) => {
                Samples::single(&outputs.0, self.target.as_ref(), self.softmax).map_err(Failure::Usage)?
            }
            (None, Some(file)) => Samples::batch(file, self.one_hot)?,
            // clap demands one of them.
            (None, None) => return Err(Failure::Usage(Error::config("--output or --batch says what"))),
        };
        samples.check(self.batch.is_some(), !self.softmax && !self.raw, self.raw)?;
        let mut device = Device::open(&self.device, None, self.output.quiet)?;
        let found = match &mut device.adapter {
            Some(backend) => self.on_adapter(backend.as_mut(), &samples)?,
            None => self.on_cpu(&samples),
        };
        for (sample, loss) in found.per_sample.iter().enumerate() {
            if !loss.is_finite() {
                let problem = format!("the loss of sample {sample} is {loss}");
                let hint = match self.kind {
                    Loss::CrossEntropy => {
                        "an output of 0 where the target is not has a finite loss with --epsilon 1e-7 alone"
                    }
                    Loss::SumOfSquares => "the square of a difference is too large for a number: smaller outputs",
                };
                return Err(Error::config_hint(problem, hint).into());
            }
        }
        let loss =
            (!samples.targets.is_empty()).then(|| found.per_sample.iter().sum::<f64>() / found.per_sample.len() as f64);
        if self.output.json {
            report::json(&Document {
                command: "loss",
                kind: self.kind.name(),
                epsilon: (self.kind == Loss::CrossEntropy).then_some(self.epsilon),
                device: device.record,
                samples: samples.outputs.len(),
                loss,
                per_sample: &found.per_sample,
                terms: &found.terms,
                outputs: &found.outputs,
            })?;
        } else {
            report::print(&self.text(&samples, &found, loss))?;
        }
        Ok(Outcome::Done)
    }

    fn on_cpu(&self, samples: &Samples) -> Found {
        let outputs: Vec<Vec<f64>> = if self.softmax {
            samples.outputs.iter().map(|row| softmax(row)).collect()
        } else {
            samples.outputs.clone()
        };
        let terms = self.terms(samples, &outputs);
        Found { per_sample: terms.iter().map(|row| row.iter().sum()).collect(), outputs, terms }
    }

    /// The terms of each sample from its outputs.
    fn terms(&self, samples: &Samples, outputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let from_logarithms = self.uses_logarithms();
        let row = |((outputs, given), targets): ((&Vec<f64>, &Vec<f64>), &Vec<f64>)| {
            if from_logarithms {
                let logarithms = log_softmax(given);
                return logarithms.iter().zip(targets).map(|(y, t)| if *t == 0.0 { 0.0 } else { -t * y }).collect();
            }
            loss_terms(self.kind, outputs, targets, self.epsilon.into())
        };
        outputs.iter().zip(&samples.outputs).zip(&samples.targets).map(row).collect()
    }

    /// Whether the cross entropy comes from the logarithms of the softmax and not from the softmax itself.
    fn uses_logarithms(&self) -> bool {
        self.softmax && self.kind == Loss::CrossEntropy && self.epsilon == 0.0
    }

    /// By the kernels that train with; the terms, for which there is none, from the outputs in float64.
    fn on_adapter(&self, backend: &mut dyn Backend, samples: &Samples) -> Result<Found> {
        let (rows, columns) = (samples.outputs.len(), samples.outputs[0].len());
        let narrow = |rows: &[Vec<f64>]| rows.iter().flatten().map(|value| *value as f32).collect::<Vec<_>>();
        let given = backend.tensor_from(&narrow(&samples.outputs), rows, columns, "outputs")?;
        let y = if self.softmax { backend.tensor(rows, columns, "softmax")? } else { given };
        let mut recording = Recording::new();
        if self.softmax {
            recording.push(Softmax { x: given, logarithm: false, out: y })?;
        }
        let mut losses = None;
        if !samples.targets.is_empty() {
            let out = backend.tensor(rows, 1, "losses")?;
            let targets = Targets::OneHot(backend.tensor_from(&narrow(&samples.targets), rows, columns, "targets")?);
            match self.kind {
                Loss::CrossEntropy if self.uses_logarithms() => {
                    let y = backend.tensor(rows, columns, "logarithms")?;
                    recording.push(Softmax { x: given, logarithm: true, out: y })?;
                    recording.push(CrossEntropy { y, logarithm: true, targets, epsilon: 0.0, out })?;
                }
                Loss::CrossEntropy => {
                    recording.push(CrossEntropy { y, logarithm: false, targets, epsilon: self.epsilon, out })?;
                }
                Loss::SumOfSquares => recording.push(SumOfSquares { y, targets, out })?,
            }
            losses = Some(out);
        }
        backend.run_once(&recording)?;
        let outputs = backend.read_tensor(y)?;
        let outputs: Vec<Vec<f64>> = if self.softmax {
            outputs.chunks(columns).map(|row| row.iter().copied().map(f64::from).collect()).collect()
        } else {
            samples.outputs.clone()
        };
        let per_sample = match losses {
            Some(losses) => backend.read_tensor(losses)?.into_iter().map(f64::from).collect(),
            None => Vec::new(),
        };
        let terms = self.terms(samples, &outputs);
        Ok(Found { outputs, per_sample, terms })
    }

    fn text(&self, samples: &Samples, found: &Found, loss: Option<f64>) -> String {
        let mut text = String::new();
        match (samples.targets.as_slice(), found.outputs.as_slice()) {
            ([], outputs) => {
                let given = outputs[0].iter().zip(&samples.outputs[0]).enumerate();
                let rows: Vec<_> = given.map(|(k, (y, a))| [k.to_string(), digits(*a), digits(*y)]).collect();
                text += &table(["class", "logit", "softmax"], &rows);
            }
            ([targets], [outputs]) => {
                let rows = (0..outputs.len()).map(|k| {
                    let term = found.terms[0][k];
                    let vanishes = self.kind == Loss::CrossEntropy && targets[k] == 0.0;
                    let term = if vanishes { "0, target 0".into() } else { digits(term) };
                    [k.to_string(), digits(outputs[k]), digits(targets[k]), term]
                });
                text += &table(["class", "output", "target", "term"], &rows.collect::<Vec<_>>());
            }
            (targets, outputs) => {
                let rows = outputs.iter().zip(targets).zip(&found.per_sample).enumerate().take(SHOWN);
                let rows = rows.map(|(sample, ((outputs, targets), loss))| {
                    let class = targets.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(k, _)| k);
                    [sample.to_string(), class.to_string(), digits(outputs[class]), digits(*loss)]
                });
                text += &table(["sample", "class", "its output", "loss"], &rows.collect::<Vec<_>>());
                if let Some(more) = outputs.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                    text += &format!("... and {} more\n", count(more as u64));
                }
            }
        }
        if let Some(loss) = loss {
            let formula = match self.kind {
                Loss::CrossEntropy if self.uses_logarithms() => "-sum_k t_k log_softmax(a)_k".into(),
                Loss::CrossEntropy => format!("-sum_k t_k ln(y_k + {:?})", self.epsilon),
                Loss::SumOfSquares => "1/2 sum_k (y_k - t_k)^2".into(),
            };
            let mut rows = vec![("kind", format!("{}: {formula}", self.kind.name())), ("loss", digits(loss))];
            if samples.outputs.len() > 1 {
                rows.push(("", format!("the mean of {} samples", count(samples.outputs.len() as u64))));
            }
            let vanishing = samples.targets.iter().flatten().filter(|target| **target == 0.0).count();
            if self.kind == Loss::CrossEntropy && vanishing > 0 {
                let all = samples.targets.iter().map(Vec::len).sum::<usize>();
                rows.push(("", format!("{vanishing} of {all} terms vanish: their target is 0")));
            }
            text += &format!("\n{}", pairs(&rows));
        }
        text
    }
}

/// Nine digits at most.
fn digits(value: f64) -> String {
    let rounded = format!("{value:.8e}").parse::<f64>().unwrap_or(value);
    match rounded.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e9).contains(&size) => format!("{rounded}"),
        _ => format!("{rounded:e}"),
    }
}
