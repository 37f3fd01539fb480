//! One gradient of one mini-batch, by whichever method: the tensors, and what is recorded.

use super::backprop::Backprop;
use super::deep::Surroundings;
use super::directional::Directional;
use super::forward::{Batch, Forward, NetworkTensors};
use super::stencil::Stencil;
use super::{Difference, Method, Objective, ProbeReport, Probes};
use crate::backend::{Backend, MAX_NODES, Recording, Tensor, Words};
use crate::{Error, Result};

/// How a gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientOptions {
    /// Numerical, by back-propagation, or along random directions.
    pub method: Method,
    /// Which quotient stands for the derivative.
    pub difference: Difference,
    /// `h`
    pub step_size: f32,
    /// How numerical gradients probe.
    pub probes: Probes,
    /// Pairs of points on each curve, 1 to [`MAX_NODES`]; `None`: as many as the step size wants.
    pub nodes: Option<usize>,
    /// Bytes for following probes through deep networks; `None`: what suits the device.
    pub memory: Option<u64>,
    /// Random directions of a directional gradient, 1 to [`MAX_DIRECTIONS`].
    pub directions: usize,
    /// What directional gradients descend.
    pub objective: Objective,
    /// Of the random directions.
    pub seed: u64,
}

/// Most random directions of a gradient.
pub const MAX_DIRECTIONS: usize = 10_000;

impl Default for GradientOptions {
    fn default() -> Self {
        Self {
            method: Method::Numerical,
            difference: Difference::Central,
            step_size: 1e-4,
            probes: Probes::Auto,
            nodes: None,
            memory: None,
            directions: 32,
            objective: Objective::Loss,
            seed: 42,
        }
    }
}

impl GradientOptions {
    fn check(&self) -> Result<()> {
        if !(self.step_size.is_normal() && self.step_size > 0.0) {
            return Err(Error::config(format!("the step size is {}; it must be a positive number", self.step_size)));
        }
        if !(1..=MAX_DIRECTIONS).contains(&self.directions) {
            let directions = self.directions;
            return Err(Error::config(format!("{directions} random directions; 1 to {MAX_DIRECTIONS} are possible")));
        }
        match self.nodes {
            Some(nodes) if !(1..=MAX_NODES).contains(&nodes) => {
                Err(Error::config(format!("{nodes} pairs of points on a curve; 1 to {MAX_NODES} are possible")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
enum Pass {
    Numerical(Stencil),
    Backprop(Backprop),
    Directional(Box<Directional>),
}

/// Forward pass, loss and gradient of one mini-batch.
#[derive(Debug)]
pub struct GradientStep {
    /// The forward pass.
    pub forward: Forward,
    /// `[1, P]`, laid out like the parameters.
    pub gradient: Tensor,
    pass: Pass,
}

impl GradientStep {
    /// Allocates for batches like this one.
    ///
    /// # Errors
    /// [`Error::Config`] for options that make no gradient; or when the device has no room.
    pub fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        batch: &Batch,
        options: GradientOptions,
    ) -> Result<Self> {
        options.check()?;
        let forward = Forward::new(backend, &network.architecture, batch.inputs.rows)?;
        let gradient = backend.tensor(1, network.layout.len(), "gradient")?;
        let pass = match options.method {
            Method::Numerical => Pass::Numerical(Stencil::new(backend, network, batch, options)?),
            Method::Backprop => Pass::Backprop(Backprop::new(backend, network, batch.inputs.rows)?),
            Method::Directional => {
                Pass::Directional(Box::new(Directional::new(backend, network, batch.inputs.rows, options)?))
            }
        };
        Ok(Self { forward, gradient, pass })
    }

    /// Records forward pass, loss (to row `cursor` of `losses`) and gradient.
    ///
    /// # Errors
    /// When the batch does not fit the network.
    pub fn record(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        batch: &Batch,
        losses: Tensor,
        cursor: Words,
    ) -> Result<()> {
        self.forward.record_outputs(recording, network, batch)?;
        self.forward.record_loss(recording, network, batch, losses, cursor)?;
        match &self.pass {
            Pass::Numerical(pass) => pass.record(recording, network, &self.forward, batch, self.gradient),
            Pass::Backprop(pass) => pass.record(recording, network, &self.forward, batch, self.gradient),
            Pass::Directional(pass) => pass.record(recording, network, &self.forward, batch, self.gradient),
        }
    }

    /// Whether every run of what was recorded must be followed by [`GradientStep::refine`] before the gradient is used:
    /// numerical gradients of networks with two hidden layers and more.
    #[must_use]
    pub fn must_be_refined(&self) -> bool {
        match &self.pass {
            Pass::Numerical(pass) => pass.must_be_refined(),
            Pass::Backprop(_) | Pass::Directional(_) => false,
        }
    }

    /// Completes the gradient after a run: looks at the checks of deep layers and makes good what they refuse.
    ///
    /// # Errors
    /// When the device fails.
    pub fn refine(&mut self, backend: &mut dyn Backend, network: &NetworkTensors, batch: &Batch) -> Result<()> {
        match &mut self.pass {
            Pass::Numerical(pass) => {
                let (forward, gradient) = (&self.forward, self.gradient);
                pass.refine(backend, &Surroundings { network, forward, batch, gradient })
            }
            Pass::Backprop(_) | Pass::Directional(_) => Ok(()),
        }
    }

    /// What the numerical gradient's checks counted over `steps` runs, and the loss evaluations that were made
    /// (back-propagation: the forward pass of each step).
    ///
    /// # Errors
    /// When the device fails.
    pub fn report(&self, backend: &mut dyn Backend, steps: u64) -> Result<(Option<ProbeReport>, f64)> {
        match &self.pass {
            Pass::Numerical(pass) => {
                let (report, evaluations) = pass.report(backend, steps)?;
                Ok((Some(report), evaluations))
            }
            Pass::Backprop(_) => Ok((None, steps as f64)),
            Pass::Directional(pass) => Ok((None, pass.evaluations(steps))),
        }
    }
}
