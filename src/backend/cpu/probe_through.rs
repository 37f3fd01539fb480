//! What moved pre-activations make of a layer's activations. See `shaders/probe_through.wgsl`.

use std::ops::Range;

use super::behind::Behind;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::nodes::Nodes;
use crate::backend::op::ProbeThrough;

pub(super) fn run(op: &ProbeThrough, view: &View<'_>, worker: &mut Worker<'_>) {
    let chunk = &op.chunk;
    let (units, width) = (chunk.pre_activations.columns, op.behind.columns);
    let share = worker.share(chunk.count, 16);
    // SAFETY: this worker's curves, taken once.
    let kinks = unsafe { view.floats_mut(op.kinks, share.clone()) };
    let mut behind = Behind::new(chunk.activation, view.floats(op.behind), width, worker.scratch(Behind::room(width)));
    for (pair, position) in Nodes::new(chunk.nodes).positions().enumerate() {
        let first = pair * chunk.count;
        let rows = 2 * (first + share.start) * width..2 * (first + share.end) * width;
        // SAFETY: this worker's rows of each pair, each taken once.
        let x = unsafe { view.floats_mut(op.x, rows) };
        let curves = chunk.first + share.start..chunk.first + share.end;
        // The first pair is the one that reaches farthest.
        follow(curves, units, (pair == 0).then_some(1.0 / position), &mut behind, kinks, x);
    }
}

vectorized! {
    /// The rows of some curves of layers of `units`; kinks are looked for with moves so many times as large.
    fn follow(
        curves: Range<usize>,
        units: usize,
        reach: Option<f32>,
        behind: &mut Behind<'_>,
        kinks: &mut [f32],
        x: &mut [f32],
    ) = body
}

#[inline(always)]
fn body<F: Float>(
    curves: Range<usize>,
    units: usize,
    reach: Option<f32>,
    behind: &mut Behind<'_>,
    kinks: &mut [f32],
    x: &mut [f32],
) {
    let width = behind.width();
    for ((number, kink), rows) in curves.zip(kinks).zip(x.chunks_exact_mut(2 * width)) {
        behind.turn_to::<F>(number / units);
        for row in rows.chunks_exact_mut(width) {
            if reach.is_some_and(|factor| behind.has_kink(row, factor)) {
                *kink = f32::INFINITY;
            }
            behind.pass::<F>(row);
        }
    }
}
