//! Back-propagation: the derivative by the chain rule, for any depth.

use super::forward::{Batch, Forward, NetworkTensors, view};
use crate::Result;
use crate::backend::{ActivationGradient, Backend, ColumnSums, LossGradient, Matmul, Recording, Tensor};

/// The tensors of a backward pass.
#[derive(Debug, Clone)]
pub(super) struct Backprop {
    /// `[N, U]` of each layer: the loss's gradient by its pre-activations.
    deltas: Vec<Tensor>,
}

impl Backprop {
    pub(super) fn new(backend: &mut dyn Backend, network: &NetworkTensors, samples: usize) -> Result<Self> {
        let sizes = &network.architecture.sizes[1..];
        let deltas = sizes.iter().map(|&units| backend.tensor(samples, units, "deltas")).collect::<Result<_>>()?;
        Ok(Self { deltas })
    }

    /// Records the pass from the outputs back; `gradient` is laid out like the parameters.
    pub(super) fn record(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        gradient: Tensor,
    ) -> Result<()> {
        let last = network.architecture.layers() - 1;
        let output = network.architecture.output;
        recording.push(LossGradient { output, y: forward.outputs, targets: batch.targets, out: self.deltas[last] })?;
        for layer in (0..=last).rev() {
            let delta = self.deltas[layer];
            let place = &network.layout.layers()[layer];
            recording.push(Matmul {
                a: forward.layer_inputs(batch, layer),
                transpose_a: true,
                b: delta,
                transpose_b: false,
                bias: None,
                out: view(gradient, &place.weight),
            })?;
            recording.push(ColumnSums { x: delta, out: view(gradient, &place.bias) })?;
            if layer > 0 {
                recording.push(Matmul {
                    a: delta,
                    transpose_a: false,
                    b: network.weight(layer),
                    transpose_b: true,
                    bias: None,
                    out: self.deltas[layer - 1],
                })?;
                recording.push(ActivationGradient {
                    activation: network.architecture.activation,
                    x: forward.pre_activations[layer - 1],
                    gradient: self.deltas[layer - 1],
                })?;
            }
        }
        Ok(())
    }
}
