//! Where back-propagation begins. See `shaders/loss_gradient.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, output_code, row_grid, shader};
use crate::backend::op::LossGradient;

pub(super) fn dispatches(op: &LossGradient, _class: DeviceClass) -> Vec<Dispatch> {
    let (rows, columns) = (op.y.rows, op.y.columns);
    let (lanes, workgroups) = row_grid(rows, columns);
    let (output, epsilon) = output_code(op.output);
    let scale = 1.0 / rows as f32;
    vec![Dispatch {
        name: "loss_gradient",
        source: shader!("loss_gradient", "grid", "numerics", "rows", "loss_slope"),
        constants: vec![("WORKGROUP", WORKGROUP.into()), ("ROW_LANES", lanes.into()), ("OUTPUT", output)],
        bindings: vec![Binding::Read(op.y.span()), Binding::Read(op.targets.span()), Binding::Write(op.out.span())],
        parameters: vec![rows as u32, columns as u32, 0, epsilon.to_bits(), scale.to_bits()],
        workgroups,
    }]
}
