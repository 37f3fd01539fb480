//! Matrix products. See `shaders/matmul.wgsl` and `shaders/matmul_tiled.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, folded, shader};
use crate::backend::op::Matmul;

pub(super) fn dispatches(op: &Matmul, class: DeviceClass) -> Vec<Dispatch> {
    let [_, k, _] = op.shape();
    (0..k).step_by(MAX_TRIPS).map(|first| product(op, class, first..(first + MAX_TRIPS).min(k))).collect()
}

/// The product's share of these terms, added to that of the terms before.
fn product(op: &Matmul, class: DeviceClass, terms: std::ops::Range<usize>) -> Dispatch {
    /// Few invocations a workgroup spread small products over all cores of a CPU.
    const WORKGROUP: usize = 8;
    let [m, k, n] = op.shape();
    let continued = ("CONTINUED", f64::from(u8::from(terms.start > 0)));
    // Rows and columns of a tile, tiles of a workgroup.
    let (name, source, constants, [tall, wide], tiles_each) = match class {
        DeviceClass::Software => {
            let constants = vec![("WORKGROUP", WORKGROUP as f64), continued];
            ("matmul", shader!("matmul", "grid"), constants, [8, 16], WORKGROUP)
        }
        DeviceClass::Gpu => ("matmul_tiled", shader!("matmul_tiled", "grid"), vec![continued], [64, 64], 1),
    };
    let (across, down) = (n.div_ceil(wide), m.div_ceil(tall));
    let (a_row, a_term) = if op.transpose_a { (1, m) } else { (k, 1) };
    let (b_term, b_column) = if op.transpose_b { (1, k) } else { (n, 1) };
    let biased = usize::from(op.bias.is_some());
    let words = [m, n, terms.start, terms.end, a_row, a_term, b_term, b_column, biased, across, across * down];
    Dispatch {
        name,
        source,
        constants,
        bindings: vec![
            Binding::Read(op.a.span()),
            Binding::Read(op.b.span()),
            // Not used without a bias, but something must be bound.
            Binding::Read(op.bias.unwrap_or(op.b).span()),
            Binding::Write(op.out.span()),
        ],
        parameters: words.map(|word| word as u32).to_vec(),
        workgroups: folded((across * down).div_ceil(tiles_each)),
    }
}
