//! Constant tensors. See `shaders/fill.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::Fill;

pub(super) fn dispatches(op: &Fill, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.out.len();
    vec![Dispatch {
        name: "fill",
        source: shader!("fill", "grid"),
        constants: vec![("WORKGROUP", WORKGROUP.into())],
        bindings: vec![Binding::Write(op.out.span())],
        parameters: vec![len as u32, op.value.to_bits()],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
