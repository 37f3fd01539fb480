//! Sums over the samples: a bias's gradient. See `shaders/column_sums.wgsl`.

use super::lanes::store;
use super::math::LANES;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::ColumnSums;

pub(super) fn run(op: &ColumnSums, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.x.columns, LANES);
    // SAFETY: this worker's columns, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    sum(view.floats(op.x), op.x.columns, share.start, out);
}

vectorized! {
    /// Sums of the columns from `first` on.
    fn sum(x: &[f32], columns: usize, first: usize, out: &mut [f32]) = body
}

/// Rows are added up in groups of this many before the groups are: the error grows with the number of groups.
const GROUP: usize = 64;

#[inline(always)]
fn body<F: Float>(x: &[f32], columns: usize, first: usize, out: &mut [f32]) {
    for (chunk, out) in out.chunks_mut(LANES).enumerate() {
        let at = first + chunk * LANES;
        let mut total = F::splat(0.0);
        for group in x.chunks(GROUP * columns) {
            let mut partial = F::splat(0.0);
            for row in group.chunks_exact(columns) {
                partial = F::add(partial, F::load_some(&row[at..at + out.len()]));
            }
            total = F::add(total, partial);
        }
        store(&F::lanes(total), out);
    }
}
