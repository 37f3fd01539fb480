//! Back-propagation through an activation. See `shaders/activation_gradient.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, shader};
use crate::backend::op::ActivationGradient;

pub(super) fn dispatches(op: &ActivationGradient, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.x.len();
    vec![Dispatch {
        name: "activation_gradient",
        source: shader!("activation_gradient", "grid", "numerics", "activations"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ACTIVATION", activation_code(op.activation))],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.gradient.span())],
        parameters: vec![len as u32, 0],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
