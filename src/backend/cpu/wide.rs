//! Float64 sums for probes that the host makes one by one: what it takes from the CPU path is its vector units.

use super::simd::{Float, vectorized};
use crate::network::OutputLoss;

/// Probes that are followed side by side.
pub(crate) const TOGETHER: usize = 8;

/// One number of each of them.
pub(crate) type Together = [f64; TOGETHER];

/// `out += sum_i values[i] weight[i, :]`, `weight` being `[values, out]`.
pub(crate) fn add_rows(values: &[f64], weight: &[f32], out: &mut [f64]) {
    rows(values, weight, out);
}

/// `out[c] += sum_k changes[k] weight[k, c]`, `weight` being `[changes, out]`.
pub(crate) fn add_changes(changes: &[Together], weight: &[f32], out: &mut [Together]) {
    products(changes, weight, out);
}

/// `max(a + x, 0) - max(a, 0)` of each unit, in place.
pub(crate) fn relu_changes(a: &[f64], moves: &mut [Together]) {
    relu(a, moves);
}

/// `sums += scale * values`
pub(crate) fn add_scaled(values: &[Together], scale: f64, sums: &mut [Together]) {
    scaled(values, scale, sums);
}

/// What moving the logits by `moves` `[C]` does to one sample's loss, without cancellation. `y` are the unperturbed
/// outputs: probabilities, or the raw logits.
pub(crate) fn loss_changes(output: OutputLoss, y: &[f64], moves: &[Together], target: usize, out: &mut Together) {
    losses(output, y, moves, target, out);
}

vectorized! {
    fn rows(values: &[f64], weight: &[f32], out: &mut [f64]) = rows_body
}

#[inline(always)]
fn rows_body<F: Float>(values: &[f64], weight: &[f32], out: &mut [f64]) {
    for (&value, row) in values.iter().zip(weight.chunks_exact(out.len())) {
        if value != 0.0 {
            for (out, &weight) in out.iter_mut().zip(row) {
                *out = F::mul_add_wide(value, weight.into(), *out);
            }
        }
    }
}

vectorized! {
    fn products(changes: &[Together], weight: &[f32], out: &mut [Together]) = products_body
}

/// Sums that are kept in registers together: classes, mostly.
const SUMS: usize = 10;

#[inline(always)]
fn products_body<F: Float>(changes: &[Together], weight: &[f32], out: &mut [Together]) {
    let width = out.len();
    for (block, out) in out.chunks_mut(SUMS).enumerate() {
        let first = block * SUMS;
        match <&mut [Together; SUMS]>::try_from(&mut *out) {
            Ok(out) => {
                let mut sums = *out;
                for (changes, row) in changes.iter().zip(weight.chunks_exact(width)) {
                    if let Some(row) = row[first..].first_chunk::<SUMS>() {
                        add::<F, SUMS>(changes, row, &mut sums);
                    }
                }
                *out = sums;
            }
            Err(_) => {
                for (changes, row) in changes.iter().zip(weight.chunks_exact(width)) {
                    for (out, weight) in out.iter_mut().zip(&row[first..]) {
                        add::<F, 1>(changes, &[*weight], std::array::from_mut(out));
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add<F: Float, const N: usize>(changes: &Together, row: &[f32; N], sums: &mut [Together; N]) {
    for index in 0..N {
        let weight = f64::from(row[index]);
        for lane in 0..TOGETHER {
            sums[index][lane] = F::mul_add_wide(changes[lane], weight, sums[index][lane]);
        }
    }
}

vectorized! {
    fn relu(a: &[f64], moves: &mut [Together]) = relu_body
}

#[inline(always)]
fn relu_body<F: Float>(a: &[f64], moves: &mut [Together]) {
    for (&a, moves) in a.iter().zip(moves) {
        for x in moves {
            *x = if a > 0.0 { x.max(-a) } else { (a + *x).max(0.0) };
        }
    }
}

vectorized! {
    fn scaled(values: &[Together], scale: f64, sums: &mut [Together]) = scaled_body
}

#[inline(always)]
fn scaled_body<F: Float>(values: &[Together], scale: f64, sums: &mut [Together]) {
    for (values, sums) in values.iter().zip(sums) {
        for lane in 0..TOGETHER {
            sums[lane] = F::mul_add_wide(scale, values[lane], sums[lane]);
        }
    }
}

vectorized! {
    fn losses(output: OutputLoss, y: &[f64], moves: &[Together], target: usize, out: &mut Together) = losses_body
}

#[inline(always)]
fn losses_body<F: Float>(output: OutputLoss, y: &[f64], moves: &[Together], target: usize, out: &mut Together) {
    let mut changes = [0.0; TOGETHER];
    if output == OutputLoss::SumOfSquares {
        for (class, (&y, moves)) in y.iter().zip(moves).enumerate() {
            let miss = if class == target { y - 1.0 } else { y };
            for lane in 0..TOGETHER {
                changes[lane] += moves[lane] * F::mul_add_wide(0.5, moves[lane], miss);
            }
        }
        *out = changes;
        return;
    }
    // The loss -ln y_t changes by ln(1 + sum over the other classes of y_k expm1(D_k - D_r)) + D_r - D_t, with the largest
    // output's class r: against it no sum comes near -1.
    let mut class = 0;
    for other in 1..y.len() {
        class = if y[other] > y[class] { other } else { class };
    }
    let (reference, to_target) = (moves[class], moves[target]);
    let (mut sums, mut others) = ([0.0; TOGETHER], 0.0);
    for (other, (&y, moves)) in y.iter().zip(moves).enumerate() {
        if other != target {
            others += y;
        }
        if other != class {
            let grown = expm1::<F>(&less(moves, &reference));
            for lane in 0..TOGETHER {
                sums[lane] = F::mul_add_wide(y, grown[lane], sums[lane]);
            }
        }
    }
    let mut growth = ln_1p::<F>(&sums);
    for lane in 0..TOGETHER {
        if sums[lane] > FAR {
            growth[lane] = far_growth(y, moves, lane, reference[lane]);
        }
        growth[lane] += reference[lane] - to_target[lane];
    }
    match output {
        OutputLoss::CrossEntropy { epsilon: 0.0 } => changes = growth,
        OutputLoss::CrossEntropy { epsilon } => {
            let share = y[target] / (y[target] + f64::from(epsilon));
            let mut shrunk = expm1::<F>(&less(&[0.0; TOGETHER], &growth));
            for lane in 0..TOGETHER {
                shrunk[lane] *= share;
            }
            changes = less(&[0.0; TOGETHER], &ln_1p::<F>(&shrunk));
        }
        // The raw outputs' loss is done above.
        OutputLoss::SoftmaxSumOfSquares | OutputLoss::SumOfSquares => {
            for (class, (&y, moves)) in y.iter().zip(moves).enumerate() {
                // y_t - 1, from the other probabilities.
                let miss = if class == target { -others } else { y };
                let grown = expm1::<F>(&less(&less(moves, &to_target), &growth));
                for lane in 0..TOGETHER {
                    let change = y * grown[lane];
                    changes[lane] += change * F::mul_add_wide(0.5, change, miss);
                }
            }
        }
    }
    *out = changes;
}

/// A sum of exponentials from which on it is taken from the largest: before it overflows, and where nothing cancels.
const FAR: f64 = 1e100;

/// `ln(sum_k y_k exp(moves_k - reference))` of far moves.
fn far_growth(y: &[f64], moves: &[Together], lane: usize, reference: f64) -> f64 {
    let farthest = moves.iter().fold(0.0f64, |most, moves| most.max(moves[lane] - reference));
    let terms = y.iter().zip(moves).map(|(y, moves)| y * (moves[lane] - reference - farthest).exp());
    farthest + terms.sum::<f64>().ln()
}

#[inline(always)]
fn less(a: &Together, b: &Together) -> Together {
    let mut difference = *a;
    for lane in 0..TOGETHER {
        difference[lane] -= b[lane];
    }
    difference
}

/// Magnitudes for which a few terms of a series give all of float64's digits.
const SHORT: f64 = 0.02;

#[inline(always)]
fn all_short(x: &Together) -> bool {
    let mut short = true;
    for lane in 0..TOGETHER {
        short &= x[lane].abs() <= SHORT;
    }
    short
}

/// `exp(x) - 1`. What the series leaves out is `SHORT^8 / 9!`, less than 1e-17 of it.
#[inline(always)]
fn expm1<F: Float>(x: &Together) -> Together {
    let mut out = *x;
    if all_short(x) {
        const TERMS: [f64; 7] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
        for lane in 0..TOGETHER {
            let mut sum = 1.0 / 40320.0;
            for term in TERMS {
                sum = F::mul_add_wide(sum, x[lane], term);
            }
            out[lane] = x[lane] * sum;
        }
    } else {
        for lane in 0..TOGETHER {
            out[lane] = x[lane].exp_m1();
        }
    }
    out
}

/// `ln(1 + x)`: twice the area tangent of `t = x / (2 + x)`. What the series leaves out is `t^10 / 11` of it.
#[inline(always)]
fn ln_1p<F: Float>(x: &Together) -> Together {
    let mut out = *x;
    if all_short(x) {
        const TERMS: [f64; 4] = [1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
        for lane in 0..TOGETHER {
            let t = x[lane] / (2.0 + x[lane]);
            let mut sum = 1.0 / 9.0;
            for term in TERMS {
                sum = F::mul_add_wide(sum, t * t, term);
            }
            out[lane] = 2.0 * t * sum;
        }
    } else {
        for lane in 0..TOGETHER {
            out[lane] = x[lane].ln_1p();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_definitions() {
        let mut out = [1.0, 2.0];
        add_rows(&[2.0, 0.0, -1.0], &[1.0, 10.0, 7.0, 7.0, 0.5, 0.25], &mut out);
        assert_eq!(out, [2.5, 21.75]);
        let changes = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [0.5; TOGETHER]];
        // A block in registers and what is left over.
        for width in [1, 3, SUMS, SUMS + 3] {
            let weight: Vec<f32> = (0..2 * width).map(|i| i as f32 - 2.0).collect();
            let mut out = vec![[0.5; TOGETHER]; width];
            add_changes(&changes, &weight, &mut out);
            for (c, out) in out.iter().enumerate() {
                for (lane, &got) in out.iter().enumerate() {
                    let expected = 0.5 + changes[0][lane] * f64::from(weight[c]) + 0.5 * f64::from(weight[width + c]);
                    assert_eq!(got, expected, "{width}: {c}, {lane}");
                }
            }
        }
        let mut moves = [[-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, -2.0, 2.5]; 2];
        relu_changes(&[2.0, -2.0], &mut moves);
        assert_eq!(moves[0], [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, -2.0, 2.5]);
        assert_eq!(moves[1], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5]);
    }
}
