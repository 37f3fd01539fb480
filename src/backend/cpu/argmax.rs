//! The class with the largest output. See `shaders/argmax.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Argmax;

pub(super) fn run(op: &Argmax, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.x.rows, 16);
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.words_mut(op.out, share.clone()) };
    let rows = view.floats(op.x)[share.start * op.x.columns..].chunks_exact(op.x.columns);
    for (out, row) in out.iter_mut().zip(rows) {
        *out = largest(row) as u32;
    }
}

/// The place of the largest element, the first of equals.
#[inline(always)]
pub(super) fn largest(row: &[f32]) -> usize {
    let mut best = 0;
    for (k, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = k;
        }
    }
    best
}
