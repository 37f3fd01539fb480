//! Classes as one-hot rows. See `shaders/one_hot.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::OneHot;

pub(super) fn run(op: &OneHot, view: &View<'_>, worker: &mut Worker<'_>) {
    let classes = op.out.columns;
    let share = worker.share(op.out.rows, 16);
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * classes..share.end * classes) };
    out.fill(0.0);
    for (row, &target) in out.chunks_exact_mut(classes).zip(&view.words(op.targets)[share]) {
        if let Some(one) = row.get_mut(target as usize) {
            *one = 1.0;
        }
    }
}
