//! From the logits' moves to the loss curves. See `shaders/probe_difference.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, node_constants, output_code, shader};
use crate::backend::op::ProbeDifference;

pub(super) fn dispatches(op: &ProbeDifference, _class: DeviceClass) -> Vec<Dispatch> {
    let chunk = &op.chunk;
    let (output, epsilon) = output_code(op.output);
    let (nodes, tables) = node_constants(chunk.nodes);
    let mut constants = vec![("WORKGROUP", WORKGROUP.into()), ("OUTPUT", output)];
    constants.extend(nodes);
    constants.push(("RANGED", f64::from(u8::from(chunk.range.is_some()))));
    let (samples, units) = (chunk.pre_activations.rows, chunk.pre_activations.columns);
    let words = [chunk.count, chunk.first, samples * units, units, op.y.columns, 0].map(|word| word as u32);
    let numbers = [chunk.step_size, epsilon, 0.5 / samples as f32, op.tolerance].map(f32::to_bits);
    vec![Dispatch {
        name: "probe_difference",
        source: shader!(
            "probe_difference",
            "grid",
            "numerics",
            "loss_slope",
            "loss_change",
            "curve_nodes",
            "curve_fit"
        ),
        constants,
        bindings: vec![
            Binding::Read(op.moves.span()),
            Binding::Read(op.kinks.span()),
            Binding::Read(op.y.span()),
            Binding::Read(op.targets.span()),
            Binding::Read(chunk.range.unwrap_or(op.y).span()),
            Binding::Write(op.coefficients.span()),
            Binding::Write(op.errors.span()),
        ],
        // Aligned to the tables' vectors.
        parameters: words
            .into_iter()
            .chain(numbers)
            .chain([0, 0])
            .chain(tables.into_iter().map(f32::to_bits))
            .collect(),
        workgroups: folded(chunk.count.div_ceil(WORKGROUP as usize)),
    }]
}
