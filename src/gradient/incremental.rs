//! Quotients in float64 that do not cancel: the changes that one parameter causes are carried to the loss, sample by
//! sample, in plain scalar code. Where a literal quotient's own rounding (`2^-52 |L| / h`) is too coarse to judge a
//! gradient by, this one stands in for it: its error is a few roundings of each change, whatever `h` is.

use super::Difference;
use super::literal::check_places;
use super::source::BatchSource;
use super::wide::{Wide, activate, activation_change, loss_change, outputs};
use crate::Result;
use crate::backend::cpu::wide_matmul::{Scratch, affine};
use crate::network::Network;

/// The quotients of these parameters (places in the block) of the batch's mean loss.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) for a batch that does not fit or a place that is no parameter.
pub fn incremental_quotients(
    network: &Network,
    source: &BatchSource<'_>,
    parameters: &[usize],
    difference: Difference,
    step_size: f32,
) -> Result<Vec<f64>> {
    source.check(network)?;
    check_places(network, parameters)?;
    let base = Base::new(Wide::new(network, source));
    let h = f64::from(step_size);
    let quotient = |&place: &usize| {
        let points = difference.points().iter().filter(|(offset, _)| *offset != 0.0);
        points.map(|(offset, weight)| weight * base.change(place, offset * h)).sum::<f64>() / h
    };
    Ok(parameters.iter().map(quotient).collect())
}

/// The central quotients of the batch's mean loss by the parameter at `place`, where it has been moved by each of `shifts`.
///
/// Both points of a quotient are reached from the unmoved network, whose own pre-activations are computed once: what
/// rounding leaves is about `2^-52` of the loss's whole change, over `h`.
///
/// # Errors
/// As [`incremental_quotients`].
pub fn quotients_along(
    network: &Network,
    source: &BatchSource<'_>,
    place: usize,
    shifts: &[f64],
    step_size: f32,
) -> Result<Vec<f64>> {
    source.check(network)?;
    check_places(network, &[place])?;
    let base = Base::new(Wide::new(network, source));
    let h = f64::from(step_size);
    Ok(shifts.iter().map(|shift| (base.change(place, shift + h) - base.change(place, shift - h)) / (2.0 * h)).collect())
}

/// The unperturbed network.
struct Base<'a> {
    wide: Wide<'a>,
    /// `[N, U]` of each layer.
    pre_activations: Vec<Vec<f64>>,
    /// `[N, I]` of each layer.
    inputs: Vec<Vec<f64>>,
    /// `[C]` of each sample.
    outputs: Vec<Vec<f64>>,
}

impl<'a> Base<'a> {
    fn new(wide: Wide<'a>) -> Self {
        let samples = wide.targets.len();
        let (mut pre_activations, mut inputs) = (Vec::new(), Vec::new());
        let mut values = wide.inputs.clone();
        let mut products = Scratch::default();
        for (index, layer) in wide.layers().iter().enumerate() {
            let mut a = vec![0.0; samples * layer.weight.columns];
            let (weight, bias) = (&wide.parameters[layer.weight.range()], &wide.parameters[layer.bias.range()]);
            affine(&values, weight, bias, &mut a, &mut products);
            inputs.push(values);
            values = a.iter().map(|&a| activate(wide.activation(index), a)).collect();
            pre_activations.push(a);
        }
        let architecture = &wide.network.architecture;
        let rows = values.chunks_exact(architecture.outputs());
        let outputs = rows.map(|logits| outputs(architecture.output, logits)).collect();
        Self { wide, pre_activations, inputs, outputs }
    }

    /// `L(theta + by) - L(theta)` of the batch, for the parameter at `place`.
    fn change(&self, place: usize, by: f64) -> f64 {
        let layers = self.wide.layers();
        let Some(first) = layers.iter().position(|layer| place < layer.bias.range().end) else { return f64::NAN };
        let layer = &layers[first];
        let units = layer.weight.columns;
        // Row and column of a weight; a bias has an input of 1.
        let (input, unit) = match place.checked_sub(layer.bias.offset) {
            Some(unit) => (None, unit),
            None => (Some((place - layer.weight.offset) / units), (place - layer.weight.offset) % units),
        };
        let samples = self.wide.targets.len();
        let changes = (0..samples).map(|n| {
            let x = input.map_or(1.0, |input| self.inputs[first][n * layer.weight.rows + input]);
            if x == 0.0 {
                return 0.0;
            }
            let mut moves = vec![0.0; units];
            moves[unit] = by * x;
            for index in first..layers.len() - 1 {
                moves = self.through(index, n, &moves);
            }
            let output = self.wide.network.architecture.output;
            loss_change(output, &self.outputs[n], &moves, self.wide.targets[n])
        });
        changes.sum::<f64>() / samples as f64
    }

    /// What moves of a layer's pre-activations do to those of the next layer.
    fn through(&self, layer: usize, n: usize, moves: &[f64]) -> Vec<f64> {
        let next = &self.wide.layers()[layer + 1].weight;
        let weight = &self.wide.parameters[next.range()];
        let a = &self.pre_activations[layer][n * moves.len()..];
        let mut out = vec![0.0; next.columns];
        for ((&moved, &a), row) in moves.iter().zip(a).zip(weight.chunks_exact(next.columns)) {
            // Most units of the moved parameter's own layer stay.
            if moved == 0.0 {
                continue;
            }
            let change = activation_change(self.wide.activation(layer), a, moved);
            if change != 0.0 {
                out.iter_mut().zip(row).for_each(|(out, weight)| *out += change * weight);
            }
        }
        out
    }
}
