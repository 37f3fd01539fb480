//! What the kernels of directional gradients must leave in memory.

use gpu_train::backend::{BatchMatmul, DirectionalGradient, Directions, LossDifferences, Measure, Perturb, Shift};
use gpu_train::network::OutputLoss;

use super::memory::Contents;
use super::oracle::{Expected, absolute, sum};
use super::reference::{self, Factor};
use super::tolerance::Tolerance;

/// Elements `offset..offset + len` of each direction.
fn directions(directions: &Directions, before: &Contents, offset: usize, len: usize) -> Vec<Vec<f64>> {
    let Directions { seed, step, first, count } = *directions;
    let step = before.words(step)[0];
    (first..first + count).map(|k| reference::direction(seed, step, k as u32, offset..offset + len)).collect()
}

pub(crate) fn perturb(op: &Perturb, before: &Contents) -> Vec<Expected> {
    let all = directions(&op.directions, before, op.offset, op.out.columns);
    let Some(parameters) = op.parameters else {
        return vec![Expected::floats("out", op.out, all.concat(), Tolerance::Exact)];
    };
    let (theta, step_size) = (before.floats(parameters), f64::from(op.step_size));
    let side = |u: &[f64], h: f64| theta.iter().zip(u).map(|(theta, u)| theta + h * u).collect::<Vec<_>>();
    let values: Vec<f64> = all.iter().flat_map(|u| [side(u, step_size), side(u, -step_size)]).flatten().collect();
    // One addition; where it cancels, its result is exact.
    vec![Expected::floats("out", op.out, values, Tolerance::Rounded)]
}

pub(crate) fn batch_matmul(op: &BatchMatmul, before: &Contents) -> Vec<Expected> {
    let (a, b) = (before.floats(op.a), before.floats(op.b));
    let (batches, terms, columns) = (op.b.rows, op.a.columns, op.out.columns);
    let rows = op.out.rows / batches;
    let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
    for batch in 0..batches {
        let factors = &b[batch * op.b.columns..(batch + 1) * op.b.columns];
        let weight = &factors[op.weight_at..op.weight_at + terms * columns];
        let bias = &factors[op.bias_at..op.bias_at + columns];
        let a = if op.shared { &a } else { &a[batch * rows * terms..(batch + 1) * rows * terms] };
        let product = |a: &[f64], weight: &[f64], bias: &[f64]| {
            let a = Factor { values: a, columns: terms, transposed: false };
            let weight = Factor { values: weight, columns, transposed: false };
            reference::matmul([rows, terms, columns], a, weight, Some(bias))
        };
        values.extend(product(a, weight, bias));
        magnitudes.extend(product(&absolute(a), &absolute(weight), &absolute(bias)));
    }
    vec![Expected::floats("out", op.out, values, sum(terms, magnitudes, [&a, &b, &[]]))]
}

pub(crate) fn shift(op: &Shift, before: &Contents) -> Vec<Expected> {
    let (base, shifts) = (before.floats(op.base), before.floats(op.shift));
    let step_size = f64::from(op.step_size);
    let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
    for shift in shifts.chunks_exact(base.len()) {
        for h in [step_size, -step_size] {
            for (base, shift) in base.iter().zip(shift) {
                let moved = base + h * shift;
                values.push(reference::activate(op.activation, moved));
                // The rounding of what is activated comes out times the slope.
                let slope = reference::slope_scale(op.activation, moved);
                magnitudes.push(values[values.len() - 1].abs() + slope * (base.abs() + (h * shift).abs()));
            }
        }
    }
    let reason = "an activation of a rounded sum";
    vec![Expected::floats("out", op.out, values, Tolerance::Scaled { ulps: 8.0, magnitudes, reason })]
}

pub(crate) fn loss_differences(op: &LossDifferences, before: &Contents) -> Vec<Expected> {
    let (logits, targets) = (before.floats(op.logits), before.words(op.targets));
    let block = targets.len() * op.logits.columns;
    let measured = |logits: &[f64]| -> Vec<f64> {
        let rows = logits.chunks_exact(op.logits.columns).zip(&targets);
        rows.map(|(row, &target)| match op.measure {
            Measure::Loss(output) => reference::sample_loss(output, row, target),
            Measure::ErrorRate => f64::from(u8::from(reference::argmax(row) != target)),
        })
        .collect()
    };
    let scale = 1.0 / (2.0 * f64::from(op.step_size) * targets.len() as f64);
    let mut values = before.floats(op.out);
    let mut magnitudes = vec![0.0; values.len()];
    for (k, pair) in logits.chunks_exact(2 * block).enumerate() {
        let (above, below) = (measured(&pair[..block]), measured(&pair[block..]));
        values[op.first + k] = above.iter().zip(&below).map(|(above, below)| above - below).sum::<f64>() * scale;
        // Each loss is rounded once it is there, and so is the sum of its differences; a cross entropy near 0 is the
        // logarithm of a rounded number near 1.
        let near_1 = if matches!(op.measure, Measure::Loss(OutputLoss::CrossEntropy { .. })) { 1.0 } else { 0.0 };
        let size = above.iter().zip(&below).map(|(above, below)| above.abs() + below.abs() + near_1).sum::<f64>();
        magnitudes[op.first + k] = size * scale;
    }
    let reason = "differences of rounded losses";
    vec![Expected::floats("out", op.out, values, Tolerance::Scaled { ulps: 4.0, magnitudes, reason })]
}

pub(crate) fn gradient(op: &DirectionalGradient, before: &Contents) -> Vec<Expected> {
    let coefficients = before.floats(op.coefficients);
    let all = directions(&op.directions, before, op.offset, op.out.len());
    let count = coefficients.len() as f64;
    let sums = (0..op.out.len()).map(|i| coefficients.iter().zip(&all).map(|(c, u)| c * u[i]).sum::<f64>() / count);
    let magnitude = absolute(&coefficients).iter().sum::<f64>() / count;
    let tolerance = Tolerance::Sum { terms: coefficients.len(), magnitudes: vec![magnitude; op.out.len()] };
    vec![Expected::floats("out", op.out, sums.collect(), tolerance)]
}
