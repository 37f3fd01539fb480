//! What a run is told, and what it tells.

use std::time::Duration;

use crate::backend::Rule;
use crate::data::Sampling;
use crate::gradient::{Difference, Method, Objective, ProbeReport, Probes};

/// How the parameters are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Optimizer {
    /// Plain gradient descent.
    Sgd,
    /// With momentum 0.9.
    Momentum,
    /// Adam with its authors' constants.
    Adam,
}

impl Optimizer {
    /// The update rule, with the field's usual constants.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::Sgd => Rule::Sgd,
            Self::Momentum => Rule::Momentum { momentum: 0.9 },
            Self::Adam => Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        }
    }
}

/// The settings of a training run; [`Settings::default`] is the chapter's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where gradients come from.
    pub method: Method,
    /// Which quotient the numerical gradient is made of.
    pub difference: Difference,
    /// `h` of numerical and directional gradients.
    pub step_size: f32,
    /// Whether numerical gradients read the curve of each unit or probe every parameter.
    pub probes: Probes,
    /// Random directions of each directional gradient.
    pub directions: usize,
    /// What directional gradients descend.
    pub objective: Objective,
    /// Samples of a mini-batch.
    pub batch_size: usize,
    /// Steps of the whole run.
    pub steps: u64,
    /// Factor of the gradient.
    pub learning_rate: f32,
    /// How the parameters are moved.
    pub rule: Rule,
    /// How mini-batches are drawn.
    pub sampling: Sampling,
    /// Of the mini-batches and of random directions.
    pub seed: u64,
    /// Steps between evaluations on both splits; `None`: an epoch. The end is always evaluated.
    pub eval_every: Option<u64>,
    /// Budget for data and working memory on the device, in bytes; `None`: what the device allows.
    pub memory: Option<u64>,
    /// Steps are handed to the device in runs that take about this long: long enough that handing over costs nothing,
    /// short enough that progress and Ctrl-C are prompt.
    pub run_time: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Numerical,
            difference: Difference::Central,
            step_size: 1e-4,
            probes: Probes::Auto,
            directions: 32,
            objective: Objective::Loss,
            batch_size: 100,
            steps: 10_000,
            learning_rate: 0.1,
            rule: Rule::Sgd,
            sampling: Sampling::Replacement,
            seed: 42,
            eval_every: None,
            memory: None,
            run_time: Duration::from_millis(120),
        }
    }
}

impl Settings {
    /// Steps between evaluations on a training split of so many samples: an epoch where nothing is said.
    #[must_use]
    pub fn evaluation_interval(&self, samples: usize) -> u64 {
        let epoch = samples.div_ceil(self.batch_size.max(1)) as u64;
        self.eval_every.unwrap_or(epoch).max(1)
    }
}

/// Loss and accuracy over a whole split.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitScore {
    /// Mean loss.
    pub loss: f64,
    /// Share of samples whose largest output is the target's.
    pub accuracy: f64,
}

/// Both splits after a number of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Steps done.
    pub step: u64,
    /// Passes over the training split done, as a fraction.
    pub epoch: f64,
    /// The training split.
    pub train: SplitScore,
    /// The test split.
    pub test: SplitScore,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Steps done: less than asked for when interrupted.
    pub steps: u64,
    /// Passes over the training split.
    pub epochs: f64,
    /// From the drawing of the first batch to the arrival of the last loss, less evaluations.
    pub seconds: f64,
    /// When the first step was done.
    pub first_step: std::time::Instant,
    /// Evaluations of a whole batch's loss that the gradients took; one probe of one sample is 1/batch_size.
    pub loss_evaluations: f64,
    /// Mean loss of the last mini-batch, before its update.
    pub final_batch_loss: f32,
    /// For numerical gradients.
    pub probes: Option<ProbeReport>,
    /// Both splits at the end.
    pub evaluation: Evaluation,
    /// Whether the observer stopped the run.
    pub interrupted: bool,
}

/// Who watches a run. Called between blocks of steps, on the thread that trains.
pub trait Observer {
    /// The losses of steps `first..first + losses.len()`, counted from 1, and the seconds of training so far.
    fn losses(&mut self, first: u64, losses: &[f32], seconds: f64) -> crate::Result<()>;

    /// Both splits were evaluated.
    fn evaluation(&mut self, evaluation: &Evaluation) -> crate::Result<()>;

    /// Whether the parameters after this step are asked for; only steps that are evaluated are asked about.
    fn wants_parameters(&mut self, _step: u64) -> bool {
        false
    }

    /// The parameters `[layout.len()]` after a step for which they were wanted.
    fn parameters(&mut self, _step: u64, _parameters: Vec<f32>) -> crate::Result<()> {
        Ok(())
    }

    /// Whether to stop now; what was learnt so far is kept.
    fn stop(&mut self) -> bool {
        false
    }
}

/// Nobody watches.
impl Observer for () {
    fn losses(&mut self, _first: u64, _losses: &[f32], _seconds: f64) -> crate::Result<()> {
        Ok(())
    }

    fn evaluation(&mut self, _evaluation: &Evaluation) -> crate::Result<()> {
        Ok(())
    }
}
