//! `ProbeBehind`, the product with the weights that lead to the logits and `ProbeDifference` in one: where one hidden
//! layer stands behind the probed units, a unit's moves reach the logits without ever being written to memory.
//!
//! Floor for `P` curves, `V` units behind and `C` classes, 16 at a time: `2 P V C` multiply-adds where moves are short (see
//! `unit_sums.rs`), `P V C` for each ReLU that is on; else `2 P V (C + 3)` a pair of points.

use super::estimate::{Polynomial, sizes};
use super::groups::{Group, Groups};
use super::lanes::{load, store, store_some};
use super::loss_change::{Moves, Sample, Shift, Units, largest_magnitude};
use super::loss_gradient;
use super::math::{LANES, Lanes, SMALL, map};
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use super::unit_sums::{CLASSES, NEAR, Panels, TOGETHER, UnitSums};
use crate::backend::fusion::ProbedBehind;
use crate::backend::nodes::{MAX_CHECKS, Nodes};
use crate::backend::op::MAX_NODES;
use crate::backend::tensor::{Span, Tensor};
use crate::network::Activation;

/// Operations that are done in one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProbeFused {
    pub(super) probes: ProbedBehind,
    /// [`Panels`] of the weights between probed units and the layer behind.
    pub(super) transposed: Tensor,
}

impl ProbeFused {
    /// What is written: the curves of the chunk, and neither moves nor kinks.
    pub(super) fn written(&self) -> Vec<Span> {
        let chunk = &self.probes.behind.chunk;
        let part = |tensor: Tensor, first: usize| Span {
            buffer: tensor.buffer,
            start: (tensor.offset + first) * 4,
            end: (tensor.offset + first + chunk.count) * 4,
        };
        let block = chunk.pre_activations.len();
        let orders =
            (0..chunk.nodes).map(|order| part(self.probes.difference.coefficients, order * block + chunk.first));
        orders.chain([part(self.probes.difference.errors, chunk.first)]).collect()
    }
}

/// Brings a weight `[U, V]` into the order of [`Panels`].
pub(super) fn transpose(weight: Tensor, transposed: Tensor, view: &View<'_>, worker: &mut Worker<'_>) {
    let (width, stride) = (weight.columns, (weight.columns + 1) * LANES);
    let from = view.floats(weight);
    let share = worker.share(weight.rows.div_ceil(LANES), 1);
    // SAFETY: this worker's groups of units, taken once.
    let to = unsafe { view.floats_mut(transposed, share.start * stride..share.end * stride) };
    for (group, rows) in to.chunks_exact_mut(stride).zip(from[share.start * LANES * width..].chunks(LANES * width)) {
        let (vectors, most) = group.split_at_mut(stride - LANES);
        for (lane, row) in rows.chunks_exact(width).enumerate() {
            for (vector, &w) in vectors.chunks_exact_mut(LANES).zip(row) {
                vector[lane] = w;
            }
            most[lane] = row.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        }
    }
}

pub(super) fn run(op: &ProbeFused, view: &View<'_>, worker: &mut Worker<'_>) {
    let chunk = &op.probes.behind.chunk;
    let (len, classes, width) = (chunk.pre_activations.len(), op.probes.next.columns, op.probes.next.rows);
    let groups = Groups::of(chunk, worker);
    let numbers = groups.numbers();
    // SAFETY: this worker's curves, taken once.
    let errors = unsafe { view.floats_mut(op.probes.difference.errors, numbers.clone()) };
    let mut coefficients: [&mut [f32]; MAX_NODES] = Default::default();
    for (order, coefficients) in coefficients.iter_mut().take(chunk.nodes).enumerate() {
        let block = chunk.nodes - 1 - order;
        let range = block * len + numbers.start..block * len + numbers.end;
        // SAFETY: this worker's curves in each block, each taken once.
        *coefficients = unsafe { view.floats_mut(op.probes.difference.coefficients, range) };
    }
    let room = classes + classes * 2 * LANES + PARTS * width.next_multiple_of(LANES);
    let (rest, scratch) = worker.scratch(room + UnitSums::room(width, classes)).split_at_mut(room);
    let (gradient, rest) = rest.split_at_mut(classes);
    let (moves, series) = rest.split_at_mut(classes * 2 * LANES);
    let is_proportional = matches!(chunk.activation, Activation::Relu | Activation::Identity);
    let sums = UnitSums::new(is_proportional, [width, classes], view.floats(op.probes.next), scratch);
    let layer = Layer {
        op,
        nodes: Nodes::new(chunk.nodes),
        a: view.floats(chunk.pre_activations),
        behind: view.floats(op.probes.behind.behind),
        weights: Panels::new(view.floats(op.transposed), width),
        next: view.floats(op.probes.next),
        range: chunk.range.map(|range| view.floats(range)),
        y: view.floats(op.probes.difference.y),
        targets: view.words(op.probes.difference.targets),
    };
    let mut memory = Memory { gradient, moves, series, sums, is_proportional };
    follow(&layer, &groups, &mut memory, &mut coefficients, errors);
}

/// What all curves share.
struct Layer<'a> {
    op: &'a ProbeFused,
    nodes: Nodes,
    a: &'a [f32],
    behind: &'a [f32],
    weights: Panels<'a>,
    next: &'a [f32],
    range: Option<&'a [f32]>,
    y: &'a [f32],
    targets: &'a [u32],
}

/// Room to work in.
struct Memory<'a> {
    /// The loss's gradient by the logits.
    gradient: &'a mut [f32],
    /// `[C, 2, LANES]`: how the logits move.
    moves: &'a mut [f32],
    /// The units behind, as one sample has them: what [`Units`] keeps of them, and their series.
    series: &'a mut [f32],
    sums: UnitSums<'a>,
    /// Whether moves of the units behind go on in proportion, but for kinks.
    is_proportional: bool,
}

/// Numbers kept of each unit behind.
const PARTS: usize = 6;

vectorized! {
    /// Some curves.
    fn follow(
        layer: &Layer<'_>,
        groups: &Groups,
        memory: &mut Memory<'_>,
        coefficients: &mut [&mut [f32]; MAX_NODES],
        errors: &mut [f32],
    ) = body
}

#[inline(always)]
fn body<F: Float>(
    layer: &Layer<'_>,
    groups: &Groups,
    memory: &mut Memory<'_>,
    coefficients: &mut [&mut [f32]; MAX_NODES],
    errors: &mut [f32],
) {
    let (chunk, output) = (&layer.op.probes.behind.chunk, layer.op.probes.difference.output);
    let (width, classes, nodes) = (layer.op.probes.next.rows, layer.op.probes.next.columns, &layer.nodes);
    let is_relu = chunk.activation == Activation::Relu;
    let scale = 0.5 / chunk.pre_activations.rows as f32;
    let unmoved = Shift::new::<F>(chunk.activation, [0.0; LANES]);
    let (mut reach, mut shifts) = (f32::NAN, [[unmoved; 2]; MAX_NODES + MAX_CHECKS]);
    let mut at_hand = usize::MAX;
    // The units behind that is nearest to its kink.
    let mut nearest = 0.0;
    let start = groups.numbers().start;
    for pair in groups.pairs() {
        let n = pair.iter().flatten().next().map_or(0, |group| group.sample);
        if at_hand != n {
            at_hand = n;
            keep_series::<F>(layer, n, memory);
            let row = &layer.behind[n * width..(n + 1) * width];
            nearest = row.iter().fold(f32::INFINITY, |nearest, b| nearest.min(b.abs()));
            let reaches = chunk.step_size * layer.range.map_or(1.0, |range| range[n]);
            if reaches.to_bits() != reach.to_bits() {
                reach = reaches;
                for (shifts, position) in shifts.iter_mut().zip(nodes.positions()) {
                    let s = reach * position;
                    shifts[0] = Shift::new::<F>(chunk.activation, [s; LANES]);
                    shifts[1] = Shift::new::<F>(chunk.activation, [-s; LANES]);
                }
            }
        }
        let y = &layer.y[n * classes..(n + 1) * classes];
        let target = layer.targets[n] as usize;
        let sample = Sample::new(output, y, target);
        // The first pair of points reaches farthest.
        let mut starts = [const { None }; TOGETHER];
        let mut near = [None; TOGETHER];
        for index in 0..TOGETHER {
            let Some(Group { unit: first, number, .. }) = pair[index] else { continue };
            let unit = Units::new::<F>(chunk.activation, load(&layer.a[number..]));
            let d = [unit.change::<F>(&shifts[0][0]), unit.change::<F>(&shifts[0][1])];
            let farthest = farthest::<F>(&d, layer.weights.largest(first));
            if memory.is_proportional || farthest <= NEAR {
                near[index] = Some(layer.weights.of(first));
            }
            starts[index] = Some((unit, d, farthest));
        }
        memory.sums.add_up::<F>(near);
        for index in 0..TOGETHER {
            let (Some(group), Some((unit, mut d, mut farthest))) = (&pair[index], starts[index].take()) else {
                continue;
            };
            let (first, number, lanes) = (group.unit, group.number, group.lanes.clone());
            let mut kinked = [0.0f32; LANES];
            if is_relu {
                kinked = map(&load(&layer.a[number..]), |a| if a.abs() <= reach { f32::INFINITY } else { 0.0 });
                // A little wider than it is: the moves themselves are rounded.
                let factor = (1.0 + 1e-5) / nodes.position[0];
                if nearest <= farthest * factor {
                    note_kinks(layer, n, first, &d, factor, &mut kinked);
                }
            }
            let mut polynomial = Polynomial::default();
            let mut size = [0.0; LANES];
            for (pair, position) in nodes.positions().enumerate() {
                if pair > 0 {
                    d = [unit.change::<F>(&shifts[pair][0]), unit.change::<F>(&shifts[pair][1])];
                    farthest = self::farthest::<F>(&d, layer.weights.largest(first));
                }
                if near[index].is_some() {
                    memory.sums.moves::<F>(index, &d, memory.moves);
                } else {
                    move_logits::<F>(layer, first, &d, farthest <= SMALL, memory);
                }
                let moves = LogitMoves(memory.moves);
                let small = moves.largest() <= 0.5 * SMALL;
                let difference = sample.difference::<F>(small, &moves);
                let factor = scale / (reach * position);
                if pair == 0 && nodes.count > 1 {
                    loss_gradient::sample(output, y, target, memory.gradient);
                    size = sizes::<F>(&moves, memory.gradient, factor);
                }
                polynomial.add::<F>(nodes, pair, factor, &difference);
            }
            let error = polynomial.errors(nodes, &size, &kinked);
            let place = number + lanes.start - start;
            store_some(&error, lanes.clone(), &mut errors[place..]);
            for (order, coefficients) in coefficients.iter_mut().enumerate().take(nodes.count) {
                let kept = polynomial.kept::<F>(order, &error, layer.op.probes.difference.tolerance);
                store_some(&kept, lanes.clone(), &mut coefficients[place..]);
            }
        }
    }
}

/// How far a unit behind moves at most, where units move by `d` and have weights up to `most`.
#[inline(always)]
fn farthest<F: Float>(d: &[Lanes; 2], most: &Lanes) -> f32 {
    let mut farthest = [0.0; LANES];
    for lane in 0..LANES {
        farthest[lane] = d[0][lane].abs().max(d[1][lane].abs()) * most[lane];
    }
    largest_magnitude(&farthest)
}

/// Notes which of sixteen units, from `first` on, lead a ReLU behind over its kink, if they move `factor` times as far as `d`.
#[inline(always)]
fn note_kinks(layer: &Layer<'_>, n: usize, first: usize, d: &[Lanes; 2], factor: f32, kinked: &mut Lanes) {
    let width = layer.op.probes.next.rows;
    let weights = layer.weights.of(first);
    for (b, weight) in layer.behind[n * width..(n + 1) * width].iter().zip(weights) {
        for lane in 0..LANES {
            let moved = d[0][lane].abs().max(d[1][lane].abs()) * weight[lane].abs() * factor;
            kinked[lane] = if b.abs() <= moved { f32::INFINITY } else { kinked[lane] };
        }
    }
}

/// Keeps what moves of the units behind need, for sample `n`.
#[inline(always)]
fn keep_series<F: Float>(layer: &Layer<'_>, n: usize, memory: &mut Memory<'_>) {
    let width = layer.op.probes.next.rows;
    let row = &layer.behind[n * width..(n + 1) * width];
    for (group, series) in memory.series.chunks_exact_mut(PARTS * LANES).enumerate() {
        let unit = Units::new::<F>(
            layer.op.probes.behind.chunk.activation,
            load(row.get(group * LANES..).unwrap_or_default()),
        );
        let kept = unit.parts().into_iter().chain(unit.series::<F>().into_iter().skip(1));
        for (to, from) in series.chunks_exact_mut(LANES).zip(kept) {
            store(&from, to);
        }
    }
    let series = &*memory.series;
    let part = |k: usize, part: usize| series[(k / LANES * PARTS + part) * LANES + k % LANES];
    memory.sums.turn_to::<F>((0..width).map(|k| [part(k, 3), part(k, 4)]));
}

/// How the logits move when sixteen units, from `first` on, change by `d` to either side; no unit behind by more than [`SMALL`]
/// if `small`.
#[inline(always)]
fn move_logits<F: Float>(layer: &Layer<'_>, first: usize, d: &[Lanes; 2], small: bool, memory: &mut Memory<'_>) {
    let classes = layer.op.probes.next.columns;
    let series = &*memory.series;
    for (block, moves) in memory.moves.chunks_mut(CLASSES * 2 * LANES).enumerate() {
        let weights = &layer.next[block * CLASSES..];
        let context = Block { layer, panel: layer.weights.of(first), d, series, weights };
        match (small, moves.len() == CLASSES * 2 * LANES && classes == CLASSES) {
            (true, true) => context.sums::<F, true, true>(moves),
            (true, false) => context.sums::<F, true, false>(moves),
            (false, _) => context.sums::<F, false, false>(moves),
        }
    }
}

/// Some of the logits.
struct Block<'a> {
    layer: &'a Layer<'a>,
    panel: &'a [Lanes],
    d: &'a [Lanes; 2],
    series: &'a [f32],
    /// From the block's first class on.
    weights: &'a [f32],
}

impl Block<'_> {
    /// The weights from unit `k` behind to the block's classes, of which there are `count`. A copy: sums over a reference
    /// are made vectors of classes rather than of curves.
    #[inline(always)]
    fn row<const WHOLE: bool>(&self, k: usize, count: usize) -> [f32; CLASSES] {
        let mut row = [0.0; CLASSES];
        if WHOLE {
            row = *self.weights[k * CLASSES..].first_chunk().unwrap_or(&row);
        } else {
            row[..count].copy_from_slice(&self.weights[k * self.layer.op.probes.next.columns..][..count]);
        }
        row
    }

    /// Adds up how the block's logits move. With `SHORT` no unit behind moves by more than [`SMALL`]; with `WHOLE` the
    /// block holds all classes, and as many as it has room for.
    #[inline(always)]
    fn sums<F: Float, const SHORT: bool, const WHOLE: bool>(&self, moves: &mut [f32]) {
        let op = self.layer.op;
        let width = op.probes.next.rows;
        let count = moves.len() / (2 * LANES);
        let mut sums = [[[0.0f32; LANES]; 2]; CLASSES];
        for k in 0..width {
            let weight = self.panel[k];
            let part = |part: usize| self.series[(k / LANES * PARTS + part) * LANES + k % LANES];
            let mut changes = [[0.0; LANES]; 2];
            if SHORT {
                let (slope, second, third) = ([part(3); LANES], [part(4); LANES], [part(5); LANES]);
                for side in 0..2 {
                    let x = F::mul_lanes(&self.d[side], &weight);
                    let p = F::mul_add_lanes(&x, &third, &second);
                    changes[side] = F::mul_lanes(&x, &F::mul_add_lanes(&x, &p, &slope));
                }
            } else {
                let activation = op.probes.behind.chunk.activation;
                let splat = [[part(0); LANES], [part(1); LANES], [part(2); LANES], [part(3); LANES]];
                let unit = Units::of_parts(activation, splat);
                for side in 0..2 {
                    let x = F::mul_lanes(&self.d[side], &weight);
                    changes[side] = unit.change::<F>(&Shift::new::<F>(activation, x));
                }
            }
            let row = self.row::<WHOLE>(k, count);
            for class in 0..CLASSES {
                for side in 0..2 {
                    sums[class][side] = F::mul_add_lanes(&[row[class]; LANES], &changes[side], &sums[class][side]);
                }
            }
        }
        for (moves, sum) in moves.chunks_exact_mut(2 * LANES).zip(&sums) {
            store(&sum[0], &mut moves[..LANES]);
            store(&sum[1], &mut moves[LANES..]);
        }
    }
}

/// `[C, 2, LANES]`
struct LogitMoves<'a>(&'a [f32]);

impl LogitMoves<'_> {
    #[inline(always)]
    fn largest(&self) -> f32 {
        f32::from_bits(self.0.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff)))
    }
}

impl Moves for LogitMoves<'_> {
    #[inline(always)]
    fn of<F: Float>(&self, k: usize) -> [Lanes; 2] {
        let both = &self.0[k * 2 * LANES..];
        [load(both), load(&both[LANES..])]
    }
}
