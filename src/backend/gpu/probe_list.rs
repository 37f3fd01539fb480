//! Which samples' curves failed their check. See `shaders/probe_list.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, WORKGROUP, row_grid, shader};
use crate::backend::op::ProbeList;

pub(super) fn dispatches(op: &ProbeList, _class: DeviceClass) -> Vec<Dispatch> {
    let (lanes, workgroups) = row_grid(op.units, op.samples);
    vec![Dispatch {
        name: "probe_list",
        source: shader!("probe_list", "grid"),
        constants: vec![
            ("WORKGROUP", WORKGROUP.into()),
            ("UNIT_LANES", lanes.into()),
            ("CHECKED", f64::from(u8::from(op.errors.is_some()))),
        ],
        bindings: vec![
            Binding::Write(op.errors.unwrap_or(op.largest).span()),
            Binding::Write(op.list.span()),
            Binding::Write(op.counts.span()),
            Binding::Write(op.totals.span()),
            Binding::Write(op.largest.span()),
        ],
        parameters: vec![op.samples as u32, op.units as u32, op.tolerance.to_bits()],
        workgroups,
    }]
}
