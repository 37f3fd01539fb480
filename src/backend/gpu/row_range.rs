//! How far each sample's inputs reach. See `shaders/row_range.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::RowRange;

pub(super) fn dispatches(op: &RowRange, _class: DeviceClass) -> Vec<Dispatch> {
    let (lanes, workgroups) = row_grid(op.x.rows, op.x.columns);
    vec![Dispatch {
        name: "row_range",
        source: shader!("row_range", "grid", "numerics", "rows"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ROW_LANES", lanes.into())],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![op.x.rows as u32, op.x.columns as u32, 0],
        workgroups,
    }]
}
