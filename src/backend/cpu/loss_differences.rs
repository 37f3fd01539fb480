//! Derivatives of a batch's loss along directions, from the logits at both ends. See `shaders/loss_differences.wgsl`.

use super::argmax::largest;
use super::math;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::{LossDifferences, Measure};
use crate::network::OutputLoss;

pub(super) fn run(op: &LossDifferences, view: &View<'_>, worker: &mut Worker<'_>) {
    let (samples, classes) = (op.targets.len, op.logits.columns);
    let (logits, targets) = (view.floats(op.logits), view.words(op.targets));
    let share = worker.share(op.logits.rows / (2 * samples), 1);
    // SAFETY: this worker's directions, taken once.
    let out = unsafe { view.floats_mut(op.out, op.first + share.start..op.first + share.end) };
    let block = samples * classes;
    let scratch = worker.scratch(classes);
    for (out, direction) in out.iter_mut().zip(share) {
        let logits = &logits[2 * direction * block..2 * (direction + 1) * block];
        let (above, below) = logits.split_at(block);
        let mut sum = 0.0;
        differences(op.measure, above, below, targets, scratch, &mut sum);
        *out = (sum / (2.0 * f64::from(op.step_size) * samples as f64)) as f32;
    }
}

vectorized! {
    /// Adds `L_n(above) - L_n(below)` of all samples to `sum`; `row` is room for a row.
    fn differences(
        measure: Measure,
        above: &[f32],
        below: &[f32],
        targets: &[u32],
        row: &mut [f32],
        sum: &mut f64,
    ) = body
}

#[inline(always)]
fn body<F: Float>(measure: Measure, above: &[f32], below: &[f32], targets: &[u32], row: &mut [f32], sum: &mut f64) {
    let classes = row.len();
    for ((above, below), &target) in above.chunks_exact(classes).zip(below.chunks_exact(classes)).zip(targets) {
        let target = target as usize;
        let above = measured::<F>(measure, above, target, row);
        *sum += f64::from(above - measured::<F>(measure, below, target, row));
    }
}

#[inline(always)]
fn measured<F: Float>(measure: Measure, logits: &[f32], target: usize, row: &mut [f32]) -> f32 {
    match measure {
        Measure::ErrorRate => f32::from(u8::from(largest(logits) != target)),
        Measure::Loss(output) => loss::<F>(output, logits, target, row),
    }
}

/// One sample's loss from its logits; NaN for a class that does not exist.
#[inline(always)]
fn loss<F: Float>(output: OutputLoss, logits: &[f32], target: usize, y: &mut [f32]) -> f32 {
    let Some(&logit) = logits.get(target) else { return f32::NAN };
    if output == OutputLoss::SumOfSquares {
        return squares(logits, target);
    }
    let most = logits.iter().fold(f32::NEG_INFINITY, |most, &value| most.max(value));
    let mut sum = 0.0;
    for (y, &logit) in y.iter_mut().zip(logits) {
        *y = math::exp::<F>(logit - most);
        sum += *y;
    }
    match output {
        OutputLoss::CrossEntropy { epsilon: 0.0 } => math::ln::<F>(sum) - (logit - most),
        OutputLoss::CrossEntropy { epsilon } => -math::ln::<F>(y[target] / sum + epsilon),
        _ => {
            y.iter_mut().for_each(|y| *y /= sum);
            squares(y, target)
        }
    }
}

/// `1/2 sum_k (y_k - t_k)^2`
#[inline(always)]
fn squares(y: &[f32], target: usize) -> f32 {
    let squares = y.iter().enumerate().map(|(k, &y)| {
        let difference = if k == target { y - 1.0 } else { y };
        difference * difference
    });
    0.5 * squares.sum::<f32>()
}
