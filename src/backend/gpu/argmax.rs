//! The class with the largest output. See `shaders/argmax.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::Argmax;

pub(super) fn dispatches(op: &Argmax, _class: DeviceClass) -> Vec<Dispatch> {
    let (lanes, workgroups) = row_grid(op.x.rows, op.x.columns);
    vec![Dispatch {
        name: "argmax",
        source: shader!("argmax", "grid", "numerics", "rows"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ROW_LANES", lanes.into())],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![op.x.rows as u32, op.x.columns as u32, 0],
        workgroups,
    }]
}
