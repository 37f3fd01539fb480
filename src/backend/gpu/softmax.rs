//! Softmax and its logarithm, row by row. See `shaders/softmax.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::Softmax;

pub(super) fn dispatches(op: &Softmax, _class: DeviceClass) -> Vec<Dispatch> {
    let (lanes, workgroups) = row_grid(op.x.rows, op.x.columns);
    vec![Dispatch {
        name: "softmax",
        source: shader!("softmax", "grid", "numerics", "rows"),
        constants: vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("ROW_LANES", lanes.into()),
            ("LOGARITHM", f64::from(u8::from(op.logarithm))),
        ],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: vec![op.x.rows as u32, op.x.columns as u32, 0],
        workgroups,
    }]
}
