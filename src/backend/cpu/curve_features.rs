//! What multiplies the coefficients of the loss curves. See `shaders/curve_features.wgsl`.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::CurveFeatures;

pub(super) fn run(op: &CurveFeatures, view: &View<'_>, worker: &mut Worker<'_>) {
    let (samples, columns) = (op.x.rows, op.x.columns);
    let x = view.floats(op.x);
    let range = op.range.map(|range| view.floats(range));
    let share = worker.share(samples, 1);
    let orders = op.out.rows / samples;
    for order in 0..orders {
        let first = (orders - 1 - order) * samples;
        // SAFETY: this worker's rows of each block, each taken once.
        let out = unsafe { view.floats_mut(op.out, (first + share.start) * columns..(first + share.end) * columns) };
        for (out, n) in out.chunks_exact_mut(columns).zip(share.clone()) {
            let inverse = range.map_or(1.0, |range| 1.0 / range[n]);
            features(order, inverse, &x[n * columns..(n + 1) * columns], out);
        }
    }
}

vectorized! {
    /// `out = x T_order(2 (x inverse)^2 - 1)`
    fn features(order: usize, inverse: f32, x: &[f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(order: usize, inverse: f32, x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        let u = x * inverse;
        let argument = F::mul_add(2.0 * u, u, -1.0);
        let (mut previous, mut current) = (argument, 1.0);
        for _ in 0..order {
            (previous, current) = (current, F::mul_add(2.0 * argument, current, -previous));
        }
        *out = x * current;
    }
}
