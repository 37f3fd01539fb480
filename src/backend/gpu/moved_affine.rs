//! A layer under many sets of parameters, each with one moved. See `shaders/moved_affine.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, WORKGROUP, folded, shader};
use crate::backend::op::MovedAffine;

/// Rows of an invocation.
const ROWS: usize = 4;

pub(super) fn dispatches(op: &MovedAffine, class: DeviceClass) -> Vec<Dispatch> {
    let (inputs, units) = (op.weight.rows, op.weight.columns);
    let wide = class == DeviceClass::Software;
    let (across, down) = (units.div_ceil(if wide { 8 } else { 4 }), op.out.rows.div_ceil(ROWS));
    let own_inputs = op.inputs.rows == op.out.rows;
    let dispatch = |first: usize| {
        let end = (first + MAX_TRIPS).min(inputs);
        let words = [op.out.rows, op.places.len, inputs, units, first, end, across, across * down];
        Dispatch {
            name: "moved_affine",
            source: shader!("moved_affine", "grid"),
            constants: vec![
                ("WORKGROUP", WORKGROUP.into()),
                ("CONTINUED", f64::from(u8::from(first > 0))),
                ("OWN_INPUTS", f64::from(u8::from(own_inputs))),
                ("WIDE", f64::from(u8::from(wide))),
            ],
            bindings: vec![
                Binding::Read(op.inputs.span()),
                Binding::Read(op.weight.span()),
                Binding::Read(op.bias.span()),
                Binding::Read(op.places.span()),
                Binding::Read(op.values.span()),
                Binding::Write(op.out.span()),
            ],
            parameters: words.map(|word| word as u32).to_vec(),
            workgroups: folded((across * down).div_ceil(WORKGROUP as usize)),
        }
    };
    (0..inputs).step_by(MAX_TRIPS).map(dispatch).collect()
}
