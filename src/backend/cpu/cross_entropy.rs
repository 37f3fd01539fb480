//! Cross entropy, sample by sample. See `shaders/cross_entropy.wgsl`.

use super::math;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::{CrossEntropy, Targets};

pub(super) fn run(op: &CrossEntropy, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.y.rows, 16);
    let classes = op.y.columns;
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    let y = &view.floats(op.y)[share.start * classes..share.end * classes];
    match op.targets {
        Targets::Classes(targets) => {
            let targets = &view.words(targets)[share];
            for ((out, row), &target) in out.iter_mut().zip(y.chunks_exact(classes)).zip(targets) {
                // A class that does not exist has no probability.
                *out = row.get(target as usize).copied().unwrap_or(f32::NAN);
            }
            negative_logarithms(op.logarithm, op.epsilon, out);
        }
        Targets::OneHot(targets) => {
            let targets = &view.floats(targets)[share.start * classes..share.end * classes];
            weighted(op.logarithm, op.epsilon, y, targets, classes, out);
        }
    }
}

vectorized! {
    /// Replaces each probability (or its logarithm) by its loss.
    fn negative_logarithms(logarithm: bool, epsilon: f32, out: &mut [f32]) = negative_logarithms_body
}

#[inline(always)]
fn negative_logarithms_body<F: Float>(logarithm: bool, epsilon: f32, out: &mut [f32]) {
    for value in out {
        *value = term::<F>(logarithm, epsilon, *value);
    }
}

vectorized! {
    /// `out = sum_k t_k term(y_k)`, where terms whose `t` is 0 vanish.
    fn weighted(logarithm: bool, epsilon: f32, y: &[f32], targets: &[f32], classes: usize, out: &mut [f32]) = weighted_body
}

#[inline(always)]
fn weighted_body<F: Float>(logarithm: bool, epsilon: f32, y: &[f32], targets: &[f32], classes: usize, out: &mut [f32]) {
    for ((out, y), t) in out.iter_mut().zip(y.chunks_exact(classes)).zip(targets.chunks_exact(classes)) {
        *out = 0.0;
        for (&y, &t) in y.iter().zip(t) {
            if t != 0.0 {
                *out += t * term::<F>(logarithm, epsilon, y);
            }
        }
    }
}

/// `-ln(y + epsilon)`, or `-y` where `y` is a logarithm already. NaN stays NaN.
#[inline(always)]
fn term<F: Float>(logarithm: bool, epsilon: f32, y: f32) -> f32 {
    if logarithm || y.is_nan() { -y } else { -math::ln::<F>(y + epsilon) }
}
