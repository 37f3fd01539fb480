//! The mean loss of a batch. See `shaders/mean.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, shader};
use crate::backend::op::Mean;

pub(super) fn dispatches(op: &Mean, _class: DeviceClass) -> Vec<Dispatch> {
    // One workgroup does it all: a large one where there is much.
    let workgroup = if op.x.rows <= 1_024 { 64.0 } else { 256.0 };
    vec![Dispatch {
        name: "mean",
        source: shader!("mean"),
        constants: vec![("WORKGROUP", workgroup)],
        bindings: vec![Binding::Read(op.x.span()), Binding::Read(op.cursor.span()), Binding::Write(op.out.span())],
        parameters: vec![op.x.rows as u32, op.out.rows as u32],
        workgroups: [1, 1, 1],
    }]
}
