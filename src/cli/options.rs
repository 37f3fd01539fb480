//! Options that several subcommands share.

use std::path::{Path, PathBuf};

use clap::Args;

use super::values::{self, HiddenSizes, StepSize};
use crate::backend::{OpenOptions, Opened};
use crate::data::Dataset;
use crate::device::Selector;
use crate::gradient::{Difference, GradientOptions, Method, Probes};
use crate::network::{Activation, Architecture, Initialization, Loss, OutputActivation, OutputLoss};
use crate::report::plot;
use crate::train::checkpoint::{self, LoadedNetwork};
use crate::{Error, Result, backend, report};

/// Fresh weights where nothing else is said: the chapter's.
pub(super) const DEFAULT_INITIALIZATION: Initialization = Initialization::Normal(0.01);

/// Where it runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Device")]
pub(super) struct DeviceOptions {
    /// auto (the best real GPU, else the CPU), gpu, software (an adapter without hardware, such as lavapipe),
    /// cpu, or an index or part of a name from `gpu-train devices`
    #[arg(long, default_value = "auto")]
    pub(super) device: String,
    /// Threads of the CPU path; they change no bit of a result [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Budget for data and working memory, such as 256MiB [default: what the device allows]
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, value_parser = values::bytes)]
    pub(super) memory: Option<u64>,
}

impl DeviceOptions {
    /// Threads of the CPU path, where that is said.
    pub(super) fn threads(&self) -> Option<usize> {
        self.threads.map(usize::from)
    }

    /// Opens the device, and passes on what it warns of.
    pub(super) fn open(&self) -> Result<Opened> {
        let Ok(selector) = self.device.parse::<Selector>();
        let opened = backend::open(
            &selector,
            OpenOptions { threads: self.threads.map(usize::from), kept: true, ..OpenOptions::default() },
        )?;
        for warning in &opened.warnings {
            report::warning(warning);
        }
        Ok(opened)
    }
}

/// What it runs on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct DataOptions {
    /// digits (embedded), mnist, fashion-mnist, or a folder with the four IDX files
    #[arg(long, default_value = "digits")]
    pub(super) dataset: String,
    /// The folder with mnist/ and fashion-mnist/ [default: $GPU_TRAIN_DATA_DIR, else the platform's data folder]
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
}

impl DataOptions {
    /// Reads the data set; `classes` are a model's outputs, where there is one.
    pub(super) fn open(&self, classes: Option<usize>) -> Result<Dataset> {
        let folder = self.data_dir.as_deref();
        match classes {
            None => Dataset::open(&self.dataset, folder),
            Some(classes) => Dataset::open_with_classes(&self.dataset, folder, classes),
        }
    }
}

/// How numerical gradients are taken.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Gradient")]
pub(super) struct QuotientOptions {
    /// central; forward, whose error grows as h; five-point and richardson, as h^4 at twice the price
    #[arg(long, default_value = "central")]
    pub(super) difference: Difference,
    /// The h of the difference, or auto: where truncation and rounding are in balance [default: 1e-4; directional
    /// gradients: 1e-3, and 0.03 where the accuracy is the objective]
    #[arg(long = "step-size", value_name = "H", allow_negative_numbers = true)]
    pub(super) given_step: Option<StepSize>,
    /// Loss curves where they pass their check (auto), everywhere (curve), or each parameter on its own
    #[arg(long, default_value = "auto")]
    pub(super) probes: Probes,
}

/// What is said about it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputOptions {
    /// Results as one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Results only, no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// What is drawn of it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct PlotOptions {
    /// A picture of it, as .svg or .png
    #[arg(long = "plot", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// The picture's colours: light or dark
    #[arg(long, default_value = "light")]
    pub(super) theme: plot::Theme,
}

impl PlotOptions {
    /// The file, where one was named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Refuses a file name that could never be written as a picture, before any work is done.
    ///
    /// # Errors
    /// [`Error::Config`] for an ending that is neither `.svg` nor `.png`.
    pub(super) fn checked(&self) -> Result<()> {
        self.file.as_deref().map_or(Ok(()), |file| plot::Format::of(file).map(drop))
    }

    /// Draws the figure where a file was named for it.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub(super) fn save(&self, figure: impl FnOnce() -> plot::Figure) -> Result<()> {
        self.file.as_deref().map_or(Ok(()), |file| plot::save(&figure(), file, self.theme))
    }
}

/// The network's functions, which a model file can tell as well.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub(super) struct FunctionOptions {
    /// Activation of the hidden units [default: sigmoid, or the model's]
    #[arg(long)]
    activation: Option<Activation>,
    /// Activation of the outputs [default: softmax, or the model's]
    #[arg(long, value_name = "ACTIVATION")]
    output_activation: Option<OutputActivation>,
    /// Loss of the outputs against the targets; cross-entropy needs softmax [default: cross-entropy, or the model's]
    #[arg(long)]
    loss: Option<Loss>,
    /// What is added to y in ln(y) [default: 1e-7, or the model's]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = values::not_negative)]
    epsilon: Option<f32>,
}

impl QuotientOptions {
    /// The step that was asked for.
    pub(super) fn step_size(&self) -> StepSize {
        self.given_step.unwrap_or(StepSize::Fixed(StepSize::DEFAULT))
    }

    /// As the library takes them; a step that is still to be chosen is the default one.
    pub(super) fn gradient_options(&self, method: Method, memory: Option<u64>) -> GradientOptions {
        GradientOptions {
            method,
            difference: self.difference,
            step_size: self.step_size().fixed(),
            probes: self.probes,
            memory,
            ..GradientOptions::default()
        }
    }
}

impl FunctionOptions {
    /// The functions of a fresh network.
    ///
    /// # Errors
    /// [`Error::Config`] when they do not go together.
    pub(super) fn of_fresh_network(&self) -> Result<(Activation, OutputLoss)> {
        let output = OutputLoss::new(
            self.output_activation.unwrap_or(checkpoint::DEFAULT_OUTPUT_ACTIVATION),
            self.loss.unwrap_or(checkpoint::DEFAULT_LOSS),
            self.epsilon.unwrap_or(checkpoint::DEFAULT_EPSILON),
        )?;
        Ok((self.activation.unwrap_or(checkpoint::DEFAULT_ACTIVATION), output))
    }

    /// What a fresh network for a data set is, with hidden layers of these sizes or one of 50 units.
    ///
    /// # Errors
    /// [`Error::Config`] when it is none.
    pub(super) fn fresh_architecture(&self, hidden: Option<&HiddenSizes>, dataset: &Dataset) -> Result<Architecture> {
        let (activation, output) = self.of_fresh_network()?;
        let hidden = hidden.map_or([50].as_slice(), |hidden| &hidden.0);
        let ends = ([dataset.train().features()], [dataset.classes()]);
        Architecture::new([&ends.0, hidden, &ends.1].concat(), activation, output)
    }

    /// Puts these in the place of the model's, and warns of what neither says.
    ///
    /// # Errors
    /// [`Error::Config`] when they do not go together.
    pub(super) fn override_model(&self, model: &mut LoadedNetwork) -> Result<()> {
        let architecture = &mut model.network.architecture;
        let output = architecture.output;
        architecture.activation = self.activation.unwrap_or(architecture.activation);
        architecture.output = OutputLoss::new(
            self.output_activation.unwrap_or(output.activation()),
            self.loss.unwrap_or(output.loss()),
            self.epsilon.or(output.epsilon()).unwrap_or(checkpoint::DEFAULT_EPSILON),
        )?;
        let given = |key: &str| match key {
            "activation" => self.activation.is_some(),
            "output_activation" => self.output_activation.is_some(),
            "loss" => self.loss.is_some(),
            // Only the cross entropy has one.
            _ => self.epsilon.is_some() || architecture.output.epsilon().is_none(),
        };
        let value = |key: &str| match key {
            "activation" => architecture.activation.name().into(),
            "output_activation" => architecture.output.activation().name().into(),
            "loss" => architecture.output.loss().name().into(),
            _ => architecture.output.epsilon().map_or_else(String::new, number),
        };
        let unknown = model.assumed.iter().filter(|key| !given(key));
        let unknown: Vec<_> = unknown.map(|key| format!("{key} {}", value(key))).collect();
        if !unknown.is_empty() {
            report::warning(&format!("the model's metadata do not say all: taken to be {}", unknown.join(", ")));
        }
        Ok(())
    }

    /// Puts these where the model says nothing; where it says something else, that is an error.
    ///
    /// # Errors
    /// [`Error::Config`] for a contradiction, or when they do not go together.
    pub(super) fn complete_model(&self, model: &mut LoadedNetwork) -> Result<()> {
        let architecture = &model.network.architecture;
        let output = architecture.output;
        let pairs = [
            ("activation", self.activation.map(values::name), architecture.activation.name().to_string()),
            ("output_activation", self.output_activation.map(values::name), output.activation().name().into()),
            ("loss", self.loss.map(values::name), output.loss().name().into()),
            ("epsilon", self.epsilon.map(number), output.epsilon().map_or("none".into(), number)),
        ];
        for (key, option, model_says) in pairs {
            if let Some(option) = option.filter(|option| *option != model_says && !model.assumed.contains(&key)) {
                let flag = key.replace('_', "-");
                return Err(Error::config_hint(
                    format!("--{flag} {option} contradicts the model to start from, whose {flag} is {model_says}"),
                    format!("leave --{flag} out, or start from a fresh network"),
                ));
            }
        }
        self.override_model(model)
    }
}

/// A number as it is typed: as short as float32 allows.
pub(super) fn number(value: f32) -> String {
    format!("{value:?}")
}
