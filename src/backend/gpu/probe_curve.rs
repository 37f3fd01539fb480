//! The loss curve of every unit, sampled and written as a polynomial. See `shaders/probe_curve.wgsl`.

use super::kernel::{
    Binding, DeviceClass, Dispatch, WORKGROUP, folded, layer_constants, next_or_any, node_constants, output_code,
    shader,
};
use crate::backend::op::ProbeCurve;

pub(super) fn dispatches(op: &ProbeCurve, _class: DeviceClass) -> Vec<Dispatch> {
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let (nodes, tables) = node_constants(op.nodes);
    let mut constants = layer_constants(layer);
    constants.extend(nodes);
    constants.push(("RANGED", f64::from(u8::from(op.range.is_some()))));
    let numbers = [layer.step_size, output_code(layer.output).1, 0.5 / samples as f32, op.tolerance];
    vec![Dispatch {
        name: "probe_curve",
        source: shader!(
            "probe_curve",
            "grid",
            "numerics",
            "activations",
            "units",
            "loss_slope",
            "loss_change",
            "unit_moves",
            "curve_nodes",
            "curve_fit"
        ),
        constants,
        bindings: vec![
            Binding::Read(layer.pre_activations.span()),
            next_or_any(layer),
            Binding::Read(layer.y.span()),
            Binding::Read(layer.targets.span()),
            Binding::Read(op.range.unwrap_or(layer.y).span()),
            Binding::Write(op.coefficients.span()),
            Binding::Write(op.errors.span()),
        ],
        parameters: [samples as u32, units as u32, layer.y.columns as u32, 0]
            .into_iter()
            .chain(numbers.into_iter().chain(tables).map(f32::to_bits))
            .collect(),
        workgroups: folded((samples * units).div_ceil(WORKGROUP as usize)),
    }]
}
