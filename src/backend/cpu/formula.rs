//! A formula and its quotients, made of changes. See `shaders/formula.wgsl`.
//!
//! Numbers are float64 in between: the twin that shaders are held to, and not what is fast. Many points at once go
//! through `formula_blocks.rs`.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::Formula;
use crate::formula::{Change, evaluate};

pub(super) fn run(op: &Formula, view: &View<'_>, worker: &mut Worker<'_>) {
    let (rows, width, variables) = (op.out.rows, op.out.columns, op.x.columns);
    let share = worker.share(rows, 1);
    let x = view.floats(op.x);
    // SAFETY: this worker's share, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * width..share.end * width) };
    for (row, out) in share.zip(out.chunks_exact_mut(width)) {
        let point = &x[row * variables..(row + 1) * variables];
        out[0] = evaluate(&op.program, |variable| f64::from(point[variable])) as f32;
        for variable in 0..width - 1 {
            let change = |s: f64| {
                let moved = |index: usize| {
                    let change = if index == variable { s } else { 0.0 };
                    Change { value: point[index].into(), change }
                };
                evaluate(&op.program, moved).change
            };
            let h = f64::from(op.step_size);
            let pair = |pair: &crate::backend::op::QuotientPair| {
                let s = f64::from(pair.multiple) * h;
                let minus = if pair.minus == 0.0 { 0.0 } else { f64::from(pair.minus) * change(-s) };
                f64::from(pair.plus) * change(s) + minus
            };
            out[1 + variable] = (op.pairs.iter().map(pair).sum::<f64>() / h) as f32;
        }
    }
}
