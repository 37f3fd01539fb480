//! The loss curve of every unit, sampled and written as a polynomial. See `shaders/probe_curve.wgsl`.

use super::kernel::{
    Binding, DeviceClass, Dispatch, WORKGROUP, folded, layer_constants, next_or_any, output_code, shader,
};
use crate::backend::nodes::Nodes;
use crate::backend::op::ProbeCurve;

pub(super) fn dispatches(op: &ProbeCurve, _class: DeviceClass) -> Vec<Dispatch> {
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let nodes = Nodes::new(op.nodes);
    let mut constants = layer_constants(layer);
    constants.extend([
        ("NODES", nodes.count as f64),
        ("CHECKS", nodes.check_count as f64),
        ("RANGED", f64::from(u8::from(op.range.is_some()))),
    ]);
    let numbers = [layer.step_size, output_code(layer.output).1, 0.5 / samples as f32, op.tolerance];
    let mut spare = [0.0; 8];
    for (position, check) in spare.iter_mut().zip(&nodes.checks) {
        *position = check.position;
    }
    let tables = (nodes.position.iter())
        .chain(nodes.transform.as_flattened())
        .chain(&spare)
        .chain(nodes.checks.iter().flat_map(|check| &check.polynomials));
    vec![Dispatch {
        name: "probe_curve",
        source: shader!("probe_curve", "grid", "numerics", "activations", "loss_slope", "loss_change"),
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
            .chain(numbers.iter().chain(tables).map(|number| number.to_bits()))
            .collect(),
        workgroups: folded((samples * units).div_ceil(WORKGROUP as usize)),
    }]
}
