//! `gpu-train predict MODEL IMAGE...`: what a model says of pictures, or of samples of a data set.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::options::{DataOptions, DeviceOptions, FunctionOptions, OutputOptions};
use super::record::DeviceRecord;
use super::samples::SplitName;
use super::values::Indices;
use super::{Failure, Outcome};
use crate::data::image::{Picture, SIDE};
use crate::network::{Network, OutputActivation};
use crate::report::{self, bar, percent, shades, significant};
use crate::train::{self, checkpoint};
use crate::{Error, Result};

/// The options of `gpu-train predict`.
#[derive(Debug, Args)]
pub(super) struct Predict {
    /// The model, as safetensors
    model: PathBuf,
    /// PNG or JPEG files of a digit each, of any size, or folders of such files
    #[arg(value_name = "IMAGE", required_unless_present = "index")]
    images: Vec<PathBuf>,
    /// Samples of the data set: 0..10 (the last not among them) or 0,5,9
    #[arg(long, value_name = "INDICES", allow_hyphen_values = true, help_heading = "Data")]
    index: Option<Indices>,
    /// The part of the data set
    #[arg(long, default_value = "test", help_heading = "Data")]
    split: SplitName,
    /// Print what the network sees, too
    #[arg(long, help_heading = "Output")]
    show: bool,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    functions: FunctionOptions,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    device: DeviceRecord,
    predictions: Vec<Prediction>,
}

#[derive(Serialize)]
struct Prediction {
    /// The file, or the data set, its split and the sample's index.
    source: String,
    class: usize,
    /// The outputs, which are probabilities where the model's output activation is the softmax.
    probabilities: Vec<f32>,
    /// Why the picture is not like a drawn digit; null where it is, and for samples of a data set.
    unlike_digit: Option<String>,
    /// The true class of a data set's sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<u8>,
}

/// What is shown to the network.
struct Input {
    source: String,
    pixels: Vec<u8>,
    columns: usize,
    unlike: Option<String>,
    label: Option<u8>,
}

impl Predict {
    /// Reads, predicts and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let mut model = checkpoint::load(&self.model)?;
        self.functions.override_model(&mut model).map_err(Failure::Usage)?;
        let network = model.network;
        let inputs = self.inputs(&network)?;
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        let pixels: Vec<u8> = inputs.iter().flat_map(|input| &input.pixels).copied().collect();
        let outputs = train::predict(opened.backend.as_mut(), &network, &pixels)?;
        let mut predictions = Vec::with_capacity(inputs.len());
        for (input, probabilities) in inputs.iter().zip(outputs) {
            if let Some(value) = probabilities.iter().find(|value| !value.is_finite()) {
                let problem = format!("an output for {} is {value}", input.source);
                return Err(Error::Model { path: self.model.clone(), problem }.into());
            }
            predictions.push(Prediction {
                source: input.source.clone(),
                class: largest(&probabilities),
                probabilities,
                unlike_digit: input.unlike.clone(),
                label: input.label,
            });
        }
        if self.output.json {
            // One document alone on stdout: the pictures go where progress goes.
            if self.show && !self.output.quiet {
                inputs.iter().for_each(|input| report::note(&shown(input)));
            }
            report::json(&Document { command: "predict", device, predictions })?;
        } else {
            let softmax = network.architecture.output.activation() == OutputActivation::Softmax;
            let texts =
                predictions.iter().zip(&inputs).map(|(prediction, input)| self.text(prediction, input, softmax));
            report::print(&texts.collect::<Vec<_>>().join("\n"))?;
        }
        Ok(Outcome::Done)
    }

    /// Everything that is to be predicted, checked against the network.
    fn inputs(&self, network: &Network) -> Result<Vec<Input>, Failure> {
        let features = network.architecture.inputs();
        let mut inputs = Vec::new();
        if !self.images.is_empty() {
            if features != SIDE * SIDE {
                return Err(Error::config_hint(
                    format!("pictures are brought to {SIDE} x {SIDE} pixels, but the model has {features} inputs"),
                    "--index predicts samples of the data set that the model was made for",
                )
                .into());
            }
            for path in files(&self.images)? {
                let digit = Picture::read(&path)?.to_digit();
                let source = path.display().to_string();
                inputs.push(Input { source, pixels: digit.pixels, columns: SIDE, unlike: digit.unlike, label: None });
            }
        }
        if let Some(Indices(indices)) = &self.index {
            let dataset = self.data.open(Some(network.architecture.outputs()))?;
            let (split, name) = self.split.of(&dataset);
            if split.features() != features {
                let (rows, columns) = (split.rows(), split.columns());
                let problem = format!("images of {rows} x {columns} pixels for a network of {features} inputs");
                return Err(Error::config(problem).into());
            }
            for &index in indices {
                if index >= split.len() {
                    let problem = format!(
                        "there is no sample {index}: the {name} split of {} has {}",
                        dataset.name(),
                        split.len()
                    );
                    return Err(Failure::Usage(Error::config(problem)));
                }
                inputs.push(Input {
                    source: format!("{} {name} {index}", dataset.name()),
                    pixels: split.image(index).to_vec(),
                    columns: split.columns(),
                    unlike: None,
                    label: Some(split.labels()[index]),
                });
            }
        }
        Ok(inputs)
    }

    fn text(&self, prediction: &Prediction, input: &Input, softmax: bool) -> String {
        const WIDTH: usize = 40;
        let Prediction { source, class, probabilities, .. } = prediction;
        let number = |value: f32| if softmax { percent(value.into()) } else { significant(value.into()) };
        let mut text = format!("{source}: {class} ({})", number(probabilities[*class]));
        match prediction.label {
            Some(label) if usize::from(label) == *class => text.push_str(", which is right"),
            Some(label) => {
                let _ = write!(text, ", but it is a {label}");
            }
            None => {}
        }
        text.push('\n');
        if let Some(reason) = &prediction.unlike_digit {
            let _ = writeln!(text, "unlike a digit: {reason}");
        }
        if self.show {
            text.push_str(&shades(&input.pixels, input.columns));
        }
        // Raw outputs have no end that a bar could be a share of but the largest.
        let full = if softmax { 1.0 } else { probabilities[*class].max(f32::MIN_POSITIVE) };
        let room = (probabilities.len() - 1).to_string().len().max(2);
        for (class, &value) in probabilities.iter().enumerate() {
            let bar = bar(f64::from(value / full), WIDTH);
            let line = format!("{class:>room$}  {:>9}  {bar}", number(value));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn shown(input: &Input) -> String {
    format!("{}\n{}", input.source, shades(&input.pixels, input.columns))
}

/// The place of the largest output, the first of equals.
fn largest(outputs: &[f32]) -> usize {
    (0..outputs.len()).fold(0, |best, class| if outputs[class] > outputs[best] { class } else { best })
}

/// The files themselves, and the pictures in the folders among them, sorted by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = pictures(path).map_err(|error| Error::io("read", path, error))?;
        if found.is_empty() {
            return Err(Error::config_hint(
                format!("there is no picture in {}", path.display()),
                "files that end on .png, .jpg or .jpeg are looked for; folders in it are not",
            ));
        }
        files.extend(found);
    }
    Ok(files)
}

fn pictures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_picture = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg")) && !path.is_dir()
    };
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<_> = paths.into_iter().filter(|path| is_picture(path)).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(largest(&[0.1, 0.4, 0.4]), 1);
        assert_eq!(largest(&[0.5]), 0);
    }
}
