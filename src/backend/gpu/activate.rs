//! Activations of hidden units. See `shaders/activate.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, shader};
use crate::backend::op::Activate;

pub(super) fn dispatches(op: &Activate, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.out.len();
    vec![Dispatch {
        name: "activate",
        source: shader!("activate", "grid", "numerics", "activations"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ACTIVATION", activation_code(op.activation))],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![len as u32, 0],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
