//! How many predictions are right. See `shaders/count_correct.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::CountCorrect;

pub(super) fn run(op: &CountCorrect, view: &View<'_>, worker: &mut Worker<'_>) {
    if worker.is_first() {
        let pairs = view.words(op.predictions).iter().zip(view.words(op.targets));
        let correct = pairs.filter(|(prediction, target)| prediction == target).count() as u32;
        // SAFETY: one worker alone, taken once.
        let out = unsafe { view.words_mut(op.out, 0..1) };
        out[0] = out[0].wrapping_add(correct);
    }
}
