//! What the outputs are, and how far they are from the targets.

use crate::{Error, Result};

/// What turns the last layer's logits into outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum OutputActivation {
    /// `exp(a_k) / sum_m exp(a_m)`
    Softmax,
    /// The logits themselves.
    Identity,
}

impl OutputActivation {
    /// The name in options, models and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Identity => "identity",
        }
    }
}

/// The measure of one sample's outputs `y` against its target `t` (one-hot); a batch's loss is the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Loss {
    /// `-sum_k t_k ln(y_k + epsilon)`, of softmax outputs.
    CrossEntropy,
    /// `1/2 sum_k (y_k - t_k)^2`
    SumOfSquares,
}

impl Loss {
    /// The name in options, models and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::SumOfSquares => "sum-of-squares",
        }
    }
}

/// An output activation and a loss that go together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputLoss {
    /// Softmax outputs, `-ln(y_t + epsilon)`; with `epsilon` 0 it is `-log_softmax_t`, finite for every finite logit.
    CrossEntropy {
        /// What keeps the logarithm from 0; 1e-7 in the chapter.
        epsilon: f32,
    },
    /// Softmax outputs, `1/2 sum_k (y_k - t_k)^2`.
    SoftmaxSumOfSquares,
    /// Raw outputs, `1/2 sum_k (a_k - t_k)^2`.
    SumOfSquares,
}

impl OutputLoss {
    /// The pair of these two, with `epsilon` for the cross entropy.
    ///
    /// # Errors
    /// [`Error::Config`] for the cross entropy of raw outputs, which need not be probabilities, and for an
    /// `epsilon` that is negative or not finite.
    pub fn new(activation: OutputActivation, loss: Loss, epsilon: f32) -> Result<Self> {
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::config(format!("epsilon is {epsilon}; it must be 0 or a positive number")));
        }
        match (activation, loss) {
            (OutputActivation::Softmax, Loss::CrossEntropy) => Ok(Self::CrossEntropy { epsilon }),
            (OutputActivation::Softmax, Loss::SumOfSquares) => Ok(Self::SoftmaxSumOfSquares),
            (OutputActivation::Identity, Loss::SumOfSquares) => Ok(Self::SumOfSquares),
            (OutputActivation::Identity, Loss::CrossEntropy) => Err(Error::config_hint(
                "the cross entropy needs probabilities, which the output activation identity does not give",
                "--output-activation softmax, or --loss sum-of-squares",
            )),
        }
    }

    /// What turns logits into outputs.
    #[must_use]
    pub fn activation(self) -> OutputActivation {
        match self {
            Self::CrossEntropy { .. } | Self::SoftmaxSumOfSquares => OutputActivation::Softmax,
            Self::SumOfSquares => OutputActivation::Identity,
        }
    }

    /// What measures the outputs.
    #[must_use]
    pub fn loss(self) -> Loss {
        match self {
            Self::CrossEntropy { .. } => Loss::CrossEntropy,
            Self::SoftmaxSumOfSquares | Self::SumOfSquares => Loss::SumOfSquares,
        }
    }

    /// The `epsilon` of the cross entropy, where that is the loss.
    #[must_use]
    pub fn epsilon(self) -> Option<f32> {
        match self {
            Self::CrossEntropy { epsilon } => Some(epsilon),
            Self::SoftmaxSumOfSquares | Self::SumOfSquares => None,
        }
    }
}
