//! The first steps of a run in float64: what a trainer's losses are held to.

use super::reference::{EPSILON, sigmoid, softmax};
use crate::Result;
use crate::data::{Sampler, Split};
use crate::network::Network;
use crate::train::Settings;

/// Losses that are compared: before any update, after one, and after two.
const STEPS: usize = 3;

/// The losses of the first steps of plain gradient descent with these settings, by back-propagation; sigmoid units,
/// softmax and cross entropy.
pub(super) fn first_losses(network: &Network, train: &Split, settings: &Settings) -> Result<Vec<f64>> {
    let samples = settings.batch_size;
    let mut sampler = Sampler::new(settings.sampling, train.len(), samples, settings.seed)?;
    let mut indices = vec![0; STEPS * samples];
    sampler.fill(&mut indices);
    let mut parameters: Vec<f64> = network.parameters.iter().map(|&value| value.into()).collect();
    let mut losses = Vec::new();
    for (step, batch) in indices.chunks_exact(samples).enumerate() {
        let mut gradient = vec![0.0; parameters.len()];
        let mut loss = 0.0;
        for &index in batch {
            let inputs = train.image(index as usize).iter().map(|&byte| f64::from(byte) / 255.0).collect();
            let target = train.labels()[index as usize].into();
            // Nothing is done with the last gradient.
            let gradient = if step + 1 < STEPS { Some(gradient.as_mut_slice()) } else { None };
            loss += sample(network, &parameters, inputs, target, gradient);
        }
        losses.push(loss / samples as f64);
        let rate = f64::from(settings.learning_rate) / samples as f64;
        parameters.iter_mut().zip(&gradient).for_each(|(value, slope)| *value -= rate * slope);
    }
    Ok(losses)
}

/// The loss of one sample, whose gradient is added.
fn sample(network: &Network, parameters: &[f64], inputs: Vec<f64>, target: usize, gradient: Option<&mut [f64]>) -> f64 {
    let layers = network.layout.layers();
    // What goes into each layer; behind the last one, the logits.
    let mut values = vec![inputs];
    for (index, layer) in layers.iter().enumerate() {
        let units = layer.weight.columns;
        let mut sums = parameters[layer.bias.range()].to_vec();
        for (input, weights) in values[index].iter().zip(parameters[layer.weight.range()].chunks_exact(units)) {
            // Most pixels are 0.
            if *input != 0.0 {
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += input * weight);
            }
        }
        if index + 1 < layers.len() {
            sums.iter_mut().for_each(|sum| *sum = sigmoid(*sum));
        }
        values.push(sums);
    }
    let probabilities = softmax(&values[layers.len()]);
    let of_target = probabilities[target] + f64::from(EPSILON);
    let loss = -of_target.ln();
    let Some(gradient) = gradient else { return loss };
    let factor = probabilities[target] / of_target;
    let mut deltas: Vec<f64> = probabilities.iter().map(|y| factor * y).collect();
    deltas[target] -= factor;
    for (index, layer) in layers.iter().enumerate().rev() {
        let units = layer.weight.columns;
        gradient[layer.bias.range()].iter_mut().zip(&deltas).for_each(|(slope, delta)| *slope += delta);
        let weights = parameters[layer.weight.range()].chunks_exact(units);
        let slopes = gradient[layer.weight.range()].chunks_exact_mut(units);
        let mut before = Vec::with_capacity(values[index].len());
        for ((&input, weights), slopes) in values[index].iter().zip(weights).zip(slopes) {
            if input != 0.0 {
                slopes.iter_mut().zip(&deltas).for_each(|(slope, delta)| *slope += input * delta);
            }
            // The sigmoid's slope, from its value; nothing asks for the pixels'.
            if index > 0 {
                let back: f64 = weights.iter().zip(&deltas).map(|(weight, delta)| weight * delta).sum();
                before.push(back * input * (1.0 - input));
            }
        }
        deltas = before;
    }
    loss
}
