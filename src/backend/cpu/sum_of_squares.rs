//! Sum of squares error, sample by sample. See `shaders/sum_of_squares.wgsl`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::{SumOfSquares, Targets};

pub(super) fn run(op: &SumOfSquares, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.y.rows, 16);
    let classes = op.y.columns;
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    let y = view.floats(op.y);
    for (out, n) in out.iter_mut().zip(share) {
        let row = &y[n * classes..(n + 1) * classes];
        *out = match op.targets {
            Targets::Classes(targets) => {
                let target = view.words(targets)[n] as usize;
                if target < classes { half_squares(row, |k| if k == target { 1.0 } else { 0.0 }) } else { f32::NAN }
            }
            Targets::OneHot(targets) => {
                let targets = &view.floats(targets)[n * classes..(n + 1) * classes];
                half_squares(row, |k| targets[k])
            }
        };
    }
}

fn half_squares(row: &[f32], target: impl Fn(usize) -> f32) -> f32 {
    0.5 * row.iter().enumerate().map(|(k, &y)| (y - target(k)) * (y - target(k))).sum::<f32>()
}
