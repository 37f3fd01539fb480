//! What moved units make of the layer behind. See `shaders/probe_behind.wgsl`.
//!
//! Floor for `R` rows of `V` units: `R V` changes, about 12 operations each where they are small, and as many stores.

use std::ops::Range;

use super::behind::Behind;
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
    let share = worker.share(chunk.count, LANES);
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
        follow(&pair, share.clone(), &mut behind, kinks, out);
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
    fn follow(pair: &Pair<'_>, curves: Range<usize>, behind: &mut Behind<'_>, kinks: &mut [f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(pair: &Pair<'_>, curves: Range<usize>, behind: &mut Behind<'_>, kinks: &mut [f32], out: &mut [f32]) {
    let (chunk, units, width) = (pair.chunk, pair.chunk.pre_activations.columns, behind.width());
    for group in curves.clone().step_by(LANES) {
        let number = chunk.first + group;
        let count = LANES.min(curves.end - group);
        let a = load(&pair.a[number..]);
        let mut reach = [chunk.step_size; LANES];
        if let Some(range) = pair.range {
            for (lane, reach) in reach.iter_mut().enumerate().take(count) {
                *reach *= range[(number + lane) / units];
            }
        }
        let unit = Units::new::<F>(chunk.activation, a);
        // No closure here: it would not be compiled for the vector unit.
        let mut s = [[0.0; LANES]; 2];
        for lane in 0..LANES {
            s[0][lane] = reach[lane] * pair.position;
            s[1][lane] = -s[0][lane];
        }
        let changes = [
            unit.change::<F>(&Shift::new::<F>(chunk.activation, s[0])),
            unit.change::<F>(&Shift::new::<F>(chunk.activation, s[1])),
        ];
        for lane in 0..count {
            let (sample, j) = ((number + lane) / units, (number + lane) % units);
            behind.turn_to::<F>(sample);
            let weight = &pair.weight[j * width..(j + 1) * width];
            let at = group + lane - curves.start;
            let mut kink = chunk.activation == Activation::Relu && a[lane].abs() <= reach[lane];
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
