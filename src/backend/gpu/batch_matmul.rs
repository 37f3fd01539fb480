//! Many matrix products of one shape. See `shaders/batch_matmul.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, WORKGROUP, folded, shader};
use crate::backend::op::BatchMatmul;

/// Rows and columns of an invocation's tile.
const TILE: [usize; 2] = [8, 4];

/// Most terms of a dispatch's sums; each takes the trips over the tile's rows as well.
const MOST_TERMS: usize = MAX_TRIPS / (TILE[0] + 2);

pub(super) fn dispatches(op: &BatchMatmul, _class: DeviceClass) -> Vec<Dispatch> {
    let (batches, terms, columns) = (op.b.rows, op.a.columns, op.out.columns);
    let rows = op.out.rows / batches;
    let tiles = batches * rows.div_ceil(TILE[0]) * columns.div_ceil(TILE[1]);
    let a_batch = if op.shared { 0 } else { rows * terms };
    let dispatch = |first: usize| {
        let end = (first + MOST_TERMS).min(terms);
        let numbers = [batches, rows, columns, terms, first, end, a_batch, op.b.columns, op.weight_at, op.bias_at];
        Dispatch {
            name: "batch_matmul",
            source: shader!("batch_matmul", "grid"),
            constants: vec![("WORKGROUP", WORKGROUP.into())],
            bindings: vec![Binding::Read(op.a.span()), Binding::Read(op.b.span()), Binding::Write(op.out.span())],
            parameters: numbers.map(|number| number as u32).to_vec(),
            workgroups: folded(tiles.div_ceil(WORKGROUP as usize)),
        }
    };
    (0..terms).step_by(MOST_TERMS).map(dispatch).collect()
}
