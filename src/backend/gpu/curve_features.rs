//! What multiplies the coefficients of the loss curves. See `shaders/curve_features.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::CurveFeatures;

pub(super) fn dispatches(op: &CurveFeatures, _class: DeviceClass) -> Vec<Dispatch> {
    let len = op.x.len();
    vec![Dispatch {
        name: "curve_features",
        source: shader!("curve_features", "grid"),
        constants: vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("NODES", (op.out.rows / op.x.rows.max(1)) as f64),
            ("RANGED", f64::from(u8::from(op.range.is_some()))),
        ],
        bindings: vec![
            Binding::Read(op.x.span()),
            Binding::Read(op.range.unwrap_or(op.x).span()),
            Binding::Write(op.out.span()),
        ],
        parameters: vec![len as u32, op.x.columns as u32],
        workgroups: folded(len.div_ceil(WORKGROUP as usize)),
    }]
}
