//! Softmax and its logarithm, row by row. See `shaders/softmax.wgsl`.

use super::math;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Softmax;

pub(super) fn run(op: &Softmax, view: &View<'_>, worker: &mut Worker<'_>) {
    let classes = op.x.columns;
    let share = worker.share(op.x.rows, 1);
    let range = share.start * classes..share.end * classes;
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, range.clone()) };
    softmax(op.logarithm, classes, &view.floats(op.x)[range], out);
}

vectorized! {
    /// Softmax or log-softmax of rows of `classes`.
    fn softmax(logarithm: bool, classes: usize, x: &[f32], out: &mut [f32]) = body
}

/// Exponentials are added up in so many sums side by side.
const SUMS: usize = 16;

#[inline(always)]
fn body<F: Float>(logarithm: bool, classes: usize, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(classes).zip(out.chunks_exact_mut(classes)) {
        let largest = x.iter().fold(f32::NEG_INFINITY, |most, &value| most.max(value));
        for (out, &x) in out.iter_mut().zip(x) {
            *out = math::exp::<F>(x - largest);
        }
        let mut sums = [0.0f32; SUMS];
        for chunk in out.chunks(SUMS) {
            for (sum, &value) in sums.iter_mut().zip(chunk) {
                *sum += value;
            }
        }
        let sum: f32 = sums.iter().sum();
        if logarithm {
            let logarithm = math::ln::<F>(sum);
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - largest) - logarithm;
            }
        } else {
            for out in out {
                *out /= sum;
            }
        }
    }
}
