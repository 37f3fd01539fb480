//! From the logits' moves to the loss curves. See `shaders/probe_difference.wgsl`.

use super::estimate::{Polynomial, sizes};
use super::groups::{Group, Groups};
use super::lanes::{load, store};
use super::loss_change::{Moves, Sample};
use super::loss_gradient;
use super::math::{LANES, Lanes, SMALL};
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::nodes::Nodes;
use crate::backend::op::{MAX_NODES, ProbeDifference};

pub(super) fn run(op: &ProbeDifference, view: &View<'_>, worker: &mut Worker<'_>) {
    let chunk = &op.chunk;
    let (len, classes) = (chunk.pre_activations.len(), op.y.columns);
    let groups = Groups::of(chunk, worker);
    let numbers = groups.numbers();
    // SAFETY: this worker's curves, taken once.
    let errors = unsafe { view.floats_mut(op.errors, numbers.clone()) };
    let mut coefficients: [&mut [f32]; MAX_NODES] = Default::default();
    for (order, coefficients) in coefficients.iter_mut().take(chunk.nodes).enumerate() {
        let block = chunk.nodes - 1 - order;
        // SAFETY: this worker's curves in each block, each taken once.
        *coefficients =
            unsafe { view.floats_mut(op.coefficients, block * len + numbers.start..block * len + numbers.end) };
    }
    let layer = Layer {
        op,
        nodes: Nodes::new(chunk.nodes),
        moves: view.floats(op.moves),
        kinks: view.floats(op.kinks),
        y: view.floats(op.y),
        targets: view.words(op.targets),
        range: chunk.range.map(|range| view.floats(range)),
    };
    read(&layer, &groups, worker.scratch(classes), &mut coefficients, errors);
}

/// What all curves share.
struct Layer<'a> {
    op: &'a ProbeDifference,
    nodes: Nodes,
    moves: &'a [f32],
    kinks: &'a [f32],
    y: &'a [f32],
    targets: &'a [u32],
    range: Option<&'a [f32]>,
}

/// The moves at one pair of points of neighbouring curves of one sample.
struct RowMoves<'a> {
    /// From the first curve's row for `s` on.
    rows: &'a [f32],
    classes: usize,
    curves: usize,
}

impl RowMoves<'_> {
    #[inline(always)]
    fn largest(&self) -> f32 {
        self.rows[..2 * self.curves * self.classes].iter().fold(0.0f32, |most, x| most.max(x.abs()))
    }
}

impl Moves for RowMoves<'_> {
    #[inline(always)]
    fn of<F: Float>(&self, k: usize) -> [Lanes; 2] {
        let mut moves = [[0.0; LANES]; 2];
        for lane in 0..self.curves {
            for (side, moves) in moves.iter_mut().enumerate() {
                moves[lane] = self.rows[(2 * lane + side) * self.classes + k];
            }
        }
        moves
    }
}

vectorized! {
    /// The polynomials of some curves of the chunk; `gradient` has room for the classes.
    fn read(
        layer: &Layer<'_>,
        groups: &Groups,
        gradient: &mut [f32],
        coefficients: &mut [&mut [f32]; MAX_NODES],
        errors: &mut [f32],
    ) = body
}

#[inline(always)]
fn body<F: Float>(
    layer: &Layer<'_>,
    groups: &Groups,
    gradient: &mut [f32],
    coefficients: &mut [&mut [f32]; MAX_NODES],
    errors: &mut [f32],
) {
    let (op, chunk, nodes) = (layer.op, &layer.op.chunk, &layer.nodes);
    let classes = op.y.columns;
    let scale = 0.5 / chunk.pre_activations.rows as f32;
    let start = groups.numbers().start;
    for Group { sample: n, number, lanes, .. } in groups.iter() {
        let (count, at) = (lanes.len(), number + lanes.start - chunk.first);
        let y = &layer.y[n * classes..(n + 1) * classes];
        let target = layer.targets[n] as usize;
        let sample = Sample::new(op.output, y, target);
        let reach = chunk.step_size * layer.range.map_or(1.0, |range| range[n]);
        let mut polynomial = Polynomial::default();
        let mut size = [0.0; LANES];
        for (pair, position) in nodes.positions().enumerate() {
            let rows = &layer.moves[2 * (pair * chunk.count + at) * classes..];
            let moves = RowMoves { rows, classes, curves: count };
            let small = moves.largest() <= 0.5 * SMALL;
            let difference = sample.difference::<F>(small, &moves);
            let factor = scale / (reach * position);
            if pair == 0 && nodes.count > 1 {
                loss_gradient::sample(op.output, y, target, gradient);
                size = sizes::<F>(&moves, gradient, factor);
            }
            polynomial.add::<F>(nodes, pair, factor, &difference);
        }
        let error = polynomial.errors(nodes, &size, &load(&layer.kinks[at..at + count]));
        let place = chunk.first + at - start;
        store(&error, &mut errors[place..place + count]);
        for (order, coefficients) in coefficients.iter_mut().enumerate().take(nodes.count) {
            let kept = polynomial.kept::<F>(order, &error, op.tolerance);
            store(&kept, &mut coefficients[place..place + count]);
        }
    }
}
