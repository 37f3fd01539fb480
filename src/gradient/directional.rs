//! Gradients from random directions: the loss's central difference quotient along each, times the direction, and the
//! mean of these. Nothing is differentiated and no direction is kept.
//!
//! `g = 1/K sum_k c_k u_k` with `c_k = (L(theta + h u_k) - L(theta - h u_k)) / 2h` and elements of `u_k` of -1 and 1
//! estimates the gradient without bias, to the second order in `h` (Spall, 1992: simultaneous perturbation); that
//! directions come from a seed whenever they are needed is MeZO's way (Malladi et al., 2023). Its error is about
//! `sqrt(P / K)` times the gradient itself, `P` parameters; but it asks only for values of `L`, and takes goals that
//! have no derivative: see [`Objective`].
//!
//! Two forward passes a direction, literally; what they have in common is done once. The first layer is linear in its
//! parameters, so that its pre-activations at both ends are `x W + b` plus and minus `h (x U + u)`: one product a
//! direction, over inputs that are mostly 0. Directions go through the layers in groups that fit a processor's cache.

use super::forward::{Batch, Forward, NetworkTensors, view};
use super::{GradientOptions, Objective};
use crate::Result;
use crate::backend::{
    Activate, Advance, Backend, BatchMatmul, DirectionalGradient, Directions, LossDifferences, Measure, Perturb,
    Recording, Shift, Tensor, Words,
};
use crate::network::Activation;

/// Most bytes that a group of directions works with, unless one alone takes more.
const GROUP_BYTES: usize = 4 << 20;

/// The estimate's tensors, for a group of directions where nothing else is said.
#[derive(Debug, Clone)]
pub(super) struct Directional {
    options: GradientOptions,
    samples: usize,
    /// Directions of a group.
    group: usize,
    /// Steps done, a counter of its own; `spare` is moved with it.
    step: Words,
    spare: Words,
    /// `[G, L]`: directions, as far as the first layer's parameters go.
    first: Tensor,
    /// `[2 G, P - L]`: the other layers' parameters, moved.
    moved: Option<Tensor>,
    /// `[G * N, U]`: what a direction adds to the first layer's pre-activations.
    shifts: Tensor,
    /// `[2 G * N, U]` of each layer; the last one's are the logits.
    values: Vec<Tensor>,
    /// The same of layers behind the first that have an activation.
    pre_activations: Vec<Tensor>,
    /// `[K, 1]`
    coefficients: Tensor,
}

impl Directional {
    pub(super) fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        samples: usize,
        options: GradientOptions,
    ) -> Result<Self> {
        let sizes = &network.architecture.sizes[1..];
        let block = network.layout.len();
        let first = network.layout.layers().get(1).map_or(block, |layer| layer.weight.offset);
        let units = sizes[0] + 4 * sizes.iter().sum::<usize>();
        let bytes = 4 * (first + 2 * (block - first) + samples * units);
        // Groups of one size, but for the last.
        let most = (GROUP_BYTES / bytes).clamp(1, options.directions);
        let group = options.directions.div_ceil(options.directions.div_ceil(most));
        let mut rows = |columns: usize, label: &str| backend.tensor(2 * group * samples, columns, label);
        let values = sizes.iter().map(|&units| rows(units, "moved activations")).collect::<Result<_>>()?;
        let inner = sizes.get(1..sizes.len() - 1).unwrap_or_default();
        let pre_activations = inner.iter().map(|&units| rows(units, "moved pre-activations")).collect::<Result<_>>()?;
        Ok(Self {
            samples,
            group,
            step: backend.words(1, "steps done")?,
            spare: backend.words(1, "spare counter")?,
            first: backend.tensor(group, first, "directions")?,
            moved: match block - first {
                0 => None,
                rest => Some(backend.tensor(2 * group, rest, "moved parameters")?),
            },
            shifts: backend.tensor(group * samples, sizes[0], "shifts")?,
            values,
            pre_activations,
            coefficients: backend.tensor(options.directions, 1, "derivatives along directions")?,
            options,
        })
    }

    fn directions(&self, first: usize, count: usize) -> Directions {
        Directions { seed: self.options.seed, step: self.step, first, count }
    }

    /// Records all directions of a step; `gradient` is laid out like the parameters.
    pub(super) fn record(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        gradient: Tensor,
    ) -> Result<()> {
        let count = self.options.directions;
        for first in (0..count).step_by(self.group) {
            self.record_group(
                recording,
                network,
                forward,
                batch,
                self.directions(first, self.group.min(count - first)),
            )?;
        }
        for tensor in network.layout.tensors() {
            recording.push(DirectionalGradient {
                directions: self.directions(0, count),
                offset: tensor.offset,
                coefficients: self.coefficients,
                out: view(gradient, &tensor),
            })?;
        }
        recording.push(Advance { cursor: self.spare, step: self.step })
    }

    /// Records both forward passes of each of these directions, and the quotients.
    fn record_group(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        directions: Directions,
    ) -> Result<()> {
        let (count, step_size) = (directions.count, self.options.step_size);
        let layers = network.layout.layers();
        let last = layers.len() - 1;
        let both = |tensor: Tensor| Tensor { rows: 2 * count * self.samples, ..tensor };
        let activation =
            |layer: usize| if layer < last { network.architecture.activation } else { Activation::Identity };

        let out = Tensor { rows: count, ..self.first };
        recording.push(Perturb { directions, offset: 0, parameters: None, step_size, out })?;
        let shift = Tensor { rows: count * self.samples, ..self.shifts };
        recording.push(BatchMatmul {
            a: batch.inputs,
            shared: true,
            b: out,
            weight_at: layers[0].weight.offset,
            bias_at: layers[0].bias.offset,
            out: shift,
        })?;
        let base = forward.pre_activations[0];
        let mut values = both(self.values[0]);
        recording.push(Shift { activation: activation(0), base, shift, step_size, out: values })?;

        if let Some(moved) = self.moved {
            let (offset, out) = (self.first.columns, Tensor { rows: 2 * count, ..moved });
            let block = network.parameters;
            let parameters = Tensor { offset: block.offset + offset, columns: moved.columns, rows: 1, ..block };
            recording.push(Perturb { directions, offset, parameters: Some(parameters), step_size, out })?;
            for (layer, place) in layers.iter().enumerate().skip(1) {
                let next = both(self.values[layer]);
                let sums = if layer < last { both(self.pre_activations[layer - 1]) } else { next };
                recording.push(BatchMatmul {
                    a: values,
                    shared: false,
                    b: out,
                    weight_at: place.weight.offset - offset,
                    bias_at: place.bias.offset - offset,
                    out: sums,
                })?;
                if layer < last {
                    recording.push(Activate { activation: activation(layer), x: sums, out: next })?;
                }
                values = next;
            }
        }
        let measure = match self.options.objective {
            Objective::Loss => Measure::Loss(network.architecture.output),
            Objective::Accuracy => Measure::ErrorRate,
        };
        recording.push(LossDifferences {
            measure,
            logits: values,
            targets: batch.targets,
            step_size,
            first: directions.first,
            out: self.coefficients,
        })
    }

    /// Evaluations of the batch's loss in so many steps: two a direction, and the one that is reported.
    pub(super) fn evaluations(&self, steps: u64) -> f64 {
        steps as f64 * (1 + 2 * self.options.directions) as f64
    }
}
