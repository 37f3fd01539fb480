//! The forward pass: from a mini-batch's inputs to its outputs and its loss.

use crate::Result;
use crate::backend::{
    Activate, Backend, CrossEntropy, Matmul, Mean, Recording, Softmax, SumOfSquares, Targets, Tensor, Words,
};
use crate::network::{Architecture, Network, OutputLoss, ParameterLayout, TensorLayout};

/// A network's parameters on a device.
#[derive(Debug, Clone)]
pub struct NetworkTensors {
    /// Sizes and functions.
    pub architecture: Architecture,
    /// Where each tensor stands in the block.
    pub layout: ParameterLayout,
    /// `[1, P]`, the block.
    pub parameters: Tensor,
}

impl NetworkTensors {
    /// Brings a network's parameters to a device.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn upload(backend: &mut dyn Backend, network: &Network) -> Result<Self> {
        Ok(Self {
            architecture: network.architecture.clone(),
            layout: network.layout.clone(),
            parameters: backend.tensor_from(&network.parameters, 1, network.layout.len(), "parameters")?,
        })
    }

    /// The weight `[inputs, outputs]` of a layer.
    #[must_use]
    pub fn weight(&self, layer: usize) -> Tensor {
        view(self.parameters, &self.layout.layers()[layer].weight)
    }

    /// The bias `[1, outputs]` of a layer.
    #[must_use]
    pub fn bias(&self, layer: usize) -> Tensor {
        view(self.parameters, &self.layout.layers()[layer].bias)
    }
}

/// A tensor of a block that is laid out like the parameters.
pub(super) fn view(block: Tensor, tensor: &TensorLayout) -> Tensor {
    Tensor { buffer: block.buffer, offset: block.offset + tensor.offset, rows: tensor.rows, columns: tensor.columns }
}

/// A mini-batch on a device.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// `[N, I]`
    pub inputs: Tensor,
    /// `[N]` classes.
    pub targets: Words,
    /// Whether the inputs come from bytes, so that none is outside `[0, 1]`.
    pub from_bytes: bool,
}

/// The tensors of a forward pass.
#[derive(Debug, Clone)]
pub struct Forward {
    /// `[N, U]` of each layer: `x W + b`.
    pub pre_activations: Vec<Tensor>,
    /// `[N, U]` of each hidden layer: `phi(x W + b)`.
    pub activations: Vec<Tensor>,
    /// `[N, C]`: probabilities, or the last pre-activations where the outputs are raw.
    pub outputs: Tensor,
    /// `[N, C]` log-probabilities, where the loss is made of them.
    log_outputs: Option<Tensor>,
    /// `[N, 1]` loss of each sample.
    pub sample_losses: Tensor,
}

impl Forward {
    /// Allocates for batches of `samples`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(backend: &mut dyn Backend, architecture: &Architecture, samples: usize) -> Result<Self> {
        let mut pre_activations = Vec::new();
        let mut activations = Vec::new();
        for layer in 0..architecture.layers() {
            let units = architecture.sizes[layer + 1];
            let tensor = backend.tensor(samples, units, "pre-activations")?;
            pre_activations.push(tensor);
            if layer + 1 < architecture.layers() {
                activations.push(backend.tensor(samples, units, "activations")?);
            }
        }
        let classes = architecture.outputs();
        let last = pre_activations[architecture.layers() - 1];
        let outputs = match architecture.output {
            OutputLoss::SumOfSquares => last,
            _ => backend.tensor(samples, classes, "outputs")?,
        };
        let log_outputs = match architecture.output {
            OutputLoss::CrossEntropy { epsilon: 0.0 } => Some(backend.tensor(samples, classes, "log-outputs")?),
            _ => None,
        };
        let sample_losses = backend.tensor(samples, 1, "sample losses")?;
        Ok(Self { pre_activations, activations, outputs, log_outputs, sample_losses })
    }

    /// The inputs of a layer: the batch's, or the activations before it.
    #[must_use]
    pub fn layer_inputs(&self, batch: &Batch, layer: usize) -> Tensor {
        if layer == 0 { batch.inputs } else { self.activations[layer - 1] }
    }

    /// Records the pass up to the outputs.
    ///
    /// # Errors
    /// When the batch does not fit the network.
    pub fn record_outputs(&self, recording: &mut Recording, network: &NetworkTensors, batch: &Batch) -> Result<()> {
        for (layer, &out) in self.pre_activations.iter().enumerate() {
            recording.push(Matmul {
                a: self.layer_inputs(batch, layer),
                transpose_a: false,
                b: network.weight(layer),
                transpose_b: false,
                bias: Some(network.bias(layer)),
                out,
            })?;
            self.record_activation(recording, network, layer)?;
        }
        Ok(())
    }

    /// Records what follows a layer's pre-activations: its activation, or the outputs.
    pub(crate) fn record_activation(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        layer: usize,
    ) -> Result<()> {
        let x = self.pre_activations[layer];
        match self.activations.get(layer) {
            Some(&out) => recording.push(Activate { activation: network.architecture.activation, x, out }),
            None if self.outputs != x => recording.push(Softmax { x, logarithm: false, out: self.outputs }),
            None => Ok(()),
        }
    }

    /// Records each sample's loss and their mean, which goes to row `cursor` of `losses`.
    ///
    /// # Errors
    /// When the batch does not fit the network.
    pub fn record_loss(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        batch: &Batch,
        losses: Tensor,
        cursor: Words,
    ) -> Result<()> {
        self.record_sample_losses(recording, network, batch)?;
        recording.push(Mean { x: self.sample_losses, out: losses, cursor })
    }

    /// Records each sample's loss.
    pub(crate) fn record_sample_losses(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        batch: &Batch,
    ) -> Result<()> {
        let (y, targets, out) = (self.outputs, Targets::Classes(batch.targets), self.sample_losses);
        match (network.architecture.output, self.log_outputs) {
            (OutputLoss::CrossEntropy { epsilon }, Some(logarithms)) => {
                let logits = self.pre_activations[network.architecture.layers() - 1];
                recording.push(Softmax { x: logits, logarithm: true, out: logarithms })?;
                recording.push(CrossEntropy { y: logarithms, logarithm: true, targets, epsilon, out })
            }
            (OutputLoss::CrossEntropy { epsilon }, None) => {
                recording.push(CrossEntropy { y, logarithm: false, targets, epsilon, out })
            }
            _ => recording.push(SumOfSquares { y, targets, out }),
        }
    }
}
