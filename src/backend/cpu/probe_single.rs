//! Parameters probed one by one. See `shaders/probe_single.wgsl`.

use super::loss_change::{Moves, Sample, Shift, Units};
use super::math::{LANES, Lanes};
use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::ProbeSingle;
use crate::network::Activation;

pub(super) fn run(op: &ProbeSingle, view: &View<'_>, worker: &mut Worker<'_>) {
    let (counts, list) = (view.words(op.counts), view.words(op.list));
    if counts.iter().all(|&count| count == 0) {
        return;
    }
    let layer = &op.layer;
    let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
    let (inputs, classes) = (op.inputs.columns, layer.y.columns);
    let x = view.floats(op.inputs);
    let next = layer.next.map(|next| view.floats(next));
    let (a, y, targets) = (view.floats(layer.pre_activations), view.floats(layer.y), view.words(layer.targets));
    let precise = op.precise.map(|precise| view.floats(precise).split_at(units * samples));
    let share = worker.share(inputs, 16);
    let is_first = worker.is_first();
    let identity = worker.scratch(classes);
    // SAFETY: this worker's rows, taken once.
    let weight_gradient = unsafe { view.floats_mut(op.weight_gradient, share.start * units..share.end * units) };
    // SAFETY: the first worker alone takes them.
    let bias_gradient = unsafe { view.floats_mut(op.bias_gradient, 0..if is_first { units } else { 0 }) };
    let sides = if op.one_sided { 1.0 } else { 2.0 };
    let scale = 1.0 / (sides * layer.step_size * samples as f32);
    for j in 0..units {
        let row: &[f32] = match next {
            Some(next) => &next[j * classes..(j + 1) * classes],
            None => {
                identity.fill(0.0);
                identity[j] = 1.0;
                identity
            }
        };
        for entry in j * samples..j * samples + counts[j] as usize {
            let n = list[entry] as usize;
            let x = &x[n * inputs..(n + 1) * inputs];
            let probe = Probe {
                activation: layer.activation,
                a: a[n * units + j],
                precise: precise.map_or(0.0, |(high, low)| f64::from(high[entry]) + f64::from(low[entry])),
                sample: Sample::new(layer.output, &y[n * classes..(n + 1) * classes], targets[n] as usize),
                row,
                step_size: layer.step_size,
                scale,
                one_sided: op.one_sided,
            };
            column(&probe, &x[share.clone()], weight_gradient, units, j);
            if is_first {
                column(&probe, &[1.0], bias_gradient, units, j);
            }
        }
    }
}

/// One unit of one sample.
struct Probe<'a> {
    activation: Activation,
    a: f32,
    /// The pre-activation of a ReLU, in twice the precision.
    precise: f64,
    sample: Sample<'a>,
    /// `[classes]`: what the unit's change does to each logit.
    row: &'a [f32],
    step_size: f32,
    /// `1 / 2hN`, or `1 / hN` where parameters are moved up only.
    scale: f32,
    one_sided: bool,
}

impl Probe<'_> {
    /// The unit's change under each shift.
    #[inline(always)]
    fn change<F: Float>(&self, units: &Units, s: &Lanes) -> Lanes {
        if self.activation != Activation::Relu {
            return units.change::<F>(&Shift::new::<F>(self.activation, *s));
        }
        let mut d = [0.0; LANES];
        for lane in 0..LANES {
            d[lane] = ((self.precise + f64::from(s[lane])).max(0.0) - self.precise.max(0.0)) as f32;
        }
        d
    }
}

/// Changes of one unit reach the logits through its row of weights.
struct RowMoves<'a> {
    row: &'a [f32],
    /// The changes to both sides.
    d: [Lanes; 2],
}

impl Moves for RowMoves<'_> {
    #[inline(always)]
    fn of<F: Float>(&self, k: usize) -> [Lanes; 2] {
        self.times(self.row[k])
    }

    #[inline(always)]
    fn against<F: Float>(&self, k: usize, reference: usize) -> [Lanes; 2] {
        self.times(self.row[k] - self.row[reference])
    }
}

impl RowMoves<'_> {
    #[inline(always)]
    fn times(&self, weight: f32) -> [Lanes; 2] {
        let mut moves = self.d;
        moves.as_flattened_mut().iter_mut().for_each(|moved| *moved *= weight);
        moves
    }
}

vectorized! {
    /// Adds this probe's part to column `j` of a gradient with `units` columns, for inputs `x`.
    fn column<'a>(probe: &'a Probe<'a>, x: &'a [f32], gradient: &'a mut [f32], units: usize, j: usize) = body
}

#[inline(always)]
fn body<F: Float>(probe: &Probe<'_>, x: &[f32], gradient: &mut [f32], units: usize, j: usize) {
    let unit = Units::new::<F>(probe.activation, [probe.a; LANES]);
    let (mut places, mut shifts, mut count) = ([0usize; LANES], [0.0f32; LANES], 0);
    for i in 0..=x.len() {
        // A zero input moves nothing; the others are probed in full sets of lanes.
        if i < x.len() && x[i] != 0.0 {
            (places[count], shifts[count]) = (i, probe.step_size * x[i]);
            count += 1;
        }
        if count == LANES || (i == x.len() && count > 0) {
            let mut minus = [0.0; LANES];
            for lane in 0..LANES {
                minus[lane] = -shifts[lane];
            }
            // Where parameters are moved up only, nothing moves on the other side.
            let down = if probe.one_sided { [0.0; LANES] } else { probe.change::<F>(&unit, &minus) };
            let d = [probe.change::<F>(&unit, &shifts), down];
            let difference = probe.sample.difference::<F>(false, &RowMoves { row: probe.row, d });
            for lane in 0..count {
                gradient[places[lane] * units + j] += difference[lane] * probe.scale;
            }
            count = 0;
        }
    }
}
