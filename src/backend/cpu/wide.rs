//! Float64 sums for probes that the host makes one by one: what it takes from the CPU path is its vector units.

use super::simd::{Float, vectorized};

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
