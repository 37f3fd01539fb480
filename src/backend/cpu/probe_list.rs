//! Which samples' curves failed their check. See `shaders/probe_list.wgsl`.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::ProbeList;

pub(super) fn run(op: &ProbeList, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.units, 16);
    let errors = op.errors.map(|errors| view.floats(errors));
    // SAFETY: this worker's units of each result, each taken once.
    let list = unsafe { view.words_mut(op.list, share.start * op.samples..share.end * op.samples) };
    // SAFETY: as above.
    let counts = unsafe { view.words_mut(op.counts, share.clone()) };
    // SAFETY: as above.
    let totals = unsafe { view.words_mut(op.totals, share.clone()) };
    // SAFETY: as above.
    let largest = unsafe { view.floats_mut(op.largest, share.clone()) };
    counts.fill(0);
    if let Some(errors) = errors
        && all_trusted(errors, op, share.start, worker.scratch(share.len()), largest)
    {
        return;
    }
    for n in 0..op.samples {
        for (unit, j) in share.clone().enumerate() {
            let error = errors.map_or(f32::INFINITY, |errors| errors[n * op.units + j]);
            if errors.is_some() && error <= op.tolerance {
                largest[unit] = largest[unit].max(error);
            } else {
                list[unit * op.samples + counts[unit] as usize] = n as u32;
                counts[unit] += 1;
            }
        }
    }
    for (total, &count) in totals.iter_mut().zip(counts.iter()) {
        *total = total.wrapping_add(count);
    }
}

/// Whether no curve of the units from `first` on is to be listed; then the largest errors are noted.
fn all_trusted(errors: &[f32], op: &ProbeList, first: usize, most: &mut [f32], largest: &mut [f32]) -> bool {
    most.fill(0.0);
    let mut trusted = true;
    largest_errors(errors, op.units, first, op.tolerance, most, &mut trusted);
    if trusted {
        for (largest, most) in largest.iter_mut().zip(most) {
            *largest = largest.max(*most);
        }
    }
    trusted
}

vectorized! {
    /// The largest error of each unit from `first` on, and whether all are within the tolerance.
    fn largest_errors(
        errors: &[f32],
        units: usize,
        first: usize,
        tolerance: f32,
        most: &mut [f32],
        trusted: &mut bool,
    ) = body
}

#[inline(always)]
fn body<F: Float>(errors: &[f32], units: usize, first: usize, tolerance: f32, most: &mut [f32], trusted: &mut bool) {
    for row in errors.chunks_exact(units) {
        let mut all = true;
        for (most, &error) in most.iter_mut().zip(&row[first..]) {
            // A comparison that a NaN fails.
            all &= error <= tolerance;
            *most = if error > *most { error } else { *most };
        }
        *trusted &= all;
    }
}
