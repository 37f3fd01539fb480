//! Cross entropy, sample by sample. See `shaders/cross_entropy.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::{CrossEntropy, Targets};

pub(super) fn dispatches(op: &CrossEntropy, _class: DeviceClass) -> Vec<Dispatch> {
    let (targets, one_hot) = match op.targets {
        Targets::Classes(classes) => (classes.span(), false),
        Targets::OneHot(rows) => (rows.span(), true),
    };
    // With classes a row is one term.
    let (lanes, workgroups) = row_grid(op.y.rows, if one_hot { op.y.columns } else { 1 });
    vec![Dispatch {
        name: "cross_entropy",
        source: shader!("cross_entropy", "grid", "numerics", "rows"),
        constants: vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("ROW_LANES", lanes.into()),
            ("LOGARITHM", f64::from(u8::from(op.logarithm))),
            ("ONE_HOT", f64::from(u8::from(one_hot))),
        ],
        bindings: vec![Binding::Read(op.y.span()), Binding::Read(targets), Binding::Write(op.out.span())],
        parameters: vec![op.y.rows as u32, op.y.columns as u32, 0, op.epsilon.to_bits()],
        workgroups,
    }]
}
