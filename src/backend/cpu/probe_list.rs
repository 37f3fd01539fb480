//! Which samples' curves failed their check. See `shaders/probe_list.wgsl`.

use super::memory::View;
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
