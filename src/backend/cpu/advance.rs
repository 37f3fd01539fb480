//! The counters that tell steps apart. See `shaders/advance.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Advance;

pub(super) fn run(op: &Advance, view: &View<'_>, worker: &mut Worker<'_>) {
    if worker.is_first() {
        for counter in [op.cursor, op.step] {
            // SAFETY: one worker alone, two ranges that do not overlap.
            let word = unsafe { view.words_mut(counter, 0..1) };
            word[0] = word[0].wrapping_add(1);
        }
    }
}
