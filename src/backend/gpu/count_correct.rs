//! How many predictions are right. See `shaders/count_correct.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, shader};
use crate::backend::op::CountCorrect;

pub(super) fn dispatches(op: &CountCorrect, _class: DeviceClass) -> Vec<Dispatch> {
    vec![Dispatch {
        name: "count_correct",
        source: shader!("count_correct"),
        constants: vec![("WORKGROUP", 256.0)],
        bindings: vec![
            Binding::Read(op.predictions.span()),
            Binding::Read(op.targets.span()),
            Binding::Write(op.out.span()),
        ],
        parameters: vec![op.targets.len as u32],
        workgroups: [1, 1, 1],
    }]
}
