//! What moved pre-activations make of a layer's activations. See `shaders/probe_through.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, chunk_constants, folded, shader};
use crate::backend::op::ProbeThrough;

pub(super) fn dispatches(op: &ProbeThrough, _class: DeviceClass) -> Vec<Dispatch> {
    let (chunk, width) = (&op.chunk, op.behind.columns);
    let (constants, tables) = chunk_constants(chunk);
    let words = [chunk.count, chunk.first, chunk.pre_activations.columns, width, 0].map(|word| word as u32);
    // Aligned to the tables' vectors.
    let numbers = [chunk.step_size.to_bits(), 0, 0];
    vec![Dispatch {
        name: "probe_through",
        source: shader!("probe_through", "grid", "numerics", "activations", "units", "curve_nodes", "behind"),
        constants,
        bindings: vec![Binding::Read(op.behind.span()), Binding::Write(op.x.span()), Binding::Write(op.kinks.span())],
        parameters: words.into_iter().chain(numbers).chain(tables.into_iter().map(f32::to_bits)).collect(),
        workgroups: folded((chunk.count * width).div_ceil(WORKGROUP as usize)),
    }]
}
