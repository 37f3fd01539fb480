//! The mean loss of a batch. See `shaders/mean.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Mean;

pub(super) fn run(op: &Mean, view: &View<'_>, worker: &mut Worker<'_>) {
    if worker.is_first() {
        let x = view.floats(op.x);
        // Float64 makes the order and the length of the sum matter less than the result's own rounding.
        let sum: f64 = x.iter().map(|&value| f64::from(value)).sum();
        let row = (view.words(op.cursor)[0] as usize).min(op.out.rows - 1);
        // SAFETY: one worker alone, taken once.
        let out = unsafe { view.floats_mut(op.out, row..row + 1) };
        out[0] = (sum / x.len() as f64) as f32;
    }
}
