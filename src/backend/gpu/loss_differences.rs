//! Derivatives of a batch's loss along directions. See `shaders/loss_differences.wgsl`.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, folded, output_code, shader};
use crate::backend::op::{LossDifferences, Measure};

/// Samples that are done side by side.
const LANES: usize = 64;

pub(super) fn dispatches(op: &LossDifferences, _class: DeviceClass) -> Vec<Dispatch> {
    let (samples, classes) = (op.targets.len, op.logits.columns);
    let directions = op.logits.rows / (2 * samples);
    let (measure, epsilon) = match op.measure {
        Measure::Loss(output) => output_code(output),
        Measure::ErrorRate => (3.0, 0.0),
    };
    let scale = 0.5 / (op.step_size * samples as f32);
    // Each sample takes three passes over the classes at both ends.
    let most = (MAX_TRIPS / (6 * (classes + 1))).max(1) * LANES;
    let dispatch = |first: usize| {
        let end = (first + most).min(samples);
        let numbers = [directions, samples, classes, 0, first, end, op.first].map(|number| number as u32);
        Dispatch {
            name: "loss_differences",
            source: shader!("loss_differences", "grid", "numerics"),
            constants: vec![("WORKGROUP", LANES as f64), ("MEASURE", measure)],
            bindings: vec![
                Binding::Read(op.logits.span()),
                Binding::Read(op.targets.span()),
                Binding::Write(op.out.span()),
            ],
            parameters: numbers.into_iter().chain([epsilon, scale].map(f32::to_bits)).collect(),
            workgroups: folded(directions),
        }
    };
    (0..samples).step_by(most).map(dispatch).collect()
}
