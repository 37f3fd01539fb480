//! Gradients of a network's batch loss: numerical, and by back-propagation as the second opinion.
//!
//! Each is a sequence of operations that is appended to a recording; nothing here runs on its own.

mod auto_step;
mod backprop;
mod batch;
mod check;
mod deep;
mod difference;
mod directional;
mod estimate;
mod exact;
pub mod formula;
mod forward;
pub mod function;
mod incremental;
mod literal;
mod literal_device;
mod numerical;
mod piecewise;
mod source;
mod stencil;
mod step;
mod wide;

pub use auto_step::{Rounding, balanced_steps, stepped_gradient};
pub use batch::{BatchGradient, batch_gradient, measured_gradient};
pub use check::{CheckOptions, Oracle, TensorCheck, check_gradient, literal_rounding};
pub use deep::relative_cost;
pub use difference::Difference;
pub use estimate::{ErrorEstimate, error_estimates, rounding_estimates, truncation_estimates};
pub use forward::{Batch, Forward, NetworkTensors};
pub use incremental::{incremental_quotients, quotients_along};
pub use literal::{LiteralOptions, LiteralQuotients, all_parameters, literal_cost, literal_floor, literal_quotients};
pub use literal_device::device_literal_quotients;
pub use source::BatchSource;
pub use step::{GradientOptions, GradientStep, MAX_DIRECTIONS};

/// Where a gradient comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// The central difference quotient of every parameter, incremental and free of cancellation.
    Numerical,
    /// Back-propagation (Rumelhart, Hinton and Williams, 1986).
    Backprop,
    /// An estimate from the quotients along random directions, which needs values of the loss alone.
    Directional,
}

impl Method {
    /// The name in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Numerical => "numerical",
            Self::Backprop => "backprop",
            Self::Directional => "directional",
        }
    }
}

/// What directional gradients descend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Objective {
    /// The batch's mean loss.
    Loss,
    /// The batch's share of wrong answers, which has no derivative but where it jumps: the random directions smooth it.
    Accuracy,
}

impl Objective {
    /// The name in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        }
    }
}

/// How the numerical gradient probes the weights into a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Probes {
    /// The curve where its check holds, each parameter where it does not.
    Auto,
    /// The curve, sampled at as many points as the step size wants, whatever the check says.
    Curve,
    /// Each parameter on its own.
    Each,
}

/// What the numerical gradient's own check counted over a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProbeReport {
    /// Loss curves sampled: one a step, sample and unit.
    pub curves: u64,
    /// Of these, how many took more than one pair of points.
    pub more_nodes: u64,
    /// Of these, how many were not trusted and probed parameter by parameter.
    pub single: u64,
    /// The largest check error among those trusted, as a share of the curve's scale.
    pub largest_check_error: f64,
}

impl ProbeReport {
    /// Adds what another part of the same run has counted.
    fn add(&mut self, other: &Self) {
        self.curves += other.curves;
        self.more_nodes += other.more_nodes;
        self.single += other.single;
        self.largest_check_error = self.largest_check_error.max(other.largest_check_error);
    }
}
