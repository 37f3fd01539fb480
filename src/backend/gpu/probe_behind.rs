//! What moved units make of the layer behind. See `shaders/probe_behind.wgsl`.

use super::fill;
use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, chunk_constants, folded, shader};
use crate::backend::op::{Fill, ProbeBehind};

pub(super) fn dispatches(op: &ProbeBehind, class: DeviceClass) -> Vec<Dispatch> {
    let (chunk, width) = (&op.chunk, op.behind.columns);
    let (mut constants, tables) = chunk_constants(chunk);
    constants.push(("RANGED", f64::from(u8::from(chunk.range.is_some()))));
    let words = [chunk.count, chunk.first, chunk.pre_activations.columns, width, 0].map(|word| word as u32);
    // Aligned to the tables' vectors.
    let numbers = [chunk.step_size.to_bits(), 0, 0];
    let mut dispatches = fill::dispatches(&Fill { value: 0.0, out: op.kinks }, class);
    dispatches.push(Dispatch {
        name: "probe_behind",
        source: shader!("probe_behind", "grid", "numerics", "activations", "units", "curve_nodes", "behind"),
        constants,
        bindings: vec![
            Binding::Read(chunk.pre_activations.span()),
            Binding::Read(chunk.range.unwrap_or(chunk.pre_activations).span()),
            Binding::Read(op.weight.span()),
            Binding::Read(op.behind.span()),
            Binding::Write(op.out.span()),
            Binding::Write(op.kinks.span()),
        ],
        parameters: words.into_iter().chain(numbers).chain(tables.into_iter().map(f32::to_bits)).collect(),
        workgroups: folded((chunk.count * width).div_ceil(WORKGROUP as usize)),
    });
    dispatches
}
