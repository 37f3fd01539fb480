//! Networks in float64: forward, loss, back-propagation, and the literal central difference quotient.

use std::ops::Range;

use gpu_train::gradient::Difference;
use gpu_train::network::{Activation, Network, OutputLoss};

use super::reference::{activate, loss_gradient, sample_loss, slope, softmax};

/// A network of any depth with float64 parameters, laid out as the library's.
#[derive(Clone)]
pub(crate) struct Reference {
    layers: Vec<Layer>,
    activation: Activation,
    output: OutputLoss,
    pub(crate) parameters: Vec<f64>,
}

#[derive(Clone)]
struct Layer {
    inputs: usize,
    outputs: usize,
    weight: Range<usize>,
    bias: Range<usize>,
}

impl Reference {
    /// The same network with the same parameters.
    pub(crate) fn of(network: &Network) -> Self {
        let layers = network.layout.layers().iter().map(|layer| Layer {
            inputs: layer.weight.rows,
            outputs: layer.weight.columns,
            weight: layer.weight.range(),
            bias: layer.bias.range(),
        });
        Self {
            layers: layers.collect(),
            activation: network.architecture.activation,
            output: network.architecture.output,
            parameters: network.parameters.iter().map(|&value| f64::from(value)).collect(),
        }
    }

    /// Each layer's pre-activations for one sample; the last are the logits.
    pub(crate) fn pre_activations(&self, input: &[f64]) -> Vec<Vec<f64>> {
        let mut all: Vec<Vec<f64>> = Vec::new();
        let mut values = input.to_vec();
        for layer in &self.layers {
            let mut sums = self.parameters[layer.bias.clone()].to_vec();
            let weight = &self.parameters[layer.weight.clone()];
            for (value, row) in values.iter().zip(weight.chunks_exact(layer.outputs)) {
                for (sum, weight) in sums.iter_mut().zip(row) {
                    *sum += value * weight;
                }
            }
            values = sums.iter().map(|&a| activate(self.activation, a)).collect();
            all.push(sums);
        }
        all
    }

    /// The mean loss of a batch.
    pub(crate) fn loss(&self, inputs: &[f64], targets: &[u32]) -> f64 {
        let columns = self.layers[0].inputs;
        let losses = inputs.chunks_exact(columns).zip(targets).map(|(input, &target)| {
            let all = self.pre_activations(input);
            sample_loss(self.output, &all[all.len() - 1], target)
        });
        losses.sum::<f64>() / targets.len() as f64
    }

    /// The batch's gradient by back-propagation, in the parameters' layout.
    pub(crate) fn back_propagation(&self, inputs: &[f64], targets: &[u32]) -> Vec<f64> {
        let mut gradient = vec![0.0; self.parameters.len()];
        let columns = self.layers[0].inputs;
        for (input, &target) in inputs.chunks_exact(columns).zip(targets) {
            let all = self.pre_activations(input);
            let logits = &all[all.len() - 1];
            let outputs = match self.output {
                OutputLoss::SumOfSquares => logits.clone(),
                _ => softmax(logits),
            };
            let mut delta = loss_gradient(self.output, &outputs, target);
            for (index, layer) in self.layers.iter().enumerate().rev() {
                let values: Vec<f64> = match index {
                    0 => input.to_vec(),
                    _ => all[index - 1].iter().map(|&a| activate(self.activation, a)).collect(),
                };
                for (j, &d) in delta.iter().enumerate() {
                    gradient[layer.bias.start + j] += d / targets.len() as f64;
                    for (i, value) in values.iter().enumerate() {
                        gradient[layer.weight.start + i * layer.outputs + j] += value * d / targets.len() as f64;
                    }
                }
                if index > 0 {
                    let weight = &self.parameters[layer.weight.clone()];
                    delta = (0..layer.inputs)
                        .map(|i| {
                            let row = &weight[i * layer.outputs..(i + 1) * layer.outputs];
                            let sum: f64 = row.iter().zip(&delta).map(|(weight, d)| weight * d).sum();
                            sum * slope(self.activation, all[index - 1][i])
                        })
                        .collect();
                }
            }
        }
        gradient
    }

    /// `(L(theta + h) - L(theta - h)) / 2h` for one parameter after the other: the loop of the textbook.
    pub(crate) fn literal_quotient(&self, inputs: &[f64], targets: &[u32], h: f64) -> Vec<f64> {
        let mut moved = self.clone();
        let mut gradient = vec![0.0; self.parameters.len()];
        for layer in &self.layers {
            for index in layer.weight.clone().chain(layer.bias.clone()) {
                let value = self.parameters[index];
                moved.parameters[index] = value + h;
                let above = moved.loss(inputs, targets);
                moved.parameters[index] = value - h;
                let below = moved.loss(inputs, targets);
                moved.parameters[index] = value;
                gradient[index] = (above - below) / (2.0 * h);
            }
        }
        gradient
    }

    /// Another quotient, as the textbooks print it, for one parameter after the other.
    pub(crate) fn literal_difference(
        &self,
        inputs: &[f64],
        targets: &[u32],
        difference: Difference,
        h: f64,
    ) -> Vec<f64> {
        let mut moved = self.clone();
        let mut gradient = vec![0.0; self.parameters.len()];
        for layer in &self.layers {
            for index in layer.weight.clone().chain(layer.bias.clone()) {
                let value = self.parameters[index];
                let mut f = |by: f64| {
                    moved.parameters[index] = value + by;
                    moved.loss(inputs, targets)
                };
                gradient[index] = match difference {
                    Difference::Central => (f(h) - f(-h)) / (2.0 * h),
                    Difference::Forward => (f(h) - f(0.0)) / h,
                    Difference::FivePoint => (f(-2.0 * h) - 8.0 * f(-h) + 8.0 * f(h) - f(2.0 * h)) / (12.0 * h),
                    Difference::Richardson => {
                        let half = (f(h / 2.0) - f(-h / 2.0)) / h;
                        (4.0 * half - (f(h) - f(-h)) / (2.0 * h)) / 3.0
                    }
                };
                moved.parameters[index] = value;
            }
        }
        gradient
    }

    /// What float64 itself may get wrong in each element of [`Reference::literal_quotient`]: two losses are rounded
    /// by `2^-52 |L|` at most a few times each, and the difference is divided by `2h`. For `h = 1e-4` and `L = 2.3`
    /// that is 2e-11, far below float32's rounding of any gradient of a network with one hidden layer.
    pub(crate) fn rounding_floor(&self, inputs: &[f64], targets: &[u32], h: f64) -> f64 {
        4.0 * f64::EPSILON * self.loss(inputs, targets).abs().max(1.0) / h
    }
}
