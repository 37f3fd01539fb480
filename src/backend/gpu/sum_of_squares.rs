//! Sum of squares error, sample by sample. See `shaders/sum_of_squares.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::{SumOfSquares, Targets};

pub(super) fn dispatches(op: &SumOfSquares, _class: DeviceClass) -> Vec<Dispatch> {
    let (targets, one_hot) = match op.targets {
        Targets::Classes(classes) => (classes.span(), false),
        Targets::OneHot(rows) => (rows.span(), true),
    };
    let (lanes, workgroups) = row_grid(op.y.rows, op.y.columns);
    vec![Dispatch {
        name: "sum_of_squares",
        source: shader!("sum_of_squares", "grid", "numerics", "rows"),
        constants: vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("ROW_LANES", lanes.into()),
            ("ONE_HOT", f64::from(u8::from(one_hot))),
        ],
        bindings: vec![Binding::Read(op.y.span()), Binding::Read(targets), Binding::Write(op.out.span())],
        parameters: vec![op.y.rows as u32, op.y.columns as u32, 0],
        workgroups,
    }]
}
