//! Matrix products in float64, for the literal loop of the host: the same products many times over, on one thread.
//!
//! Floor: `N I U` multiply-adds, 16 a cycle with two units of AVX-512. As in `matmul.rs` a tile of the result stays in
//! registers while terms pass by. B is packed; rows of A are read where they lie, because a product of 50 columns is
//! too little work to pay for their packing.

use super::simd::{Float, Level, level, vectorized};

/// Lanes of a vector of float64.
const LANES: usize = 8;
type Lanes = [f64; LANES];

/// Terms that are summed at a stretch: two vectors of columns and the rows of a tile stay in the first-level cache.
const DEPTH: usize = 112;

/// Columns that are packed together: with `DEPTH` terms half a megabyte, which stays in the second-level cache.
const ACROSS: usize = 512;

/// Rows of a tile with 32 registers, of one vector or two; and with 16 registers of half that width.
const TALL: usize = 10;
const SHORT: usize = 5;

/// Memory for [`affine`], kept from one product to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    /// `[panels][DEPTH][vectors]`
    packed: Vec<Lanes>,
    /// The last terms of a tile's rows.
    rest: Vec<[f64; DEPTH]>,
}

/// `out = x W + bias`: `x` `[N, I]`, `W` `[I, U]`, `bias` `[U]`, `out` `[N, U]`.
///
/// # Panics
/// If one of them has another size, or `bias` is empty.
pub(crate) fn affine(x: &[f64], weight: &[f64], bias: &[f64], out: &mut [f64], scratch: &mut Scratch) {
    let (units, inputs) = (bias.len(), weight.len() / bias.len());
    let samples = out.len() / units;
    assert!(x.len() == samples * inputs && weight.len() == inputs * units && out.len() == samples * units);
    out.chunks_exact_mut(units).for_each(|row| row.copy_from_slice(bias));
    scratch.packed.resize(DEPTH * ACROSS / LANES, [0.0; LANES]);
    scratch.rest.resize(TALL, [0.0; DEPTH]);
    match level() {
        Level::Avx512 => tall(x, weight, inputs, units, out, scratch),
        Level::Avx2 | Level::Plain => short(x, weight, inputs, units, out, scratch),
    }
}

vectorized! {
    fn tall(x: &[f64], weight: &[f64], inputs: usize, units: usize, out: &mut [f64], scratch: &mut Scratch) = tall_body
}

vectorized! {
    fn short(x: &[f64], weight: &[f64], inputs: usize, units: usize, out: &mut [f64], scratch: &mut Scratch) = short_body
}

#[inline(always)]
fn tall_body<F: Float>(x: &[f64], weight: &[f64], inputs: usize, units: usize, out: &mut [f64], scratch: &mut Scratch) {
    multiply::<F, 2, TALL>(x, weight, inputs, units, out, scratch);
}

#[inline(always)]
fn short_body<F: Float>(
    x: &[f64],
    weight: &[f64],
    inputs: usize,
    units: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) {
    multiply::<F, 1, SHORT>(x, weight, inputs, units, out, scratch);
}

/// `out += x W`, in tiles of `R` rows and `V` vectors of columns.
#[inline(always)]
fn multiply<F: Float, const V: usize, const R: usize>(
    x: &[f64],
    weight: &[f64],
    inputs: usize,
    units: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) {
    let Scratch { packed, rest } = scratch;
    for across in (0..units).step_by(ACROSS) {
        let columns = ACROSS.min(units - across);
        for depth in (0..inputs).step_by(DEPTH) {
            let terms = DEPTH.min(inputs - depth);
            pack(&weight[depth * units..(depth + terms) * units], units, across, columns, packed);
            for (top, out) in out.chunks_mut(R * units).enumerate() {
                let count = out.len() / units;
                // Where rows or terms are missing, zeros stand for them.
                let whole = count == R && terms == DEPTH;
                for (row, to) in rest.iter_mut().enumerate().take(if whole { 0 } else { R }) {
                    *to = [0.0; DEPTH];
                    if row < count {
                        to[..terms].copy_from_slice(&x[(top * R + row) * inputs + depth..][..terms]);
                    }
                }
                let rows: [&[f64; DEPTH]; R] = std::array::from_fn(|row| {
                    let there = if whole { x[(top * R + row) * inputs + depth..].first_chunk() } else { None };
                    there.unwrap_or(&rest[row])
                });
                let mut first = 0;
                while first < columns {
                    let panel = &packed[first / LANES * DEPTH..];
                    if columns - first > LANES && V == 2 {
                        tile::<F, 2, R>(&rows, panel, units, across + first, columns - first, out);
                        first += 2 * LANES;
                    } else {
                        tile::<F, 1, R>(&rows, panel, units, across + first, columns - first, out);
                        first += LANES;
                    }
                }
            }
        }
    }
}

/// Some terms of some columns of B: `[vectors][DEPTH]`, zeros behind the last column and the last term.
#[inline(always)]
fn pack(weight: &[f64], units: usize, across: usize, columns: usize, packed: &mut [Lanes]) {
    for (first, packed) in (0..columns).step_by(LANES).zip(packed.chunks_exact_mut(DEPTH)) {
        let count = LANES.min(columns - first);
        let rows = weight.chunks_exact(units).map(|row| &row[across + first..][..count]);
        let terms = rows.len();
        for (to, row) in packed.iter_mut().zip(rows) {
            match row.first_chunk() {
                Some(whole) => *to = *whole,
                None => {
                    *to = [0.0; LANES];
                    to[..count].copy_from_slice(row);
                }
            }
        }
        packed[terms..].fill([0.0; LANES]);
    }
}

/// Adds the sums of one tile, whose first column is `first` and which has no more than `columns`.
#[inline(always)]
fn tile<F: Float, const V: usize, const R: usize>(
    rows: &[&[f64; DEPTH]; R],
    panel: &[Lanes],
    units: usize,
    first: usize,
    columns: usize,
    out: &mut [f64],
) {
    let panels: [&[Lanes; DEPTH]; V] = std::array::from_fn(|vector| match panel[vector * DEPTH..].first_chunk() {
        Some(panel) => panel,
        None => &[[0.0; LANES]; DEPTH],
    });
    let mut sums = [[[0.0; LANES]; V]; R];
    for term in 0..DEPTH {
        for row in 0..R {
            for vector in 0..V {
                for lane in 0..LANES {
                    let (a, b) = (rows[row][term], panels[vector][term][lane]);
                    sums[row][vector][lane] = F::mul_add_wide(a, b, sums[row][vector][lane]);
                }
            }
        }
    }
    for (out, sums) in out.chunks_exact_mut(units).zip(&sums) {
        let out = &mut out[first..][..columns.min(V * LANES)];
        for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
            *out += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of products one after the other, the terms in another order than above.
    fn plain(x: &[f64], weight: &[f64], bias: &[f64], samples: usize) -> Vec<f64> {
        let (units, inputs) = (bias.len(), weight.len() / bias.len());
        let element =
            |n: usize, u: usize| bias[u] + (0..inputs).map(|i| x[n * inputs + i] * weight[i * units + u]).sum::<f64>();
        (0..samples).flat_map(|n| (0..units).map(move |u| element(n, u))).collect()
    }

    #[test]
    fn products_of_all_shapes_are_the_plain_sums() {
        let mut scratch = Scratch::default();
        let shapes = [(1, 1, 1), (3, 2, 5), (10, 112, 16), (21, 113, 17), (100, 784, 50), (11, 300, 8), (7, 9, 530)];
        for (samples, inputs, units) in shapes {
            let wave = |count: usize, step: f64| (0..count).map(|i| (i as f64 * step).sin()).collect::<Vec<f64>>();
            let (x, weight, bias) = (wave(samples * inputs, 0.37), wave(inputs * units, 0.71), wave(units, 1.3));
            let wanted = plain(&x, &weight, &bias, samples);
            let mut off = Vec::new();
            for (kernel, run) in [("tall", tall as fn(&_, &_, _, _, &mut _, &mut _)), ("short", short)] {
                let mut got: Vec<f64> = bias.iter().copied().cycle().take(samples * units).collect();
                affine(&x, &weight, &bias, &mut vec![0.0; samples * units], &mut scratch);
                run(&x, &weight, inputs, units, &mut got, &mut scratch);
                // `inputs` products of at most 1, each sum rounded once.
                let tolerance = inputs as f64 * inputs as f64 * f64::EPSILON;
                for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                    let error = (got - wanted).abs();
                    assert!(error <= tolerance, "{kernel} {samples} {inputs} {units} at {index}: {got}, not {wanted}");
                    off.push((got + 1e-9 - wanted).abs() <= tolerance);
                }
            }
            // The control: a change of 1e-9 would have been seen.
            assert!(off.iter().all(|&hidden| !hidden), "{samples} {inputs} {units}");
        }
    }
}
