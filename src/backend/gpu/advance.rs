//! Counters of steps. See `shaders/advance.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, shader};
use crate::backend::op::Advance;

pub(super) fn dispatches(op: &Advance, _class: DeviceClass) -> Vec<Dispatch> {
    vec![Dispatch {
        name: "advance",
        source: shader!("advance"),
        constants: Vec::new(),
        bindings: vec![Binding::Write(op.cursor.span()), Binding::Write(op.step.span())],
        parameters: Vec::new(),
        workgroups: [1, 1, 1],
    }]
}
