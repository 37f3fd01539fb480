//! What a device can do at most. See `shaders/multiply_add.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::{MultiplyAdd, ROUNDS_AT_ONCE};

pub(super) fn dispatches(op: &MultiplyAdd, _class: DeviceClass) -> Vec<Dispatch> {
    /// Floats of an invocation.
    const FLOATS: usize = 12;
    let trips = op.rounds / ROUNDS_AT_ONCE;
    vec![Dispatch {
        name: "multiply_add",
        source: shader!("multiply_add", "grid"),
        constants: vec![("WORKGROUP", WORKGROUP.into())],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![(op.out.len() / 4) as u32, trips as u32, op.factor.to_bits(), op.addend.to_bits()],
        workgroups: folded(op.out.len().div_ceil(FLOATS * WORKGROUP as usize)),
    }]
}
