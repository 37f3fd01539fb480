//! How the logits move where one hidden layer lies between: two operations in one, and the tables that it reads. See
//! `shaders/probe_fused.wgsl` and `shaders/probe_tables.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, node_constants, shader};
use super::trips;
use crate::backend::fusion::ProbedBehind;
use crate::backend::op::ProbeBehind;
use crate::backend::tensor::Tensor;

/// Most classes whose sums an invocation keeps.
const MOST_CLASSES: usize = 16;

/// Whether the kernel can do this: `next` `[V, C]` are the weights to the logits. The tables take the room of the moves
/// that are not written.
pub(super) fn is_possible(op: &ProbeBehind, next: Tensor) -> bool {
    next.columns <= MOST_CLASSES
        && op.chunk.pairs() * (next.rows + 1) < trips::MOST
        && 4 * table_rows(op, next) * next.rows <= op.out.len()
}

/// Vectors of four for each unit behind: weights, and one for each sample.
fn table_rows(op: &ProbeBehind, next: Tensor) -> usize {
    let (begin, end) = samples(op);
    next.columns.div_ceil(4) + (end - begin)
}

/// The first sample of the chunk, and the one behind the last.
fn samples(op: &ProbeBehind) -> (usize, usize) {
    let (chunk, units) = (&op.chunk, op.chunk.pre_activations.columns);
    (chunk.first / units, (chunk.first + chunk.count).div_ceil(units))
}

/// Moves of the logits go to `moves` `[rows, C]`, and kinks where the operation says.
pub(super) fn dispatches(probes: &ProbedBehind, class: DeviceClass) -> [Dispatch; 2] {
    let (op, next, moves) = (&probes.behind, probes.next, probes.difference.moves);
    // A software driver's vector: smaller layers leave less of it idle. It has no registers for the sums of two curves, let
    // alone of four; what counts there is the loads, which the curves share.
    let (lanes, curves) = match class {
        DeviceClass::Software => (8, 4),
        DeviceClass::Gpu => (WORKGROUP as usize, 2),
    };
    let (chunk, width) = (&op.chunk, op.behind.columns);
    let units = chunk.pre_activations.columns;
    let (begin, end) = samples(op);
    let classes = ("CLASSES", next.columns as f64);
    let (nodes, tables) = node_constants(chunk.nodes);
    let activation = ("ACTIVATION", activation_code(chunk.activation));
    let flag = |is: bool| f64::from(u8::from(is));
    let ranged = ("RANGED", flag(chunk.range.is_some()));
    let mut constants = vec![("WORKGROUP", lanes as f64), activation, ranged, classes, ("FOUR", flag(curves == 4))];
    constants.extend(nodes);
    // A part of one sample needs no workgroups for the rest of it.
    let (before, behind_last) = match end - begin {
        1 => (chunk.first % units, chunk.first % units + chunk.count),
        _ => (0, units),
    };
    let strips = (behind_last - before).div_ceil(curves * lanes);
    let words = [chunk.count, chunk.first, units, width, strips, before, 0].map(|word| word as u32);
    let prepare = Dispatch {
        name: "probe_tables",
        source: shader!("probe_tables", "grid", "numerics", "activations", "units"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), activation, classes],
        bindings: vec![Binding::Read(op.behind.span()), Binding::Read(next.span()), Binding::Write(op.out.span())],
        parameters: [width, begin, end - begin, 0].map(|word| word as u32).to_vec(),
        workgroups: folded((table_rows(op, next) * width).div_ceil(WORKGROUP as usize)),
    };
    let follow = Dispatch {
        name: "probe_fused",
        source: shader!("probe_fused", "grid", "numerics", "activations", "units", "curve_nodes"),
        constants,
        bindings: vec![
            Binding::Read(chunk.pre_activations.span()),
            Binding::Read(chunk.range.unwrap_or(chunk.pre_activations).span()),
            Binding::Read(op.weight.span()),
            Binding::Read(op.out.span()),
            Binding::Write(moves.span()),
            Binding::Write(op.kinks.span()),
        ],
        parameters: words
            .into_iter()
            .chain([chunk.step_size.to_bits()])
            .chain(tables.into_iter().map(f32::to_bits))
            .collect(),
        workgroups: folded((end - begin) * strips),
    };
    [prepare, follow]
}
