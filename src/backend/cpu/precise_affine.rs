//! Pre-activations in twice the precision. See `shaders/precise_affine.wgsl`; here float64 does it.

use super::memory::View;
use super::team::Worker;
use crate::backend::op::PreciseAffine;

pub(super) fn run(op: &PreciseAffine, view: &View<'_>, worker: &mut Worker<'_>) {
    let (samples, inputs, units) = (op.inputs.rows, op.inputs.columns, op.weight.columns);
    let (x, weight, bias) = (view.floats(op.inputs), view.floats(op.weight), view.floats(op.bias));
    let (list, counts) = (view.words(op.list), view.words(op.counts));
    let share = worker.share(units, 1);
    let range = share.start * samples..share.end * samples;
    // SAFETY: this worker's units of both halves, each taken once.
    let high = unsafe { view.floats_mut(op.out, range.clone()) };
    // SAFETY: as above.
    let low = unsafe { view.floats_mut(op.out, units * samples + range.start..units * samples + range.end) };
    high.fill(0.0);
    low.fill(0.0);
    for j in share.clone() {
        for entry in 0..counts[j] as usize {
            let n = list[j * samples + entry] as usize;
            let row = x[n * inputs..(n + 1) * inputs].iter().enumerate();
            let products = row.map(|(i, &x)| f64::from(x) * f64::from(weight[i * units + j]));
            let value = f64::from(bias[j]) + products.sum::<f64>();
            let at = (j - share.start) * samples + entry;
            high[at] = value as f32;
            low[at] = (value - f64::from(high[at])) as f32;
        }
    }
}
