//! Sums over the samples: a bias's gradient. See `shaders/column_sums.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, folded, shader};
use crate::backend::op::ColumnSums;

/// Columns of a workgroup, and rows that it adds up side by side.
const SHARED: [usize; 2] = [16, 16];

/// The same for software drivers, where waiting for each other costs more than adding so few rows up one by one.
const ALONE: [usize; 2] = [8, 1];
const FEW_ROWS: usize = 256;

pub(super) fn dispatches(op: &ColumnSums, class: DeviceClass) -> Vec<Dispatch> {
    let (rows, columns) = (op.x.rows, op.x.columns);
    let is_alone = class == DeviceClass::Software && rows <= FEW_ROWS;
    let [columns_each, lanes] = if is_alone { ALONE } else { SHARED };
    let most = MAX_TRIPS * lanes;
    let dispatch = |first: usize| Dispatch {
        name: "column_sums",
        source: shader!("column_sums", "grid"),
        constants: vec![("COLUMNS", columns_each as f64), ("LANES", lanes as f64)],
        bindings: vec![Binding::Read(op.x.span()), Binding::Write(op.out.span())],
        parameters: [columns, first, (first + most).min(rows)].map(|word| word as u32).to_vec(),
        workgroups: folded(columns.div_ceil(columns_each)),
    };
    (0..rows).step_by(most).map(dispatch).collect()
}
