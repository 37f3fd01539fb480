//! The settings of a run as its log begins with them, and as the command line that repeats it.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::options::number;
use super::train::Train;
use super::values;
use crate::backend::Backend;
use crate::data::Dataset;
use crate::device::DeviceInfo;
use crate::gradient::Method;
use crate::network::Architecture;
use crate::report::count;
use crate::train::Settings;

/// A device in JSON.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeviceRecord {
    kind: &'static str,
    pub(super) name: String,
    backend: String,
    reason: String,
}

impl DeviceRecord {
    /// What `device` is, and why it was taken.
    pub(super) fn new(device: &DeviceInfo, reason: &str) -> Self {
        let (name, backend) = (device.name.clone(), device.backend.clone());
        Self { kind: device.kind.name(), name, backend, reason: reason.into() }
    }
}

impl fmt::Display for DeviceRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, backend, reason } = self;
        write!(formatter, "{name} ({kind}, {backend}): {reason}")
    }
}

/// Everything that decides what a run computes.
#[derive(Debug, Serialize)]
pub(super) struct RunRecord {
    version: &'static str,
    pub(super) dataset: String,
    data_dir: Option<String>,
    pub(super) device: DeviceRecord,
    pub(super) network: Vec<usize>,
    pub(super) activation: &'static str,
    output_activation: &'static str,
    pub(super) loss: &'static str,
    epsilon: Option<f32>,
    pub(super) gradient: &'static str,
    difference: Option<&'static str>,
    pub(super) step_size: Option<f32>,
    probes: Option<String>,
    pub(super) directions: Option<usize>,
    pub(super) objective: Option<&'static str>,
    pub(super) batch_size: usize,
    steps: u64,
    learning_rate: f32,
    optimizer: String,
    init: Option<String>,
    start_from: Option<String>,
    sampling: String,
    eval_every: Option<u64>,
    pub(super) seed: u64,
    memory: Option<u64>,
    pub(super) repeat: String,
}

impl RunRecord {
    /// The record of a run with these options, which came to these settings.
    pub(super) fn new(
        options: &Train,
        settings: &Settings,
        dataset: &Dataset,
        architecture: &Architecture,
        backend: &dyn Backend,
        reason: &str,
    ) -> Self {
        let numerical = settings.method == Method::Numerical;
        let directional = settings.method == Method::Directional;
        let fresh = options.start_from.is_none();
        let mut record = Self {
            version: env!("CARGO_PKG_VERSION"),
            dataset: dataset.name().into(),
            data_dir: options.data.data_dir.as_deref().map(shown),
            device: DeviceRecord::new(backend.info(), reason),
            network: architecture.sizes.clone(),
            activation: architecture.activation.name(),
            output_activation: architecture.output.activation().name(),
            loss: architecture.output.loss().name(),
            epsilon: architecture.output.epsilon(),
            gradient: settings.method.name(),
            difference: numerical.then(|| settings.difference.name()),
            step_size: (numerical || directional).then_some(settings.step_size),
            probes: numerical.then(|| values::name(settings.probes)),
            directions: directional.then_some(settings.directions),
            objective: directional.then(|| settings.objective.name()),
            batch_size: settings.batch_size,
            steps: settings.steps,
            learning_rate: settings.learning_rate,
            optimizer: values::name(options.optimizer),
            init: fresh.then(|| options.initialization().to_string()),
            start_from: options.start_from.as_deref().map(shown),
            sampling: values::name(settings.sampling),
            eval_every: settings.eval_every,
            seed: settings.seed,
            memory: settings.memory,
            repeat: String::new(),
        };
        record.repeat = record.command(options);
        record
    }

    /// The network, from its inputs to its loss.
    pub(super) fn network(&self) -> String {
        let sizes: Vec<_> = self.network.iter().map(ToString::to_string).collect();
        let hidden = if sizes.len() > 2 { format!("{}, ", self.activation) } else { String::new() };
        format!("{}: {hidden}{}, {}", sizes.join("-"), self.output_activation, self.loss)
    }

    /// What is done to it, and how often.
    pub(super) fn run(&self) -> String {
        let gradient = match (self.step_size, self.directions, self.objective) {
            (Some(step_size), Some(directions), Some(objective)) => {
                format!("gradients of the {objective} along {directions} random directions (h = {})", number(step_size))
            }
            (Some(step_size), ..) => {
                let difference = self.difference.unwrap_or_default();
                format!("numerical gradients ({difference}, h = {})", number(step_size))
            }
            _ => "gradients by back-propagation".into(),
        };
        let (optimizer, rate) = (&self.optimizer, number(self.learning_rate));
        let (batch, steps) = (self.batch_size, count(self.steps));
        format!("{gradient}, {optimizer} with learning rate {rate}, batches of {batch}, {steps} steps")
    }

    /// What a picture of the run is called.
    pub(super) fn title(&self) -> String {
        format!("{} on {}: {}", self.network(), self.dataset, self.run())
    }

    /// The command line that does the same again, with every setting that matters, whatever later defaults are.
    fn command(&self, options: &Train) -> String {
        let device = if self.device.kind == "cpu" { "cpu" } else { self.device.name.as_str() };
        let mut command = String::from("gpu-train train");
        let mut add = |flag: &str, value: &str| command.extend([" --", flag, " ", quoted(value).as_str()]);
        add("device", device);
        add("dataset", &self.dataset);
        if let Some(folder) = &options.data.data_dir {
            add("data-dir", &shown(folder));
        }
        match &self.start_from {
            Some(model) => add("start-from", model),
            None => {
                let hidden = self.network.get(1..self.network.len() - 1).unwrap_or_default().to_vec();
                add("hidden", &values::HiddenSizes(hidden).to_string());
                add("init", self.init.as_deref().unwrap_or_default());
            }
        }
        // Also of a model to start from, which need not say them.
        add("activation", self.activation);
        add("output-activation", self.output_activation);
        add("loss", self.loss);
        if let Some(epsilon) = self.epsilon {
            add("epsilon", &number(epsilon));
        }
        add("gradient", self.gradient);
        if let Some(difference) = self.difference {
            add("difference", difference);
        }
        if let Some(step_size) = self.step_size {
            add("step-size", &number(step_size));
        }
        if let Some(probes) = &self.probes {
            add("probes", probes);
        }
        if let (Some(directions), Some(objective)) = (self.directions, self.objective) {
            add("directions", &directions.to_string());
            add("objective", objective);
        }
        add("batch-size", &self.batch_size.to_string());
        add("steps", &self.steps.to_string());
        add("learning-rate", &number(self.learning_rate));
        add("optimizer", &self.optimizer);
        add("sampling", &self.sampling);
        if let Some(steps) = self.eval_every {
            add("eval-every", &steps.to_string());
        }
        if let Some(bytes) = self.memory {
            add("memory", &bytes.to_string());
        }
        add("seed", &self.seed.to_string());
        command
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,+=@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("sets/mnist-2.0"), "sets/mnist-2.0");
        assert_eq!(quoted("NVIDIA H100"), "'NVIDIA H100'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
