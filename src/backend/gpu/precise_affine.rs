//! Pre-activations in twice the precision. See `shaders/precise_affine.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, WORKGROUP, folded, shader};
use crate::backend::op::PreciseAffine;

pub(super) fn dispatches(op: &PreciseAffine, _class: DeviceClass) -> Vec<Dispatch> {
    let (samples, inputs, units) = (op.inputs.rows, op.inputs.columns, op.weight.columns);
    let dispatch = |first: usize| Dispatch {
        name: "precise_affine",
        source: shader!("precise_affine", "grid", "numerics"),
        constants: vec![("WORKGROUP", WORKGROUP.into())],
        bindings: vec![
            Binding::Read(op.inputs.span()),
            Binding::Read(op.weight.span()),
            Binding::Read(op.bias.span()),
            Binding::Read(op.list.span()),
            Binding::Read(op.counts.span()),
            Binding::Write(op.out.span()),
        ],
        parameters: [samples, units, inputs, 0, first, (first + MAX_TRIPS).min(inputs)]
            .map(|word| word as u32)
            .to_vec(),
        workgroups: folded((units * samples).div_ceil(WORKGROUP as usize)),
    };
    (0..inputs).step_by(MAX_TRIPS).map(dispatch).collect()
}
