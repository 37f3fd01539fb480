//! Where back-propagation begins. See `shaders/loss_gradient.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::LossGradient;
use crate::network::OutputLoss;

pub(super) fn run(op: &LossGradient, view: &View<'_>, worker: &mut Worker<'_>) {
    let classes = op.y.columns;
    let share = worker.share(op.y.rows, 16);
    let range = share.start * classes..share.end * classes;
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, range.clone()) };
    let scale = 1.0 / op.y.rows as f32;
    let rows = view.floats(op.y)[range].chunks_exact(classes).zip(out.chunks_exact_mut(classes));
    for ((y, out), &target) in rows.zip(&view.words(op.targets)[share]) {
        sample(op.output, y, target as usize, out);
        for out in out {
            *out *= scale;
        }
    }
}

/// The gradient of one sample's loss by its logits.
#[inline(always)]
pub(super) fn sample(output: OutputLoss, y: &[f32], target: usize, out: &mut [f32]) {
    if target >= y.len() {
        out.fill(f32::NAN);
        return;
    }
    // y_t - 1 as minus the others' sum: it keeps its precision where y_t is nearly 1.
    let others = || -> f32 { y.iter().enumerate().filter(|(k, _)| *k != target).map(|(_, &y)| y).sum() };
    match output {
        OutputLoss::CrossEntropy { epsilon } => {
            let factor = if epsilon == 0.0 { 1.0 } else { y[target] / (y[target] + epsilon) };
            for (out, &y) in out.iter_mut().zip(y) {
                *out = factor * y;
            }
            out[target] = -factor * others();
        }
        OutputLoss::SoftmaxSumOfSquares => {
            let miss = -others();
            let difference = |k: usize| if k == target { miss } else { y[k] };
            let mean: f32 = y.iter().enumerate().map(|(k, &y)| difference(k) * y).sum();
            for (k, out) in out.iter_mut().enumerate() {
                *out = y[k] * (difference(k) - mean);
            }
        }
        OutputLoss::SumOfSquares => {
            out.copy_from_slice(y);
            out[target] -= 1.0;
        }
    }
}
