//! Activations of a layer whose pre-activations are moved to both sides. See `shaders/shift.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, activation_code, folded, shader};
use crate::backend::op::Shift;

pub(super) fn dispatches(op: &Shift, _class: DeviceClass) -> Vec<Dispatch> {
    let shifts = op.shift.len();
    vec![Dispatch {
        name: "shift",
        source: shader!("shift", "grid", "numerics", "activations"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ACTIVATION", activation_code(op.activation))],
        bindings: vec![Binding::Read(op.base.span()), Binding::Read(op.shift.span()), Binding::Write(op.out.span())],
        parameters: vec![op.base.len() as u32, shifts as u32, 0, op.step_size.to_bits()],
        workgroups: folded(shifts.div_ceil(WORKGROUP as usize)),
    }]
}
