//! Sums over the samples: a bias's gradient. See `shaders/column_sums.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, folded, shader};
use crate::backend::op::ColumnSums;

/// Columns of a workgroup, and rows that it adds up side by side.
const COLUMNS: usize = 16;
const LANES: usize = 16;

pub(super) fn dispatches(op: &ColumnSums, _class: DeviceClass) -> Vec<Dispatch> {
    let (rows, columns) = (op.x.rows, op.x.columns);
    let most = MAX_TRIPS * LANES;
    let dispatch = |first: usize| Dispatch {
        name: "column_sums",
        source: shader!("column_sums", "grid"),
        constants: vec![("COLUMNS", COLUMNS as f64), ("LANES", LANES as f64)],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: [columns, first, (first + most).min(rows)].map(|word| word as u32).to_vec(),
        workgroups: folded(columns.div_ceil(COLUMNS)),
    };
    (0..rows).step_by(most).map(dispatch).collect()
}
