//! How far a gradient may be from the derivative, tensor by tensor: what the quotient leaves out (truncation) and what
//! float32 loses (rounding). Both are measured, by computing the gradient again in other ways.

use super::batch::measured_gradient;
use super::source::BatchSource;
use super::{Difference, GradientOptions, Method, Probes};
use crate::Result;
use crate::backend::Backend;
use crate::network::{Activation, Network};

/// The error of one tensor of a gradient, by its norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorEstimate {
    /// How far the quotient is from the derivative.
    pub truncation: f64,
    /// How far the computed quotient is from the exact one.
    pub rounding: f64,
}

impl ErrorEstimate {
    /// Both together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.truncation + self.rounding
    }
}

/// Two computations differ by the roundings of both, so by `sqrt(2)` of those of one; the rest is for what they have
/// in common.
const PER_DIFFERENCE: f64 = 2.0;

/// Rounding that no other computation shows, as a share of the norm: that of the results themselves, for one.
const COMMON_ROUNDING: f64 = 1.2e-7;

/// Other steps at which rounding is looked for, as shares of the step: at one and the same step an elementary function
/// errs by the same share in all samples, and sums of which most cancels make much of that. So near that truncation is
/// the same; so far, some hundred units in the last place, that nothing is rounded the same way.
const OTHER_STEPS: [f32; 2] = [0.999_98, 0.999_97];

/// The next power of the step is up to so large a part of the first one where steps are large.
const NEXT_POWER: f64 = 1.5;

/// Both estimates for `gradient`, which `options` gave; three more gradients are computed (one by back-propagation).
///
/// # Errors
/// As [`measured_gradient`](super::measured_gradient).
pub fn error_estimates(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    gradient: &[f32],
) -> Result<Vec<ErrorEstimate>> {
    let truncation = truncation_estimates(backend, network, source, options, gradient)?;
    let rounding = rounding_estimates(backend, network, source, options, gradient)?;
    let pairs = truncation.into_iter().zip(rounding);
    Ok(pairs.map(|(truncation, rounding)| ErrorEstimate { truncation, rounding }).collect())
}

/// What the quotient leaves out, tensor by tensor: Richardson's difference to the quotient of another step size.
///
/// With an error of `c h^p`, `D(H) - D(h) = c (H^p - h^p)`. A small `h` is compared with a step so large that the
/// difference is no rounding, a large one with a smaller step. ReLU has kinks, whose part grows as `h` and with no
/// regularity: there it is the difference to the double step, of which rounding is a part.
///
/// # Errors
/// As [`measured_gradient`](super::measured_gradient).
pub fn truncation_estimates(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    gradient: &[f32],
) -> Result<Vec<f64>> {
    if options.method == Method::Backprop {
        return Ok(vec![0.0; network.layout.tensors().count()]);
    }
    let mut again = |options: GradientOptions| -> Result<Vec<f32>> {
        Ok(measured_gradient(backend, network, source, options, None)?.gradient)
    };
    if options.difference == Difference::Forward {
        // Its error is that of the central quotient and the even part of the curve, which both sides give exactly.
        let central = GradientOptions { difference: Difference::Central, probes: Probes::Auto, ..options };
        let quotient = again(central)?;
        let even = distances(network, gradient, &quotient, 1.0);
        let rest = truncation_estimates(backend, network, source, central, &quotient)?;
        return Ok(even.into_iter().zip(rest).map(|(even, rest)| even + rest).collect());
    }
    let kinks = network.architecture.layers() > 1 && network.architecture.activation == Activation::Relu;
    let h = options.step_size;
    let order = if kinks { 1 } else { options.difference.order() };
    let other = if kinks { 2.0 * h } else { second_step(h, order) };
    // What is compared with a much smaller step is larger than anything that a check of its smooth curves could find, and such
    // checks may take fifty times as long as the gradient in question.
    let probes = if options.probes == Probes::Auto && !kinks && other > h { Probes::Curve } else { options.probes };
    let second = again(GradientOptions { step_size: other, probes, ..options })?;
    let power = (f64::from(other) / f64::from(h)).powi(order);
    Ok(distances(network, gradient, &second, NEXT_POWER / (power - 1.0).abs()))
}

/// The step that a gradient of step `h` is compared with.
fn second_step(h: f32, order: i32) -> f32 {
    // Where truncation is about 1e-4 of the gradient: far above float32's rounding, and the next power far below.
    let visible = if order > 2 { 0.2 } else { 0.03 };
    if h < visible { visible.max(3.0 * h) } else { h / 4.0 }
}

/// What float32 loses, tensor by tensor: the same gradient with samples, inputs, units and classes in the opposite
/// order is the same number, but its sums are rounded elsewhere; and at a step nearby it is nearly the same number, but
/// each change is rounded elsewhere.
///
/// # Errors
/// As [`measured_gradient`](super::measured_gradient).
pub fn rounding_estimates(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    gradient: &[f32],
) -> Result<Vec<f64>> {
    source.check(network)?;
    let batch = source.mirrored(network.architecture.outputs());
    // A tensor with rows and columns in the opposite order is the tensor read backwards.
    let mut mirrored = network.clone();
    let backwards = |values: &mut [f32]| network.layout.tensors().for_each(|tensor| values[tensor.range()].reverse());
    backwards(&mut mirrored.parameters);
    let other_steps = if options.method == Method::Backprop { &[1.0] } else { OTHER_STEPS.as_slice() };
    let mut lost = norms(network, gradient);
    lost.iter_mut().for_each(|lost| *lost *= COMMON_ROUNDING);
    for share in other_steps {
        let options = GradientOptions { step_size: options.step_size * share, ..options };
        let mut other = measured_gradient(backend, &mirrored, &batch.source(), options, None)?.gradient;
        backwards(&mut other);
        for (lost, distance) in lost.iter_mut().zip(distances(network, gradient, &other, PER_DIFFERENCE)) {
            *lost = lost.max(distance);
        }
    }
    Ok(lost)
}

/// The norm of each tensor of a block.
pub(super) fn norms(network: &Network, block: &[f32]) -> Vec<f64> {
    distances(network, block, &vec![0.0; block.len()], 1.0)
}

/// `factor |a - b|` of each tensor.
pub(super) fn distances(network: &Network, a: &[f32], b: &[f32], factor: f64) -> Vec<f64> {
    let distance = |range: std::ops::Range<usize>| {
        let squares = a[range.clone()].iter().zip(&b[range]).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
        factor * squares.sum::<f64>().sqrt()
    };
    network.layout.tensors().map(|tensor| distance(tensor.range())).collect()
}
