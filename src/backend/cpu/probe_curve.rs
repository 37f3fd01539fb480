//! The loss curve of every unit, sampled and written as a polynomial. See `shaders/probe_curve.wgsl`.
//!
//! Floor at one pair of nodes: `2 N U C` exponentials of about 12 operations each.

use super::loss_change::{Sample, Units};
use super::loss_gradient;
use super::math::{LANES, Lanes};
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::nodes::Nodes;
use crate::backend::op::{MAX_NODES, ProbeCurve};
use crate::network::{Activation, OutputLoss};

pub(super) fn run(op: &ProbeCurve, view: &View<'_>, worker: &mut Worker<'_>) {
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let classes = layer.y.columns;
    let padded = units.next_multiple_of(LANES);
    let share = worker.share(samples, 1);
    let next = layer.next.map(|next| view.floats(next));
    let scratch = worker.scratch((classes + 1) * padded + classes);
    let (weights, rest) = scratch.split_at_mut(classes * padded);
    let (spread, gradient) = rest.split_at_mut(padded);
    transpose(next, units, classes, padded, weights, spread);
    let a = view.floats(layer.pre_activations);
    let y = view.floats(layer.y);
    let targets = view.words(layer.targets);
    let range = op.range.map(|range| view.floats(range));
    let nodes = Nodes::new(op.nodes);
    for n in share {
        let row = n * units..(n + 1) * units;
        // SAFETY: this worker's sample, taken once.
        let errors = unsafe { view.floats_mut(op.errors, row.clone()) };
        let mut coefficients: [&mut [f32]; MAX_NODES] = Default::default();
        for (order, coefficients) in coefficients.iter_mut().take(op.nodes).enumerate() {
            let first = (op.nodes - 1 - order) * samples * units;
            // SAFETY: this worker's sample in each block, each taken once.
            *coefficients = unsafe { view.floats_mut(op.coefficients, first + row.start..first + row.end) };
        }
        let y = &y[n * classes..(n + 1) * classes];
        let target = targets[n] as usize;
        loss_gradient::sample(layer.output, y, target, gradient);
        let curve = Curve {
            activation: layer.activation,
            sample: Sample::new(layer.output, y, target),
            raw: matches!(layer.output, OutputLoss::SumOfSquares),
            gradient,
            weights,
            spread,
            padded,
            reach: layer.step_size * range.map_or(1.0, |range| range[n]),
            scale: 0.5 / samples as f32,
            tolerance: op.tolerance,
        };
        sample_curves(&curve, &nodes, &a[row], &mut coefficients, errors);
    }
}

/// `next` transposed to `[classes, padded]`, and the spread of each unit's weights. Without a `next` each unit
/// moves its own logit by 1.
fn transpose(next: Option<&[f32]>, units: usize, classes: usize, padded: usize, out: &mut [f32], spread: &mut [f32]) {
    out.fill(0.0);
    match next {
        Some(next) => {
            spread.fill(0.0);
            for (j, row) in next.chunks_exact(classes).enumerate() {
                let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
                for (k, &weight) in row.iter().enumerate() {
                    out[k * padded + j] = weight;
                    least = least.min(weight);
                    most = most.max(weight);
                }
                spread[j] = most - least;
            }
        }
        None => {
            spread.fill(1.0);
            for j in 0..units {
                out[j * padded + j] = 1.0;
            }
        }
    }
}

/// All that the curves of one sample have in common.
struct Curve<'a> {
    activation: Activation,
    sample: Sample<'a>,
    /// Whether the loss is a parabola in every logit.
    raw: bool,
    /// The loss's gradient by the logits.
    gradient: &'a [f32],
    /// `[classes, padded]`
    weights: &'a [f32],
    spread: &'a [f32],
    padded: usize,
    /// The largest shift.
    reach: f32,
    /// `1 / 2N`
    scale: f32,
    tolerance: f32,
}

vectorized! {
    /// All curves of one sample.
    fn sample_curves<'a>(
        curve: &'a Curve<'a>,
        nodes: &'a Nodes,
        a: &'a [f32],
        coefficients: &'a mut [&mut [f32]; MAX_NODES],
        errors: &'a mut [f32],
    ) = body
}

#[inline(always)]
fn body<F: Float>(
    curve: &Curve<'_>,
    nodes: &Nodes,
    a: &[f32],
    coefficients: &mut [&mut [f32]; MAX_NODES],
    errors: &mut [f32],
) {
    for first in (0..a.len()).step_by(LANES) {
        let count = LANES.min(a.len() - first);
        let mut lanes = [0.0; LANES];
        lanes[..count].copy_from_slice(&a[first..first + count]);
        let units = Units::new::<F>(curve.activation, lanes);
        let weight = |k: usize| -> Lanes {
            let at = k * curve.padded + first;
            let mut out = [0.0; LANES];
            out.copy_from_slice(&curve.weights[at..at + LANES]);
            out
        };
        let mut result = [[0.0; LANES]; MAX_NODES];
        for node in 0..nodes.count {
            let s = curve.reach * nodes.position[node];
            let plus = curve.sample.change::<F>(&units.change::<F>(&[s; LANES]), weight);
            let minus = curve.sample.change::<F>(&units.change::<F>(&[-s; LANES]), weight);
            let factor = curve.scale / s;
            for (order, result) in result.iter_mut().enumerate().take(nodes.count) {
                let share = nodes.transform[order][node] * factor;
                for lane in 0..LANES {
                    result[lane] = F::mul_add(share, plus[lane] - minus[lane], result[lane]);
                }
            }
        }
        let mut missed = [0.0f32; LANES];
        for check in &nodes.checks[..nodes.check_count] {
            let s = curve.reach * check.position;
            let plus = curve.sample.change::<F>(&units.change::<F>(&[s; LANES]), weight);
            let minus = curve.sample.change::<F>(&units.change::<F>(&[-s; LANES]), weight);
            for lane in 0..LANES {
                let mut read = curve.scale / s * (minus[lane] - plus[lane]);
                for (polynomial, coefficients) in check.polynomials.iter().zip(&result).take(nodes.count) {
                    read = F::mul_add(*polynomial, coefficients[lane], read);
                }
                missed[lane] = missed[lane].max(read.abs());
            }
        }
        let error = curve.error::<F>(nodes, first, &lanes, &units, &result, &missed, weight);
        for lane in 0..count {
            // A comparison that a NaN fails: such a curve is not trusted either.
            let trusted = error[lane] <= curve.tolerance;
            errors[first + lane] = error[lane];
            for (order, coefficients) in coefficients.iter_mut().enumerate().take(nodes.count) {
                coefficients[first + lane] = if trusted { result[order][lane] } else { 0.0 };
            }
        }
    }
}

impl Curve<'_> {
    /// What the polynomial may miss, as a share of the curve's scale.
    #[inline(always)]
    fn error<F: Float>(
        &self,
        nodes: &Nodes,
        first: usize,
        a: &Lanes,
        units: &Units,
        result: &[Lanes; MAX_NODES],
        missed: &Lanes,
        weight: impl Fn(usize) -> Lanes,
    ) -> Lanes {
        let mut sum = [0.0; LANES];
        for (k, gradient) in self.gradient.iter().enumerate() {
            let w = weight(k);
            for lane in 0..LANES {
                sum[lane] = F::mul_add(gradient.abs(), w[lane].abs(), sum[lane]);
            }
        }
        let mut error = [0.0; LANES];
        for lane in 0..LANES {
            let scale = 2.0 * self.scale * units.slope[lane] * sum[lane];
            error[lane] = if nodes.count == 1 {
                self.bound(units.slope[lane], self.spread[first + lane])
            } else {
                estimate(result[nodes.count - 1][lane].abs(), result[nodes.count - 2][lane].abs(), missed[lane], scale)
            };
            if self.activation == Activation::Relu && a[lane].abs() <= self.reach {
                error[lane] = f32::INFINITY;
            }
            if !result[0][lane].is_finite() {
                error[lane] = f32::INFINITY;
            }
        }
        error
    }

    /// A bound of `s^2 C''' / 6 C'` over the curve, from the largest derivatives of the activation and of the loss:
    /// each derivative of the loss by the unit's output brings a factor of at most the spread of its weights.
    #[inline(always)]
    fn bound(&self, slope: f32, spread: f32) -> f32 {
        let (second, third) = match self.activation {
            Activation::Sigmoid => (1.0, 1.0),
            Activation::Tanh => (2.0, 4.0),
            Activation::Relu | Activation::Identity => (0.0, 0.0),
        };
        let bend = slope * spread;
        let loss = if self.raw { 0.0 } else { bend * bend };
        self.reach * self.reach / 6.0 * (loss + 3.0 * second * bend + third)
    }
}

/// The larger of what the spare pair saw and of what the first coefficient left out would be, if it shrinks from the
/// last one as that shrank from the one before: either alone may pass through 0. Float32 noise is no sign of anything.
#[inline(always)]
fn estimate(last: f32, before: f32, missed: f32, scale: f32) -> f32 {
    const NOISE: f32 = 4e-7;
    let ratio = (last / before.max(f32::MIN_POSITIVE)).min(1.0);
    let worst = (last * ratio).max(missed);
    if last.max(missed) <= NOISE * scale { 0.0 } else { worst / scale.max(f32::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_agree_with_back_propagation() {
        use super::super::activation_gradient::slope;
        use super::super::simd::Separate;
        let a = [0.3; LANES];
        for activation in Activation::ALL {
            let units = Units::new::<Separate>(activation, a);
            assert_eq!(units.slope[0], slope::<Separate>(activation, a[0]), "{activation:?}");
        }
    }
}
