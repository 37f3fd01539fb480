//! Random directions, and parameters moved along them. See `shaders/perturb.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::{Directions, Perturb};

pub(super) fn dispatches(op: &Perturb, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.out.columns;
    let mut parameters = direction_parameters(&op.directions, op.offset, len);
    parameters.push(op.step_size.to_bits());
    vec![Dispatch {
        name: "perturb",
        source: shader!("perturb", "grid", "threefry"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("MOVED", f64::from(u8::from(op.parameters.is_some())))],
        bindings: vec![
            Binding::Read(op.directions.step.span()),
            // Directions need no parameters, but something must be bound.
            Binding::Read(op.parameters.map_or(op.directions.step.span(), |parameters| parameters.span())),
            Binding::Write(op.out.span()),
        ],
        parameters,
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}

/// What a shader is told of a part of directions: `[seed, seed, first, count, block, len]`. A block of 64 elements is a
/// workgroup's.
pub(super) fn direction_parameters(directions: &Directions, offset: usize, len: usize) -> Vec<u32> {
    let Directions { seed, first, count, .. } = *directions;
    let block = offset / WORKGROUP as usize;
    vec![seed as u32, (seed >> 32) as u32, first as u32, count as u32, block as u32, len as u32]
}
