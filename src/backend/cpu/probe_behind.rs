//! What moved units make of the layer behind. See `shaders/probe_behind.wgsl`.
//!
//! Floor for `R` rows of `V` units: `R V` changes, about 12 operations each where they are small, and as many stores.

use super::behind::Behind;
use super::groups::{Group, Groups};
use super::lanes::load;
use super::loss_change::{Shift, Units};
use super::math::LANES;
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::nodes::Nodes;
use crate::backend::op::{ProbeBehind, ProbeChunk};
use crate::network::Activation;

pub(super) fn run(op: &ProbeBehind, view: &View<'_>, worker: &mut Worker<'_>) {
    let chunk = &op.chunk;
    let width = op.behind.columns;
    let groups = Groups::of(chunk, worker);
    let numbers = groups.numbers();
    let share = numbers.start.saturating_sub(chunk.first)..numbers.end.saturating_sub(chunk.first);
    // SAFETY: this worker's curves, taken once.
    let kinks = unsafe { view.floats_mut(op.kinks, share.clone()) };
    let (a, weight) = (view.floats(chunk.pre_activations), view.floats(op.weight));
    let range = chunk.range.map(|range| view.floats(range));
    let mut behind = Behind::new(chunk.activation, view.floats(op.behind), width, worker.scratch(Behind::room(width)));
    kinks.fill(0.0);
    for (pair, position) in Nodes::new(chunk.nodes).positions().enumerate() {
        let first = pair * chunk.count;
        let rows = 2 * (first + share.start) * width..2 * (first + share.end) * width;
        // SAFETY: this worker's rows of each pair, each taken once.
        let out = unsafe { view.floats_mut(op.out, rows) };
        let pair = Pair { chunk, position, a, range, weight, marks: pair == 0 };
        follow(&pair, &groups, &mut behind, kinks, out);
    }
}

/// One pair of points of all curves.
struct Pair<'a> {
    chunk: &'a ProbeChunk,
    /// As a share of the reach.
    position: f32,
    a: &'a [f32],
    range: Option<&'a [f32]>,
    weight: &'a [f32],
    /// Whether kinks are looked for: the first pair is the one that reaches farthest.
    marks: bool,
}

vectorized! {
    /// The rows of some curves.
    fn follow(pair: &Pair<'_>, groups: &Groups, behind: &mut Behind<'_>, kinks: &mut [f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(pair: &Pair<'_>, groups: &Groups, behind: &mut Behind<'_>, kinks: &mut [f32], out: &mut [f32]) {
    let (chunk, width) = (pair.chunk, behind.width());
    let start = groups.numbers().start;
    for Group { sample, unit: first, number, lanes } in groups.iter() {
        let a = load(&pair.a[number..]);
        let reach = chunk.step_size * pair.range.map_or(1.0, |range| range[sample]);
        let unit = Units::new::<F>(chunk.activation, a);
        // No closure here: it would not be compiled for the vector unit.
        let s = reach * pair.position;
        let changes = [
            unit.change::<F>(&Shift::new::<F>(chunk.activation, [s; LANES])),
            unit.change::<F>(&Shift::new::<F>(chunk.activation, [-s; LANES])),
        ];
        behind.turn_to::<F>(sample);
        for lane in lanes {
            let weight = &pair.weight[(first + lane) * width..][..width];
            let at = number + lane - start;
            let mut kink = chunk.activation == Activation::Relu && a[lane].abs() <= reach;
            for (side, change) in changes.iter().enumerate() {
                let row = &mut out[(2 * at + side) * width..][..width];
                for (x, w) in row.iter_mut().zip(weight) {
                    *x = change[lane] * w;
                }
                kink |= pair.marks && behind.has_kink(row, 1.0 / pair.position);
                behind.pass::<F>(row);
            }
            if pair.marks && kink {
                kinks[at] = f32::INFINITY;
            }
        }
    }
}
