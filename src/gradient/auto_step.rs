//! `--step-size auto`: the step at which truncation and rounding are in balance, layer by layer.
//!
//! The engine's quotient is made of changes, not of differences of losses, so its rounding does not grow when the step
//! shrinks: the best step is any at which truncation has sunk well below rounding, and the largest of those is taken.
//! A literal quotient's rounding is `r / h`; there `c h^p + r / h` has its least value at `h^(p+1) = r / (p c)`.

use super::batch::{BatchGradient, measured_gradient};
use super::estimate::{rounding_estimates, truncation_estimates};
use super::source::BatchSource;
use super::{GradientOptions, Method, ProbeReport};
use crate::Result;
use crate::backend::Backend;
use crate::network::{Activation, Network};

/// What a quotient loses to rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rounding {
    /// A share of each gradient, whatever the step: the engine's own quotient.
    OfChanges,
    /// So much in each element, divided by the step: literal losses.
    OfLosses(f64),
}

/// The range in which steps are chosen.
const STEPS: std::ops::RangeInclusive<f64> = 1e-8..=0.1;

/// Truncation is to be this share of rounding.
const SHARE: f64 = 0.25;

/// A step for every tensor; those of one layer, which share their curves, have the same.
///
/// # Errors
/// As [`measured_gradient`].
pub fn balanced_steps(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    rounding: Rounding,
) -> Result<Vec<f32>> {
    let relu = network.architecture.layers() > 1 && network.architecture.activation == Activation::Relu;
    let order = if relu { 1 } else { options.difference.order() };
    // A step at which truncation can be measured, and does not hold higher powers yet.
    let pilot = GradientOptions { method: Method::Numerical, step_size: 1e-3, ..options };
    let gradient = measured_gradient(backend, network, source, pilot, None)?.gradient;
    let truncation = truncation_estimates(backend, network, source, pilot, &gradient)?;
    let lost = match rounding {
        Rounding::OfChanges => rounding_estimates(backend, network, source, pilot, &gradient)?,
        Rounding::OfLosses(each) => {
            network.layout.tensors().map(|tensor| each * (tensor.range().len() as f64).sqrt()).collect()
        }
    };
    let pilot_step = f64::from(pilot.step_size);
    let steps = truncation.iter().zip(&lost).map(|(&truncation, &lost)| {
        let power = f64::from(order);
        let coefficient = truncation / pilot_step.powi(order);
        let step = match rounding {
            Rounding::OfChanges => (SHARE * lost / coefficient).powf(1.0 / power),
            Rounding::OfLosses(_) => (lost / (power * coefficient)).powf(1.0 / (power + 1.0)),
        };
        // Without any truncation, or any gradient, every step is as good.
        let step = if step.is_nan() { *STEPS.end() } else { step.clamp(*STEPS.start(), *STEPS.end()) };
        one_digit(step)
    });
    let steps: Vec<f32> = steps.collect();
    Ok(steps.chunks(2).flat_map(|pair| vec![pair.iter().copied().fold(f32::INFINITY, f32::min); pair.len()]).collect())
}

/// The gradient whose tensors are each taken at a step of its own: one run for each step that occurs.
///
/// # Errors
/// As [`measured_gradient`].
pub fn stepped_gradient(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    steps: &[f32],
    repeat: Option<usize>,
) -> Result<BatchGradient> {
    let mut all: Option<BatchGradient> = None;
    let mut distinct = steps.to_vec();
    distinct.sort_by(f32::total_cmp);
    distinct.dedup();
    for step_size in distinct {
        let one = measured_gradient(backend, network, source, GradientOptions { step_size, ..options }, repeat)?;
        let whole = match &mut all {
            None => all.insert(one),
            Some(whole) => {
                for (tensor, _) in network.layout.tensors().zip(steps).filter(|(_, step)| **step == step_size) {
                    whole.gradient[tensor.range()].copy_from_slice(&one.gradient[tensor.range()]);
                }
                whole.seconds += one.seconds;
                whole.loss_evaluations += one.loss_evaluations;
                if let (Some(sum), Some(more)) = (&mut whole.probes, one.probes) {
                    *sum = added(*sum, more);
                }
                whole
            }
        };
        debug_assert_eq!(whole.gradient.len(), network.layout.len());
    }
    match all {
        Some(gradient) => Ok(gradient),
        None => measured_gradient(backend, network, source, options, repeat),
    }
}

fn added(a: ProbeReport, b: ProbeReport) -> ProbeReport {
    ProbeReport {
        curves: a.curves + b.curves,
        more_nodes: a.more_nodes + b.more_nodes,
        single: a.single + b.single,
        largest_check_error: a.largest_check_error.max(b.largest_check_error),
    }
}

/// The largest number of one digit that is not above `step`: `3.7e-4` gives `3e-4`.
fn one_digit(step: f64) -> f32 {
    let power = step.log10().floor() as i32;
    // What rounding makes of 1e-4 / 10^-4 is not to become 0.
    let digit = (step / 10f64.powi(power) + 1e-9).floor().max(1.0);
    format!("{digit}e{power}").parse().unwrap_or(step as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_one_digit() {
        for (step, expected) in [(3.7e-4, 3e-4), (1e-4, 1e-4), (1e-6, 1e-6), (0.1, 0.1), (9.99e-3, 9e-3)] {
            assert_eq!(one_digit(step), expected);
        }
    }
}
