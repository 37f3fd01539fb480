//! One-hot rows. See `shaders/one_hot.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::OneHot;

pub(super) fn dispatches(op: &OneHot, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.out.len();
    vec![Dispatch {
        name: "one_hot",
        source: shader!("one_hot", "grid"),
        constants: vec![("WORKGROUP", WORKGROUP.into())],
        bindings: vec![Binding::Read(op.targets.span()), Binding::Write(op.out.span())],
        parameters: vec![len as u32, op.out.columns as u32],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
