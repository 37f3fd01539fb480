//! One value everywhere. See `shaders/fill.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Fill;

pub(super) fn run(op: &Fill, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.out.len(), 64);
    // SAFETY: this worker's share, taken once.
    unsafe { view.floats_mut(op.out, share) }.fill(op.value);
}
