//! A mini-batch out of bytes. See `shaders/gather.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, folded, shader};
use crate::backend::op::Gather;

pub(super) fn dispatches(op: &Gather, _class: DeviceClass) -> Vec<Dispatch> {
    let (batch, features) = (op.inputs.rows, op.inputs.columns);
    let whole = features.is_multiple_of(4);
    vec![Dispatch {
        name: "gather",
        source: match whole {
            true => shader!("gather", "grid", "inputs_four"),
            false => shader!("gather", "grid", "inputs_one"),
        },
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("WHOLE", f64::from(u8::from(whole)))],
        bindings: vec![
            Binding::Read(op.images.span()),
            Binding::Read(op.labels.span()),
            Binding::Read(op.indices.span()),
            Binding::Read(op.cursor.span()),
            Binding::Write(op.inputs.span()),
            Binding::Write(op.targets.span()),
        ],
        parameters: [batch, op.indices.len / batch.max(1), op.images.rows, features].map(|word| word as u32).to_vec(),
        workgroups: folded(batch),
    }]
}
