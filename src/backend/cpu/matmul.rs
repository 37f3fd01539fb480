//! Matrix products. See `shaders/matmul.wgsl`.
//!
//! Floor for `[M, K] x [K, N]`: `M K N` multiply-adds, 32 a cycle with two units of AVX-512. A tile of the result stays in
//! registers while `DEPTH` terms pass by; both factors are packed, so that the innermost loop reads them in order.

use std::ops::Range;

use super::lanes::{load, store};
use super::math::{LANES, Lanes};
use super::memory::View;
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx512, Level, level};
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Matmul;
use crate::backend::tensor::Tensor;

/// Terms of the sums that are packed together: a panel of each factor stays in the first-level cache.
const DEPTH: usize = 256;

/// Columns that are packed together: with `DEPTH` terms half a megabyte, which stays in the second-level cache.
const ACROSS: usize = 512;

/// Rows of a tile with AVX-512, whose 32 registers hold 12 x 2 sums; of one with a single vector of columns (with a
/// multiple of 4 the compiler makes vectors of rows, which is twenty times slower); and of one with 16 registers.
const TALL: usize = 12;
const NARROW: usize = 10;
const SHORT: usize = 6;

pub(super) fn run(op: &Matmul, view: &View<'_>, worker: &mut Worker<'_>) {
    let [m, k, n] = op.shape();
    // What each element is summed up from, and in which order, does not depend on how the result is shared.
    let tall = if n > LANES { TALL } else { NARROW };
    let (rows, columns) = if m >= n { (worker.share(m, tall), 0..n) } else { (0..m, worker.share(n, 2 * LANES)) };
    if rows.is_empty() || columns.is_empty() {
        return;
    }
    let (a_row, a_term) = if op.transpose_a { (1, m) } else { (k, 1) };
    let (b_term, b_column) = if op.transpose_b { (1, k) } else { (n, 1) };
    let product = Product {
        a: view.floats(op.a),
        a_row,
        a_term,
        b: view.floats(op.b),
        b_term,
        b_column,
        bias: op.bias.map(|bias| view.floats(bias)),
        terms: k,
        rows,
        columns,
    };
    multiply(&product, &mut Out { view, tensor: op.out, first: 0, columns: n }, worker);
}

/// Writes the product's part of the result.
pub(super) fn multiply(product: &Product<'_>, out: &mut Out<'_>, worker: &mut Worker<'_>) {
    let scratch = worker.scratch(DEPTH * (ACROSS + TALL) + LANES);
    let aligned = scratch.as_ptr().align_offset(64).min(LANES);
    let (packed_b, packed_a) = scratch[aligned..].split_at_mut(DEPTH * ACROSS);
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        let tiles = if out.columns > LANES { wide } else { narrow };
        // SAFETY: `level` asked the processor for exactly these features.
        unsafe { tiles(product, packed_a, packed_b, out) };
        return;
    }
    short(product, packed_a, packed_b, out);
}

/// The factors by their strides, and the part of the result that is wanted.
pub(super) struct Product<'a> {
    pub(super) a: &'a [f32],
    pub(super) a_row: usize,
    pub(super) a_term: usize,
    pub(super) b: &'a [f32],
    pub(super) b_term: usize,
    pub(super) b_column: usize,
    pub(super) bias: Option<&'a [f32]>,
    /// `K`
    pub(super) terms: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// The result: a matrix of so many columns, which begins at element `first` of a tensor.
pub(super) struct Out<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) tensor: Tensor,
    pub(super) first: usize,
    pub(super) columns: usize,
}

impl Out<'_> {
    /// Some columns of a row.
    #[inline(always)]
    fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [f32] {
        let first = self.first + row * self.columns;
        // SAFETY: rows and columns of this worker's own part; one such range at a time, as `&mut self` says.
        unsafe { self.view.floats_mut(self.tensor, first + columns.start..first + columns.end) }
    }
}

/// With tiles of 12 x 32. These two are for AVX-512 alone: [`multiply`] takes them for nothing else.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn wide(product: &Product<'_>, packed_a: &mut [f32], packed_b: &mut [f32], out: &mut Out<'_>) {
    blocks::<Avx512, 2, TALL>(product, packed_a, packed_b, out);
}

/// With tiles of 10 x 16, for results of no more columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn narrow(product: &Product<'_>, packed_a: &mut [f32], packed_b: &mut [f32], out: &mut Out<'_>) {
    blocks::<Avx512, 1, NARROW>(product, packed_a, packed_b, out);
}

vectorized! {
    /// With tiles of 6 x 16.
    fn short(product: &Product<'_>, packed_a: &mut [f32], packed_b: &mut [f32], out: &mut Out<'_>) = short_body
}

#[inline(always)]
fn short_body<F: Float>(product: &Product<'_>, packed_a: &mut [f32], packed_b: &mut [f32], out: &mut Out<'_>) {
    blocks::<F, 1, SHORT>(product, packed_a, packed_b, out);
}

#[inline(always)]
fn blocks<F: Float, const V: usize, const R: usize>(
    product: &Product<'_>,
    packed_a: &mut [f32],
    packed_b: &mut [f32],
    out: &mut Out<'_>,
) {
    let width = V * LANES;
    for across in product.columns.clone().step_by(ACROSS) {
        let columns = across..(across + ACROSS).min(product.columns.end);
        for depth in (0..product.terms).step_by(DEPTH) {
            let terms = depth..(depth + DEPTH).min(product.terms);
            pack_b::<V>(product, terms.clone(), columns.clone(), packed_b);
            for top in product.rows.clone().step_by(R) {
                let rows = top..(top + R).min(product.rows.end);
                pack_a::<R>(product, rows.clone(), terms.clone(), packed_a);
                let a = packed_a[..terms.len() * R].as_chunks::<R>().0;
                for (panel, first) in columns.clone().step_by(width).enumerate() {
                    let b = &packed_b[panel * terms.len() * width..][..terms.len() * width];
                    let b = b.as_chunks::<LANES>().0.as_chunks::<V>().0;
                    let sums = tile::<F, V, R>(a, b);
                    let columns = first..(first + width).min(columns.end);
                    for (row, sums) in rows.clone().zip(&sums) {
                        add(product, terms.start == 0, sums, columns.clone(), out.row(row, columns.clone()));
                    }
                }
            }
        }
    }
}

/// The sums of one tile.
#[inline(always)]
fn tile<F: Float, const V: usize, const R: usize>(a: &[[f32; R]], b: &[[Lanes; V]]) -> [[Lanes; V]; R] {
    let mut sums = [[[0.0; LANES]; V]; R];
    for (a, b) in a.iter().zip(b) {
        for row in 0..R {
            for vector in 0..V {
                for lane in 0..LANES {
                    sums[row][vector][lane] = F::mul_add(a[row], b[vector][lane], sums[row][vector][lane]);
                }
            }
        }
    }
    sums
}

/// Adds a row of a tile to what the terms before have left, or to the bias.
#[inline(always)]
fn add<const V: usize>(product: &Product<'_>, first: bool, sums: &[Lanes; V], columns: Range<usize>, out: &mut [f32]) {
    for (vector, sums) in sums.iter().enumerate() {
        let Some(out) = out.get_mut(vector * LANES..) else { return };
        let width = LANES.min(out.len());
        let out = &mut out[..width];
        let mut total = *sums;
        let before = match (first, product.bias) {
            (true, None) => [0.0; LANES],
            (true, Some(bias)) => load(&bias[columns.start + vector * LANES..][..width]),
            (false, _) => load(out),
        };
        for lane in 0..LANES {
            total[lane] += before[lane];
        }
        store(&total, out);
    }
}

/// Some terms of some columns of B, panel by panel: `[panels][terms][V lanes]`, zeros behind the last column.
#[inline(always)]
fn pack_b<const V: usize>(product: &Product<'_>, terms: Range<usize>, columns: Range<usize>, packed: &mut [f32]) {
    let width = V * LANES;
    for (panel, first) in columns.clone().step_by(width).enumerate() {
        let packed = &mut packed[panel * terms.len() * width..][..terms.len() * width];
        let count = width.min(columns.end - first);
        if product.b_column == 1 {
            for (to, term) in packed.chunks_exact_mut(width).zip(terms.clone()) {
                let from = &product.b[term * product.b_term + first..][..count];
                for (vector, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let from = from.get(vector * LANES..).unwrap_or_default();
                    *to = load(&from[..LANES.min(from.len())]);
                }
            }
        } else {
            if count < width {
                packed.fill(0.0);
            }
            for (column, from) in (0..count).map(|column| (column, &product.b[(first + column) * product.b_column..])) {
                for (to, &value) in packed[column..].iter_mut().step_by(width).zip(&from[terms.clone()]) {
                    *to = value;
                }
            }
        }
    }
}

/// Some terms of some rows of A: `[terms][R]`, zeros behind the last row.
#[inline(always)]
fn pack_a<const R: usize>(product: &Product<'_>, rows: Range<usize>, terms: Range<usize>, packed: &mut [f32]) {
    let packed = packed[..terms.len() * R].as_chunks_mut::<R>().0;
    if product.a_row == 1 {
        for (to, term) in packed.iter_mut().zip(terms) {
            let from = &product.a[term * product.a_term + rows.start..][..rows.len()];
            match from.first_chunk::<R>() {
                Some(whole) => *to = *whole,
                None => {
                    *to = [0.0; R];
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                }
            }
        }
        return;
    }
    if rows.len() < R {
        packed.fill([0.0; R]);
    }
    for (place, row) in rows.enumerate() {
        let from = &product.a[row * product.a_row..][terms.clone()];
        for (to, &value) in packed.iter_mut().zip(from) {
            to[place] = value;
        }
    }
}
