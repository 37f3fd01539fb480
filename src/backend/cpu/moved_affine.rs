//! A layer under many sets of parameters, each with one moved. See `shaders/moved_affine.wgsl`.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::MovedAffine;

pub(super) fn run(op: &MovedAffine, view: &View<'_>, worker: &mut Worker<'_>) {
    let (inputs, units, sets) = (op.weight.rows, op.weight.columns, op.places.len);
    let (x, weight, bias) = (view.floats(op.inputs), view.floats(op.weight), view.floats(op.bias));
    let (places, values) = (view.words(op.places), view.floats(op.values));
    let own_inputs = op.inputs.rows == op.out.rows;
    let share = worker.share(op.out.rows, 1);
    // SAFETY: this worker's rows, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * units..share.end * units) };
    let moved_row = worker.scratch(units);
    for (row, out) in share.zip(out.chunks_exact_mut(units)) {
        let (set, sample) = (row % sets, if own_inputs { row } else { row / sets });
        let x = &x[sample * inputs..(sample + 1) * inputs];
        let place = places[set] as usize;
        let (moved_input, moved_unit) = (place / units, place % units);
        out.copy_from_slice(bias);
        if moved_input == inputs {
            out[moved_unit] = values[set];
        } else if moved_input < inputs {
            moved_row.copy_from_slice(&weight[moved_input * units..(moved_input + 1) * units]);
            moved_row[moved_unit] = values[set];
        }
        sums(x, weight, moved_input, moved_row, out);
    }
}

vectorized! {
    /// `out += x W`, where row `moved` of `W` is another one.
    fn sums(x: &[f32], weight: &[f32], moved: usize, moved_row: &[f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(x: &[f32], weight: &[f32], moved: usize, moved_row: &[f32], out: &mut [f32]) {
    for (i, (&x, row)) in x.iter().zip(weight.chunks_exact(out.len())).enumerate() {
        let row = if i == moved { moved_row } else { row };
        for (out, &weight) in out.iter_mut().zip(row) {
            *out = F::mul_add(x, weight, *out);
        }
    }
}
