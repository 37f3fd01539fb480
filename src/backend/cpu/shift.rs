//! Activations of a layer whose pre-activations are moved to both sides. See `shaders/shift.wgsl`.

use super::activate::activate;
use super::memory::View;
use super::team::Worker;
use crate::backend::op::Shift;

/// Elements that are moved and then activated, while they are in the first-level cache.
const PIECE: usize = 1_024;

pub(super) fn run(op: &Shift, view: &View<'_>, worker: &mut Worker<'_>) {
    let len = op.base.len();
    let base = view.floats(op.base);
    let share = worker.share(op.shift.len() / len, 1);
    let shift = &view.floats(op.shift)[share.start * len..share.end * len];
    // SAFETY: this worker's directions, taken once.
    let out = unsafe { view.floats_mut(op.out, 2 * share.start * len..2 * share.end * len) };
    let scratch = worker.scratch(PIECE);
    for (out, shift) in out.chunks_exact_mut(2 * len).zip(shift.chunks_exact(len)) {
        for (out, step_size) in out.chunks_exact_mut(len).zip([op.step_size, -op.step_size]) {
            for ((out, base), shift) in out.chunks_mut(PIECE).zip(base.chunks(PIECE)).zip(shift.chunks(PIECE)) {
                let moved = &mut scratch[..out.len()];
                for ((moved, &base), &shift) in moved.iter_mut().zip(base).zip(shift) {
                    *moved = base + step_size * shift;
                }
                activate(op.activation, moved, out);
            }
        }
    }
}
