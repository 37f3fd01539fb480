//! The polynomial through several pairs of points of a curve, and what it may miss.

use super::loss_change::Moves;
use super::math::{LANES, Lanes};
use super::simd::Float;
use crate::backend::nodes::Nodes;
use crate::backend::op::MAX_NODES;

/// Neighbouring curves' polynomials.
#[derive(Default)]
pub(super) struct Polynomial {
    /// Chebyshev coefficients, by order.
    result: [Lanes; MAX_NODES],
    /// The largest difference from the curve at a spare pair.
    missed: Lanes,
}

impl Polynomial {
    /// Takes in what a pair of points makes of the loss, `C(s) - C(-s)`, whose share in the coefficients is `factor`: nodes
    /// first, then the spare pairs.
    #[inline(always)]
    pub(super) fn add<F: Float>(&mut self, nodes: &Nodes, pair: usize, factor: f32, difference: &Lanes) {
        if pair < nodes.count {
            for (order, result) in self.result.iter_mut().enumerate().take(nodes.count) {
                let share = nodes.transform[order][pair] * factor;
                for lane in 0..LANES {
                    result[lane] = F::mul_add(share, difference[lane], result[lane]);
                }
            }
            return;
        }
        let polynomials = &nodes.checks[pair - nodes.count].polynomials;
        for lane in 0..LANES {
            // The smallest terms first.
            let mut read = 0.0;
            for (polynomial, coefficients) in polynomials.iter().zip(&self.result).take(nodes.count).rev() {
                read = F::mul_add(*polynomial, coefficients[lane], read);
            }
            let missed = F::mul_add(-factor, difference[lane], read);
            self.missed[lane] = self.missed[lane].max(missed.abs());
        }
    }

    /// What the polynomials may miss, as a share of the curves' sizes; infinite where the curve has a kink or is not
    /// finite. With one pair there is nothing to tell by, and it is 0.
    #[inline(always)]
    pub(super) fn errors(&self, nodes: &Nodes, size: &Lanes, kinks: &Lanes) -> Lanes {
        let mut error = [0.0; LANES];
        for lane in 0..LANES {
            if nodes.count > 1 {
                let [before, last] = [nodes.count - 2, nodes.count - 1].map(|order| self.result[order][lane].abs());
                error[lane] = estimate(last, before, self.missed[lane], size[lane]);
            }
            let is_finite = self.result[0][lane].abs() < f32::INFINITY;
            let refused = (kinks[lane] > 0.0) | !is_finite;
            error[lane] = if refused { f32::INFINITY } else { error[lane] };
        }
        error
    }

    /// What is [`kept`] of one order.
    #[inline(always)]
    pub(super) fn kept<F: Float>(&self, order: usize, error: &Lanes, tolerance: f32) -> Lanes {
        kept::<F>(F::load(error), tolerance, &self.result[order])
    }
}

/// The coefficients of the curves that are trusted, and 0 for the others, which are those whose error is a NaN, too.
#[inline(always)]
pub(super) fn kept<F: Float>(error: F::Vector, tolerance: f32, coefficients: &Lanes) -> Lanes {
    F::lanes(F::select_le(error, F::splat(tolerance), F::load(coefficients), F::splat(0.0)))
}

/// The curves' own sizes: `sum_k |dL/da_k| |D_k / s|` in the units of the coefficients.
#[inline(always)]
pub(super) fn sizes<F: Float>(moves: &impl Moves, gradient: &[f32], factor: f32) -> Lanes {
    let mut sum = [0.0; LANES];
    for (k, gradient) in gradient.iter().enumerate() {
        let [plus, minus] = moves.of::<F>(k);
        for lane in 0..LANES {
            sum[lane] = F::mul_add(gradient.abs() * factor, plus[lane].abs() + minus[lane].abs(), sum[lane]);
        }
    }
    sum
}

/// The larger of what the spare pair saw and of what the first coefficient left out would be, if it shrinks from the
/// last one as that shrank from the one before: either alone may pass through 0. Float32 noise is no sign of anything.
#[inline(always)]
pub(super) fn estimate(last: f32, before: f32, missed: f32, scale: f32) -> f32 {
    const NOISE: f32 = 4e-7;
    let ratio = (last / before.max(f32::MIN_POSITIVE)).min(1.0);
    let worst = (last * ratio).max(missed);
    if last.max(missed) <= NOISE * scale { 0.0 } else { worst / scale.max(f32::MIN_POSITIVE) }
}
