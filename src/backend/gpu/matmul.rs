//! Matrix products. See `shaders/matmul.wgsl` and `shaders/matmul_tiled.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, folded, shader};
use crate::backend::op::Matmul;

pub(super) fn dispatches(op: &Matmul, class: DeviceClass) -> Vec<Dispatch> {
    let _ = class;
    let [m, k, n] = op.shape();
    (0..k).step_by(MAX_TRIPS).map(|first| registers(op, first, (first + MAX_TRIPS).min(k), [m, k, n])).collect()
}

/// What sums begin with.
fn start(op: &Matmul, first: usize) -> u32 {
    match (first, op.bias) {
        (0, None) => 0,
        (0, Some(_)) => 1,
        _ => 2,
    }
}

/// The software drivers' kernel, for the terms `first..end`.
fn registers(op: &Matmul, first: usize, end: usize, [m, k, n]: [usize; 3]) -> Dispatch {
    /// Few invocations a workgroup spread small products over all cores.
    const WORKGROUP: usize = 8;
    let (across, down) = (n.div_ceil(16), m.div_ceil(8));
    let (a_row, a_term) = if op.transpose_a { (1, m) } else { (k, 1) };
    let (b_term, b_column) = if op.transpose_b { (1, k) } else { (n, 1) };
    let mut parameters = [m, n, first, end, a_row, a_term, b_term, b_column].map(|word| word as u32).to_vec();
    parameters.extend([start(op, first), across as u32, (across * down) as u32]);
    Dispatch {
        name: "matmul",
        source: shader!("matmul", "grid"),
        constants: vec![("WORKGROUP", WORKGROUP as f64)],
        bindings: vec![
            Binding::Read(op.a.span()),
            Binding::Read(op.b.span()),
            // Not read without a bias, but something must be bound.
            Binding::Read(op.bias.unwrap_or(op.b).span()),
            Binding::Write(op.out.span()),
        ],
        parameters,
        workgroups: folded((across * down).div_ceil(WORKGROUP)),
    }
}
