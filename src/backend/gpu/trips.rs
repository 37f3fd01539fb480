//! How often one invocation goes around its loops, for the kernels that cannot be cut into several dispatches.

use super::kernel::WORKGROUP;
use crate::backend::op::{Op, ROUNDS_AT_ONCE, spare_pairs};
use crate::network::OutputLoss;

/// What software drivers are trusted with: some stop silently after 65,535 trips, and count the test that ends a
/// loop as one. The rest is left for the short loops that are not counted here.
pub(super) const MOST: usize = 64_000;

/// An upper bound of the trips of one invocation, the ends of loops included.
pub(super) fn trips(op: &Op) -> usize {
    let lanes = WORKGROUP as usize;
    match op {
        Op::ProbeCurve(op) => {
            // Each pair of points goes once or twice through the classes, and through the orders.
            let points = op.nodes + spare_pairs(op.nodes);
            through_classes(op.layer.y.columns, op.layer.output, points) + points * (op.nodes + 2)
        }
        Op::ProbeDifference(op) => {
            let points = op.chunk.pairs();
            through_classes(op.y.columns, op.output, points) + points * (op.chunk.nodes + 2)
        }
        // A list's entries are shared out over dispatches, of which each has one at least.
        Op::ProbeSingle(op) => through_classes(op.layer.y.columns, op.layer.output, 4),
        // Samples are counted and then written, by many lanes where there are many.
        Op::ProbeList(op) => {
            if op.samples <= 1_024 {
                op.samples * 2
            } else {
                op.samples.div_ceil(lanes) * 2 + 2 * lanes
            }
        }
        Op::Gather(op) => op.inputs.columns.div_ceil(4 * lanes),
        Op::Mean(op) => op.x.rows.div_ceil(256),
        Op::CountCorrect(op) => op.targets.len.div_ceil(256),
        Op::Softmax(op) => 3 * op.x.columns.div_ceil(lanes),
        Op::LossGradient(op) => 2 * op.y.columns.div_ceil(lanes),
        Op::SumOfSquares(op) => op.y.columns.div_ceil(lanes),
        Op::CrossEntropy(op) => op.y.columns.div_ceil(lanes),
        Op::Argmax(op) => op.x.columns.div_ceil(lanes),
        Op::MultiplyAdd(op) => op.rounds / ROUNDS_AT_ONCE,
        Op::RowRange(op) => op.x.columns.div_ceil(lanes),
        // Cut into dispatches of `MAX_TRIPS`, or without loops that grow.
        _ => 0,
    }
}

/// The trips of looking at a sample and of so many changes of its loss.
fn through_classes(classes: usize, output: OutputLoss, changes: usize) -> usize {
    let passes = if output == OutputLoss::SoftmaxSumOfSquares { 2 } else { 1 };
    // The sample itself, the spread of its weights and the curve's size once each.
    (classes + 1) * (3 + passes * changes)
}
