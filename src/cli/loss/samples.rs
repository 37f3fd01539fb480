//! Outputs and targets as they are given: on the command line, or in a file; and whether they are any.

use std::path::Path;

use super::Numbers;
use crate::cli::Failure;
use crate::data::{npy, read_csv};
use crate::report::{self, significant};
use crate::{Error, Result};

/// Probabilities may sum to 1 but for this: what decimals cut off.
const SUM_TOLERANCE: f64 = 1e-3;

/// Samples as they were given.
pub(super) struct Samples {
    /// `[N][C]`, or logits.
    pub(super) outputs: Vec<Vec<f64>>,
    /// `[N][C]`; empty where there are none.
    pub(super) targets: Vec<Vec<f64>>,
}

impl Samples {
    /// One sample; without a target where the softmax alone is asked for.
    pub(super) fn single(outputs: &[f64], target: Option<&Numbers>, softmax: bool) -> Result<Self> {
        let classes = outputs.len();
        let targets = match target {
            None if softmax => Vec::new(),
            None => return Err(Error::config_hint("no target", "--target 2, or one-hot: --target 0,0,1")),
            Some(Numbers(target)) => match target.as_slice() {
                [class] => vec![one_hot(*class, classes).map_err(Error::config)?],
                each if each.len() == classes => vec![each.to_vec()],
                other => {
                    let problem = format!("a target of {} numbers for {classes} outputs", other.len());
                    return Err(Error::config_hint(problem, "the class alone, or a number for each output"));
                }
            },
        };
        Ok(Self { outputs: vec![outputs.to_vec()], targets })
    }

    /// The rows of a file.
    pub(super) fn batch(file: &Path, is_one_hot: bool) -> Result<Self> {
        let is_npy = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
        let rows = if is_npy { npy_rows(file)? } else { read_csv(file)? };
        let refuse = |problem: String| {
            let hint = "a row is the outputs and the class; with --one-hot, the outputs and as many targets";
            Error::config_hint(format!("{}: {problem}", file.display()), hint)
        };
        let width = rows.first().map_or(0, Vec::len);
        let classes = if is_one_hot { width / 2 } else { width.saturating_sub(1) };
        if classes == 0 || (is_one_hot && width % 2 == 1) {
            return Err(refuse(format!("rows of {width} numbers")));
        }
        let mut samples = Self { outputs: Vec::new(), targets: Vec::new() };
        for (sample, row) in rows.iter().enumerate() {
            let (outputs, target) = row.split_at(classes);
            samples.outputs.push(outputs.to_vec());
            samples.targets.push(if is_one_hot {
                target.to_vec()
            } else {
                one_hot(target[0], classes).map_err(|problem| refuse(format!("sample {sample}: {problem}")))?
            });
        }
        Ok(samples)
    }

    /// Refuses what are no outputs or targets, and warns of what may be none.
    pub(super) fn check(&self, is_batch: bool, are_probabilities: bool, may_be_negative: bool) -> Result<(), Failure> {
        let refuse = |problem: String, hint: &str| match is_batch {
            // A file's content is no wrong usage.
            true => Err(Failure::Failed(Error::config_hint(problem, hint))),
            false => Err(Failure::Usage(Error::config_hint(problem, hint))),
        };
        let of = |sample: usize| if self.outputs.len() == 1 { String::new() } else { format!(" of sample {sample}") };
        let mut strange_sums = Vec::new();
        for (sample, outputs) in self.outputs.iter().enumerate() {
            for (k, output) in outputs.iter().enumerate() {
                if !output.is_finite() {
                    return refuse(format!("output {k}{} is {output}", of(sample)), "outputs are finite numbers");
                }
                if are_probabilities && *output < 0.0 {
                    let hint =
                        "probabilities are 0 or more; --softmax takes logits, --raw any outputs for the sum of squares";
                    return refuse(format!("output {k}{} is negative: {output}", of(sample)), hint);
                }
            }
            let sum: f64 = outputs.iter().sum();
            if are_probabilities && (sum - 1.0).abs() > SUM_TOLERANCE {
                strange_sums.push((sample, sum));
            }
        }
        for (sample, targets) in self.targets.iter().enumerate() {
            if let Some((k, target)) =
                targets.iter().enumerate().find(|(_, t)| !t.is_finite() || (**t < 0.0 && !may_be_negative))
            {
                return refuse(format!("target {k}{} is {target}", of(sample)), "one-hot targets are 0 and 1");
            }
        }
        if let Some((sample, sum)) = strange_sums.first() {
            let sum = significant(*sum);
            report::warning(&match strange_sums.len() {
                1 => format!("the outputs{} sum to {sum}, not to 1", of(*sample)),
                many => format!("the outputs of {many} samples do not sum to 1: those of sample {sample} to {sum}"),
            });
        }
        Ok(())
    }
}

/// The row that is 1 at this class and 0 elsewhere.
fn one_hot(class: f64, classes: usize) -> Result<Vec<f64>, String> {
    if class.fract() != 0.0 || !(0.0..classes as f64).contains(&class) {
        return Err(format!("there is no class {class}: the {classes} outputs are classes 0 to {}", classes - 1));
    }
    Ok((0..classes).map(|k| if k as f64 == class { 1.0 } else { 0.0 }).collect())
}

fn npy_rows(file: &Path) -> Result<Vec<Vec<f64>>> {
    let array = npy::read(file)?;
    match *array.shape {
        [rows, columns] if rows > 0 && columns > 0 => Ok(array.values.chunks(columns).map(<[f64]>::to_vec).collect()),
        _ => Err(Error::config(format!("{} is of shape {:?}, not of [samples, numbers]", file.display(), array.shape))),
    }
}
