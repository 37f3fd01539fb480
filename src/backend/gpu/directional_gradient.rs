//! The mean of random directions, each times the loss's derivative along it. See `shaders/directional_gradient.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use super::perturb::direction_parameters;
use crate::backend::op::DirectionalGradient;

pub(super) fn dispatches(op: &DirectionalGradient, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.out.len();
    let mut parameters = direction_parameters(&op.directions, op.offset, len);
    parameters.push((1.0 / op.directions.count as f32).to_bits());
    vec![Dispatch {
        name: "directional_gradient",
        source: shader!("directional_gradient", "grid", "threefry"),
        constants: vec![("WORKGROUP", WORKGROUP.into())],
        bindings: vec![
            Binding::Read(op.directions.step.span()),
            Binding::Read(op.coefficients.span()),
            Binding::Write(op.out.span()),
        ],
        parameters,
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
