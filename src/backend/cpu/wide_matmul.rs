//! Matrix products in float64, for the literal loop of the host: the same products many times over, on one thread.
//!
//! Floor: `N I U` multiply-adds, 16 a cycle with two units of AVX-512. As in `matmul.rs` a tile of the result stays in
//! registers while terms pass by. B is packed; rows of A are read where they lie, because a product of 50 columns is
//! too little work to pay for their packing.

use super::simd::{Float, vectorized};
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};

/// Columns of a vector.
const LANES: usize = 8;
type Lanes = [f64; LANES];

/// Terms that are summed at a stretch: two vectors of columns and the rows of a tile stay in the first-level cache.
const DEPTH: usize = 112;

/// Columns that are packed together: with `DEPTH` terms half a megabyte, which stays in the second-level cache.
const ACROSS: usize = 512;

/// Rows of a tile of two vectors with 32 registers of eight lanes, of one with 16 of four, and without knowing.
#[cfg(target_arch = "x86_64")]
const TALL: usize = 10;
#[cfg(target_arch = "x86_64")]
const MIDDLE: usize = 5;
const SHORT: usize = 2;

/// With fewer rows of A, B is not packed: it would cost more than the product.
const FEW: usize = 8;

/// Memory for [`affine`], kept from one product to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    /// `[vectors][DEPTH]`
    packed: Vec<Lanes>,
    /// A tile's rows where terms or rows are missing.
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
    if samples < FEW {
        return few(x, weight, inputs, out);
    }
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        // SAFETY: `level` asked the processor for exactly these features.
        let tile = |rows: &Rows<'_, TALL>, vectors: &[[Lanes; DEPTH]], sums: &mut Sums<TALL>| unsafe {
            avx512(rows, vectors, sums);
        };
        return multiply(x, weight, inputs, units, out, scratch, 2, tile);
    } else if level() == Level::Avx2 {
        // SAFETY: as above.
        let tile = |rows: &Rows<'_, MIDDLE>, vectors: &[[Lanes; DEPTH]], sums: &mut Sums<MIDDLE>| unsafe {
            avx2(rows, vectors, sums);
        };
        return multiply(x, weight, inputs, units, out, scratch, 1, tile);
    }
    multiply(x, weight, inputs, units, out, scratch, 2, plain);
}

vectorized! {
    /// `out += x W` row by row of `W`, each of which is read once.
    fn few(x: &[f64], weight: &[f64], inputs: usize, out: &mut [f64]) = few_body
}

#[inline(always)]
fn few_body<F: Float>(x: &[f64], weight: &[f64], inputs: usize, out: &mut [f64]) {
    let units = weight.len() / inputs.max(1);
    for (input, weight) in weight.chunks_exact(units.max(1)).enumerate() {
        for (out, x) in out.chunks_exact_mut(units.max(1)).zip(x.chunks_exact(inputs)) {
            for (out, &weight) in out.iter_mut().zip(weight) {
                *out = F::mul_add_wide(x[input], weight, *out);
            }
        }
    }
}

/// Rows of A, and what is summed up for each of them: one or two vectors of columns.
type Rows<'a, const R: usize> = [&'a [f64; DEPTH]; R];
type Sums<const R: usize> = [[Lanes; 2]; R];

/// `out += x W`, in tiles of `R` rows and up to `across_tile` vectors (one or two), which `tile` sums up.
fn multiply<const R: usize>(
    x: &[f64],
    weight: &[f64],
    inputs: usize,
    units: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
    across_tile: usize,
    tile: impl Fn(&Rows<'_, R>, &[[Lanes; DEPTH]], &mut Sums<R>),
) {
    scratch.packed.resize(DEPTH * ACROSS / LANES, [0.0; LANES]);
    scratch.rest.resize(R, [0.0; DEPTH]);
    let mut sums = [[[0.0; LANES]; 2]; R];
    for across in (0..units).step_by(ACROSS) {
        let columns = ACROSS.min(units - across);
        for depth in (0..inputs).step_by(DEPTH) {
            let terms = DEPTH.min(inputs - depth);
            pack(&weight[depth * units..(depth + terms) * units], units, across, columns, &mut scratch.packed);
            let vectors = &scratch.packed.as_chunks::<DEPTH>().0[..columns.div_ceil(LANES)];
            for (top, out) in out.chunks_mut(R * units).enumerate() {
                let row = |row: usize| &x[(top * R + row) * inputs + depth..];
                let count = out.len() / units;
                let whole = count == R && terms == DEPTH;
                if !whole {
                    // Zeros stand for what is missing.
                    scratch.rest.fill([0.0; DEPTH]);
                    for (number, to) in scratch.rest.iter_mut().enumerate().take(count) {
                        to[..terms].copy_from_slice(&row(number)[..terms]);
                    }
                }
                let rows = std::array::from_fn(|number| {
                    let there = if whole { row(number).first_chunk() } else { None };
                    there.unwrap_or(&scratch.rest[number])
                });
                for (number, vectors) in vectors.chunks(across_tile).enumerate() {
                    tile(&rows, vectors, &mut sums);
                    let first = across + number * across_tile * LANES;
                    for (out, sums) in out.chunks_exact_mut(units).zip(&sums) {
                        let width = (vectors.len() * LANES).min(units - first);
                        for (out, sum) in out[first..first + width].iter_mut().zip(sums.as_flattened()) {
                            *out += sum;
                        }
                    }
                }
            }
        }
    }
}

/// Some terms of some columns of B: `[vectors][DEPTH]`, zeros behind the last column and the last term.
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

/// The sums of a tile with instructions of so many lanes: of a loop over lanes compilers make fragments.
#[cfg(target_arch = "x86_64")]
macro_rules! tile {
    ($name:ident, $features:literal, $rows:ident, $lanes:literal, $zero:ident, $set:ident, $load:ident, $store:ident, $mul_add:ident) => {
        #[target_feature(enable = $features)]
        fn $name(rows: &Rows<'_, $rows>, vectors: &[[Lanes; DEPTH]], sums: &mut Sums<$rows>) {
            #[target_feature(enable = $features)]
            fn sum<const V: usize>(rows: &Rows<'_, $rows>, vectors: &[[Lanes; DEPTH]; V], sums: &mut Sums<$rows>) {
                use std::arch::x86_64::*;
                const PARTS: usize = LANES / $lanes;
                let mut tile = [[[$zero(); PARTS]; V]; $rows];
                for term in 0..DEPTH {
                    let mut b = [[$zero(); PARTS]; V];
                    for vector in 0..V {
                        for part in 0..PARTS {
                            let from = &vectors[vector][term][part * $lanes..];
                            // SAFETY: `from` begins a whole part of the vector, so it is long enough.
                            b[vector][part] = unsafe { $load(from.as_ptr()) };
                        }
                    }
                    for row in 0..$rows {
                        let a = $set(rows[row][term]);
                        for vector in 0..V {
                            for part in 0..PARTS {
                                tile[row][vector][part] = $mul_add(a, b[vector][part], tile[row][vector][part]);
                            }
                        }
                    }
                }
                for (sums, tile) in sums.iter_mut().zip(&tile) {
                    for (to, part) in sums.as_flattened_mut().chunks_exact_mut($lanes).zip(tile.as_flattened()) {
                        // SAFETY: `to` is as long as a part.
                        unsafe { $store(to.as_mut_ptr(), *part) };
                    }
                }
            }
            if let Some(two) = vectors.first_chunk::<2>() {
                sum(rows, two, sums);
            } else if let Some(one) = vectors.first_chunk::<1>() {
                sum(rows, one, sums);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
tile!(
    avx512,
    "avx512f",
    TALL,
    8,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd
);
#[cfg(target_arch = "x86_64")]
tile!(
    avx2,
    "avx2,fma",
    MIDDLE,
    4,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_fmadd_pd
);

/// The sums of a tile with what every processor has.
fn plain(rows: &Rows<'_, SHORT>, vectors: &[[Lanes; DEPTH]], sums: &mut Sums<SHORT>) {
    *sums = Default::default();
    for (vector, terms) in vectors.iter().enumerate().take(2) {
        for (term, b) in terms.iter().enumerate() {
            for row in 0..SHORT {
                for lane in 0..LANES {
                    sums[row][vector][lane] += rows[row][term] * b[lane];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of products one after the other.
    fn reference(x: &[f64], weight: &[f64], bias: &[f64], samples: usize) -> Vec<f64> {
        let (units, inputs) = (bias.len(), weight.len() / bias.len());
        let terms = |n: usize, u: usize| (0..inputs).map(move |i| x[n * inputs + i] * weight[i * units + u]);
        (0..samples).flat_map(|n| (0..units).map(move |u| bias[u] + terms(n, u).sum::<f64>())).collect()
    }

    #[test]
    fn products_of_all_shapes_are_the_plain_sums() {
        let mut scratch = Scratch::default();
        let shapes = [(1, 1, 1), (3, 2, 5), (10, 112, 16), (21, 113, 17), (100, 784, 50), (11, 300, 8), (7, 9, 530)];
        for (samples, inputs, units) in shapes {
            let wave = |count: usize, step: f64| (0..count).map(|i| (i as f64 * step).sin()).collect::<Vec<f64>>();
            let (x, weight, bias) = (wave(samples * inputs, 0.37), wave(inputs * units, 0.71), wave(units, 1.3));
            let wanted = reference(&x, &weight, &bias, samples);
            let mut best = vec![0.0; samples * units];
            affine(&x, &weight, &bias, &mut best, &mut scratch);
            let mut portable: Vec<f64> = bias.iter().copied().cycle().take(samples * units).collect();
            multiply(&x, &weight, inputs, units, &mut portable, &mut scratch, 2, plain);
            // `inputs` products of at most 1, each sum rounded once.
            let tolerance = (inputs * inputs) as f64 * f64::EPSILON;
            for (name, got) in [("best", &best), ("plain", &portable)] {
                for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                    let error = (got - wanted).abs();
                    assert!(error <= tolerance, "{name} {samples} {inputs} {units} at {index}: {got}, not {wanted}");
                }
                // The control: another element's value would have been seen.
                let shifted =
                    got.iter().skip(1).zip(&wanted).filter(|(got, wanted)| (*got - *wanted).abs() <= tolerance);
                assert!(shifted.count() <= got.len() / 10, "{name} {samples} {inputs} {units}");
            }
        }
    }
}
