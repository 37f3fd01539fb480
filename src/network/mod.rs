//! The mathematics' own words: layers, activations, losses, initialisation, parameters. No device code.

mod activation;
mod initialization;
mod loss;
mod loss_terms;
mod parameters;

pub use activation::Activation;
pub use initialization::Initialization;
pub use loss::{Loss, OutputActivation, OutputLoss};
pub use loss_terms::{log_softmax, loss_terms, softmax};
pub(crate) use parameters::ALIGNMENT;
pub use parameters::{LayerLayout, ParameterLayout, TensorLayout};

use crate::{Error, Result};

/// What a fully connected network is: its layers' sizes and the functions between them.
///
/// Layer `l` computes `a = x W + b` with `W` `[inputs, outputs]` and `b` `[outputs]`, then the hidden
/// [`Activation`]; the last layer's `a` are the logits, to which the [`OutputActivation`] is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Sizes from the inputs to the outputs: `[784, 50, 10]`; `[784, 10]` is softmax regression.
    pub sizes: Vec<usize>,
    /// The function of every hidden layer's units.
    pub activation: Activation,
    /// What turns logits into outputs, and what measures them against the targets.
    pub output: OutputLoss,
}

impl Architecture {
    /// A network of these sizes, checked: at least one layer, no empty one, and an output loss that exists.
    ///
    /// # Errors
    /// [`Error::Config`] for fewer than two sizes, for a size of 0 and for more than 2^31 parameters.
    pub fn new(sizes: Vec<usize>, activation: Activation, output: OutputLoss) -> Result<Self> {
        if sizes.len() < 2 {
            return Err(Error::config(format!("a network needs inputs and outputs; {sizes:?} has {}", sizes.len())));
        }
        if let Some(position) = sizes.iter().position(|&size| size == 0) {
            return Err(Error::config(format!("layer {position} of the network {sizes:?} has no units")));
        }
        let parameters = sizes
            .windows(2)
            .try_fold(0usize, |sum, pair| sum.checked_add(pair[0].checked_add(1)?.checked_mul(pair[1])?));
        match parameters {
            Some(count) if count < 1 << 31 => Ok(Self { sizes, activation, output }),
            _ => Err(Error::config(format!("the network {sizes:?} has 2^31 parameters or more"))),
        }
    }

    /// Inputs of the first layer.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// Outputs of the last layer: the number of classes.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.sizes.last().copied().unwrap_or(0)
    }

    /// The number of layers with weights.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.sizes.len() - 1
    }

    /// The number of weights and biases.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
    }
}

/// An architecture with values for its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Sizes and functions.
    pub architecture: Architecture,
    /// Where each tensor stands in [`Network::parameters`].
    pub layout: ParameterLayout,
    /// All weights and biases in one block, as `layout` says; what lies between tensors is 0.
    pub parameters: Vec<f32>,
}

impl Network {
    /// A network with fresh weights, drawn from `seed`, and biases 0.
    #[must_use]
    pub fn initialized(architecture: Architecture, initialization: Initialization, seed: u64) -> Self {
        let layout = ParameterLayout::new(&architecture);
        let mut parameters = vec![0.0; layout.len()];
        initialization.fill(&layout, seed, &mut parameters);
        Self { architecture, layout, parameters }
    }

    /// The name of the first tensor that holds a NaN or an infinity.
    #[must_use]
    pub fn non_finite_tensor(&self) -> Option<String> {
        self.layout
            .tensors()
            .find(|tensor| self.parameters[tensor.range()].iter().any(|value| !value.is_finite()))
            .map(|tensor| tensor.name)
    }
}
