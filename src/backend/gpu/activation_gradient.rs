//! Back-propagation through an activation. See `shaders/activation_gradient.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, goes_by_fours, shader};
use crate::backend::op::ActivationGradient;

pub(super) fn dispatches(op: &ActivationGradient, _class: DeviceClass) -> Vec<Dispatch> {
    let by_fours = goes_by_fours(op.activation, op.x.len());
    let len = if by_fours { op.x.len() / 4 } else { op.x.len() };
    vec![Dispatch {
        name: "activation_gradient",
        source: match by_fours {
            true => shader!("activation_gradient", "four", "grid", "numerics", "activations", "activations_four"),
            false => shader!("activation_gradient", "one", "grid", "numerics", "activations", "activations_one"),
        },
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ACTIVATION", activation_code(op.activation))],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.gradient.span())],
        parameters: vec![len as u32, 0],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
