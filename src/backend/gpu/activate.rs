//! Activations of hidden units. See `shaders/activate.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, goes_by_fours, shader};
use crate::backend::op::Activate;

pub(super) fn dispatches(op: &Activate, _class: DeviceClass) -> Vec<Dispatch> {
    let by_fours = goes_by_fours(op.activation, op.out.len());
    let len = if by_fours { op.out.len() / 4 } else { op.out.len() };
    vec![Dispatch {
        name: "activate",
        source: match by_fours {
            true => shader!("activate", "four", "grid", "numerics", "activations", "activations_four"),
            false => shader!("activate", "one", "grid", "numerics", "activations", "activations_one"),
        },
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ACTIVATION", activation_code(op.activation))],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![len as u32, 0],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
