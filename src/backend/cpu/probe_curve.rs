//! The loss curve of every unit, sampled and written as a polynomial. See `shaders/probe_curve.wgsl`.
//!
//! Floor at one pair of nodes: `2 N U C` exponentials of about 12 operations each.

use std::ops::Range;

use super::estimate::{estimate, kept};
use super::lanes::{load, store};
use super::loss_change::{Moves, Sample, Shift, Units, largest_magnitude};
use super::loss_gradient;
use super::math::{LANES, Lanes, SMALL};
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::nodes::{MAX_CHECKS, Nodes};
use crate::backend::op::{MAX_NODES, ProbeCurve};
use crate::network::{Activation, OutputLoss};

pub(super) fn run(op: &ProbeCurve, view: &View<'_>, worker: &mut Worker<'_>) {
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let classes = layer.y.columns;
    let padded = units.next_multiple_of(LANES);
    let share = worker.share(samples, 1);
    let range = share.start * units..share.end * units;
    // SAFETY: this worker's samples, taken once.
    let errors = unsafe { view.floats_mut(op.errors, range.clone()) };
    let mut coefficients: [&mut [f32]; MAX_NODES] = Default::default();
    for (order, coefficients) in coefficients.iter_mut().take(op.nodes).enumerate() {
        let first = (op.nodes - 1 - order) * samples * units;
        // SAFETY: this worker's samples in each block, each taken once.
        *coefficients = unsafe { view.floats_mut(op.coefficients, first + range.start..first + range.end) };
    }
    let scratch = worker.scratch((classes + 1) * padded + classes);
    let (weights, rest) = scratch.split_at_mut(classes * padded);
    let (spread, gradient) = rest.split_at_mut(padded);
    transpose(layer.next.map(|next| view.floats(next)), units, classes, padded, weights, spread);
    let curves = Curves {
        op,
        nodes: Nodes::new(op.nodes),
        weights,
        spread,
        padded,
        a: view.floats(layer.pre_activations),
        y: view.floats(layer.y),
        targets: view.words(layer.targets),
        range: op.range.map(|range| view.floats(range)),
        raw: matches!(layer.output, OutputLoss::SumOfSquares),
        scale: 0.5 / samples as f32,
    };
    sample(&curves, share, gradient, &mut coefficients, errors);
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

/// All that the curves of one layer have in common.
struct Curves<'a> {
    op: &'a ProbeCurve,
    nodes: Nodes,
    /// `[classes, padded]`
    weights: &'a [f32],
    spread: &'a [f32],
    padded: usize,
    a: &'a [f32],
    y: &'a [f32],
    targets: &'a [u32],
    range: Option<&'a [f32]>,
    /// Whether the loss is a parabola in every logit.
    raw: bool,
    /// `1 / 2N`
    scale: f32,
}

/// Pairs of points at which a curve is measured: nodes, then spare ones.
const MAX_PAIRS: usize = MAX_NODES + MAX_CHECKS;

vectorized! {
    /// All curves of some samples; `gradient` has room for the classes.
    fn sample(
        curves: &Curves<'_>,
        samples: Range<usize>,
        gradient: &mut [f32],
        coefficients: &mut [&mut [f32]; MAX_NODES],
        errors: &mut [f32],
    ) = body
}

#[inline(always)]
fn body<F: Float>(
    curves: &Curves<'_>,
    samples: Range<usize>,
    gradient: &mut [f32],
    coefficients: &mut [&mut [f32]; MAX_NODES],
    errors: &mut [f32],
) {
    let (nodes, layer) = (&curves.nodes, &curves.op.layer);
    let (units, classes) = (layer.pre_activations.columns, layer.y.columns);
    let unmoved = Shift::new::<F>(layer.activation, [0.0; LANES]);
    let (mut reach, mut shifts) = (f32::NAN, [[unmoved; 2]; MAX_PAIRS]);
    for n in samples.clone() {
        let y = &curves.y[n * classes..(n + 1) * classes];
        let target = curves.targets[n] as usize;
        let sample = Sample::new(layer.output, y, target);
        let reaches = layer.step_size * curves.range.map_or(1.0, |range| range[n]);
        if reaches.to_bits() != reach.to_bits() {
            reach = reaches;
            for (shifts, position) in shifts.iter_mut().zip(nodes.positions()) {
                let s = reach * position;
                *shifts = [s, -s].map(|s| Shift::new::<F>(layer.activation, [s; LANES]));
            }
        }
        if nodes.count > 1 {
            loss_gradient::sample(layer.output, y, target, gradient);
        }
        for first in (0..units).step_by(LANES) {
            let a = load(&curves.a[n * units + first..]);
            let unit = Units::new::<F>(layer.activation, a);
            let group = Group { curves, sample, first, unit };
            let place = (n - samples.start) * units + first;
            let error = if nodes.count == 1 {
                let mut result = group.difference::<F>(&shifts[0]);
                let factor = curves.scale / (reach * nodes.position[0]);
                result = F::mul_lanes(&result, &[factor; LANES]);
                let error = group.bounds::<F>(reach, &a, &result);
                store(&kept::<F>(error, curves.op.tolerance, &result), &mut coefficients[0][place..]);
                error
            } else {
                let (result, missed) = group.polynomial::<F>(reach, &shifts);
                let error = group.estimates::<F>(reach, gradient, &a, &result, &missed);
                for (result, coefficients) in result.iter().zip(coefficients.iter_mut()).take(nodes.count) {
                    store(&kept::<F>(error, curves.op.tolerance, result), &mut coefficients[place..]);
                }
                error
            };
            store(&F::lanes(error), &mut errors[place..]);
        }
    }
}

/// Neighbouring units of one sample.
struct Group<'a> {
    curves: &'a Curves<'a>,
    sample: Sample<'a>,
    /// The first of the units.
    first: usize,
    unit: Units,
}

/// A unit's changes reach the logits through its weights.
struct UnitMoves<'a> {
    group: &'a Group<'a>,
    /// The changes to both sides.
    d: [Lanes; 2],
}

impl Moves for UnitMoves<'_> {
    #[inline(always)]
    fn of<F: Float>(&self, k: usize) -> [Lanes; 2] {
        self.times::<F>(&self.group.weight(k))
    }

    #[inline(always)]
    fn against<F: Float>(&self, k: usize, reference: usize) -> [Lanes; 2] {
        self.times::<F>(&F::sub_lanes(&self.group.weight(k), &self.group.weight(reference)))
    }
}

impl UnitMoves<'_> {
    #[inline(always)]
    fn times<F: Float>(&self, weight: &Lanes) -> [Lanes; 2] {
        [F::mul_lanes(&self.d[0], weight), F::mul_lanes(&self.d[1], weight)]
    }
}

impl Group<'_> {
    #[inline(always)]
    fn weight(&self, class: usize) -> Lanes {
        let mut out = [0.0; LANES];
        out.copy_from_slice(&self.curves.weights[class * self.curves.padded + self.first..][..LANES]);
        out
    }

    #[inline(always)]
    fn spread(&self, lane: usize) -> f32 {
        self.curves.spread[self.first..self.first + LANES][lane]
    }

    /// What shifts to both sides make of the loss: `C(s) - C(-s)`.
    #[inline(always)]
    fn difference<F: Float>(&self, shifts: &[Shift; 2]) -> Lanes {
        let d = [self.unit.change::<F>(&shifts[0]), self.unit.change::<F>(&shifts[1])];
        let mut farthest = [0.0; LANES];
        for lane in 0..LANES {
            farthest[lane] = d[0][lane].abs().max(d[1][lane].abs()) * self.spread(lane);
        }
        let small = largest_magnitude(&farthest) <= SMALL;
        self.sample.difference::<F>(small, &UnitMoves { group: self, d })
    }

    /// Coefficients of the polynomials through all nodes, and what they miss at the spare pairs.
    #[inline(always)]
    fn polynomial<F: Float>(&self, reach: f32, shifts: &[[Shift; 2]; MAX_PAIRS]) -> ([Lanes; MAX_NODES], Lanes) {
        let (curves, nodes) = (self.curves, &self.curves.nodes);
        let mut result = [[0.0; LANES]; MAX_NODES];
        let mut missed = [0.0f32; LANES];
        for (pair, position) in nodes.positions().enumerate() {
            let difference = self.difference::<F>(&shifts[pair]);
            let factor = curves.scale / (reach * position);
            if pair < nodes.count {
                for (order, result) in result.iter_mut().enumerate().take(nodes.count) {
                    let share = nodes.transform[order][pair] * factor;
                    for lane in 0..LANES {
                        result[lane] = F::mul_add(share, difference[lane], result[lane]);
                    }
                }
            } else {
                let polynomials = &nodes.checks[pair - nodes.count].polynomials;
                for lane in 0..LANES {
                    let mut read = -factor * difference[lane];
                    for (polynomial, coefficients) in polynomials.iter().zip(&result).take(nodes.count) {
                        read = F::mul_add(*polynomial, coefficients[lane], read);
                    }
                    missed[lane] = missed[lane].max(read.abs());
                }
            }
        }
        (result, missed)
    }

    /// What one pair of nodes may miss, as a share of the curve's scale: a bound of `s^2 C''' / 6 C'`, from the largest
    /// derivatives of the activation and of the loss. Each derivative of the loss by the unit's output brings a factor of at
    /// most the spread of its weights. `C'` is taken by [`Units::slope_scales`], which is what the curve's scale is made of.
    #[inline(always)]
    fn bounds<F: Float>(&self, reach: f32, a: &Lanes, result: &Lanes) -> F::Vector {
        let ([second, third], scales) = (self.unit.bends::<F>(reach), self.unit.slope_scales());
        let spread = load(&self.curves.spread[self.first..]);
        // A loss that is a parabola in every logit bends no more.
        let of_loss = if self.curves.raw { 0.0 } else { 1.0 };
        let bend = F::mul(F::load(&scales), F::load(&spread));
        let second = F::mul(F::splat(3.0), F::load(&second));
        let derivatives = F::mul_add_vector(bend, F::mul_add_vector(F::splat(of_loss), bend, second), F::load(&third));
        self.refuse::<F>(reach, a, result, F::mul(F::splat(reach * reach / 6.0), derivatives))
    }

    /// What the polynomial through several pairs may miss, as a share of the curve's scale.
    #[inline(always)]
    fn estimates<F: Float>(
        &self,
        reach: f32,
        gradient: &[f32],
        a: &Lanes,
        result: &[Lanes; MAX_NODES],
        missed: &Lanes,
    ) -> F::Vector {
        let count = self.curves.nodes.count;
        let mut sum = [0.0; LANES];
        for (k, gradient) in gradient.iter().enumerate() {
            let w = self.weight(k);
            for lane in 0..LANES {
                sum[lane] = F::mul_add(gradient.abs(), w[lane].abs(), sum[lane]);
            }
        }
        let (scales, mut error) = (self.unit.slope_scales(), [0.0; LANES]);
        for lane in 0..LANES {
            let scale = 2.0 * self.curves.scale * scales[lane] * sum[lane];
            error[lane] = estimate(result[count - 1][lane].abs(), result[count - 2][lane].abs(), missed[lane], scale);
        }
        self.refuse::<F>(reach, a, &result[0], F::load(&error))
    }

    /// An infinite error at a kink, and where the curve itself is not finite.
    #[inline(always)]
    fn refuse<F: Float>(&self, reach: f32, a: &Lanes, result: &Lanes, error: F::Vector) -> F::Vector {
        let kink_reach = if self.curves.op.layer.activation == Activation::Relu { reach } else { -1.0 };
        let refused = F::splat(f32::INFINITY);
        let finite = F::select_le(F::abs(F::load(result)), F::splat(f32::MAX), error, refused);
        F::select_le(F::abs(F::load(a)), F::splat(kink_reach), refused, finite)
    }
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
