//! How far each sample's inputs reach. See `shaders/row_range.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::RowRange;

pub(super) fn run(op: &RowRange, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.x.rows, 16);
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    let x = view.floats(op.x);
    for (out, n) in out.iter_mut().zip(share) {
        *out = x[n * op.x.columns..(n + 1) * op.x.columns].iter().fold(1.0, |most, value| value.abs().max(most));
    }
}
