//! Parameters probed one by one. See `shaders/probe_single.wgsl`.

use super::kernel::{
    Binding, DeviceClass, Dispatch, MAX_TRIPS, WORKGROUP, folded, layer_constants, next_or_any, output_code, shader,
};
use crate::backend::op::ProbeSingle;
use crate::backend::tensor::Tensor;

pub(super) fn dispatches(op: &ProbeSingle, class: DeviceClass) -> Vec<Dispatch> {
    // Usually nothing is listed: on a CPU workgroups without work cost the most then.
    let share = match class {
        DeviceClass::Gpu => 1,
        DeviceClass::Software => 4,
    };
    let samples = op.layer.pre_activations.rows;
    // Classes are gone through once for the sample, and at most twice for each change.
    let trips = (op.layer.y.columns + 2) * (1 + 2 * share);
    let entries = (MAX_TRIPS / trips).max(1);
    let mut dispatches = Vec::new();
    for first in (0..samples).step_by(entries) {
        let range = [first, (first + entries).min(samples)];
        dispatches.push(probe(op, op.weight_gradient, false, share, range));
        dispatches.push(probe(op, op.bias_gradient, true, 1, range));
    }
    dispatches
}

/// The probes of the weights, or of the biases, for a range of the list's entries.
fn probe(op: &ProbeSingle, gradient: Tensor, bias: bool, share: usize, [first, end]: [usize; 2]) -> Dispatch {
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let inputs = if bias { 1 } else { op.inputs.columns };
    let stride = inputs.div_ceil(share);
    let mut constants = layer_constants(layer);
    constants.extend([
        ("SHARE", share as f64),
        ("BIAS", f64::from(u8::from(bias))),
        ("ONE_SIDED", f64::from(u8::from(op.one_sided))),
    ]);
    let sides = if op.one_sided { 1.0 } else { 2.0 };
    let scale = 1.0 / (sides * layer.step_size * samples as f32);
    let mut parameters = vec![samples as u32, units as u32, layer.y.columns as u32, 0];
    parameters.extend([layer.step_size, output_code(layer.output).1, scale].map(f32::to_bits));
    parameters.extend([inputs, stride, first, end].map(|word| word as u32));
    Dispatch {
        name: "probe_single",
        source: shader!(
            "probe_single",
            "grid",
            "numerics",
            "activations",
            "units",
            "loss_slope",
            "loss_change",
            "unit_moves"
        ),
        constants,
        bindings: vec![
            Binding::Read(op.precise.unwrap_or(layer.pre_activations).span()),
            next_or_any(layer),
            Binding::Read(layer.y.span()),
            Binding::Read(layer.targets.span()),
            Binding::Read(op.inputs.span()),
            Binding::Read(op.list.span()),
            Binding::Read(op.counts.span()),
            Binding::Write(gradient.span()),
        ],
        parameters,
        workgroups: folded((units * stride).div_ceil(WORKGROUP as usize)),
    }
}
