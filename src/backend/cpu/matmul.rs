//! Matrix products. See `shaders/matmul.wgsl`.
//!
//! Floor for `[M, K] x [K, N]`: `M K N` multiply-adds, 32 a cycle with two units of AVX-512. A tile of the result stays in
//! registers while a stretch of terms passes by; both factors are packed, so that the innermost loop reads them in order.
//! The result is cut among the parts by rows or by columns. Each part packs its own lines of one factor; the other one
//! is needed by all of them, and is packed beforehand where that is worth a task of its own.

use std::ops::Range;

use super::cut::{Cut, SHORT, factors, tile_shape};
#[cfg(target_arch = "x86_64")]
use super::cut::{NARROW, TALL};
use super::lanes::load;
use super::math::{LANES, Lanes};
use super::memory::View;
use super::packing::{DEPTH, Factor, Packed, pack, stretches};
use super::prefetch::{NEAR, prefetch};
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx512, Level, level};
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Matmul;
use crate::backend::tensor::Tensor;

/// Columns that are packed together: with `DEPTH` terms three quarters of a megabyte, which stay in the second-level cache.
const ACROSS: usize = 512;

/// Rows whose packed terms are kept while the columns pass by; more than these are packed again for every `ACROSS` columns.
const DOWN: usize = 512;

/// One part of the product, with what `pack_common` has left where there is such a thing.
pub(super) fn run(op: &Matmul, cut: Cut, packed: Option<Tensor>, view: &View<'_>, worker: &mut Worker<'_>) {
    let [m, k, n] = op.shape();
    // What each element is summed up from, and in which order, does not depend on how the result is shared.
    let [tall, wide] = tile_shape(n);
    let (rows, columns) = match cut {
        Cut::Rows => (worker.share(m, tall), 0..n),
        Cut::Columns => (0..m, worker.share(n, wide)),
    };
    if rows.is_empty() || columns.is_empty() {
        return;
    }
    let [a, b] = factors(op, view);
    let packed = packed.map(|packed| Packed { values: view.floats(packed), lines: cut.common(op).2[0] });
    let product = Product {
        a,
        b,
        packed_a: packed.filter(|_| cut == Cut::Columns),
        packed_b: packed.filter(|_| cut == Cut::Rows),
        bias: op.bias.map(|bias| view.floats(bias)),
        terms: k,
        rows,
        columns,
    };
    multiply(&product, &mut Out { view, tensor: op.out, first: 0, columns: n }, worker);
}

/// Writes the product's part of the result.
pub(super) fn multiply(product: &Product<'_>, out: &mut Out<'_>, worker: &mut Worker<'_>) {
    let [tall, wide] = tile_shape(out.columns);
    let depth = DEPTH.min(product.terms);
    let room = |packed: bool, lines: &Range<usize>, width: usize, most: usize| {
        if packed { 0 } else { depth * lines.len().min(most).next_multiple_of(width) }
    };
    let room_a = room(product.packed_a.is_some(), &product.rows, tall, DOWN);
    let room_b = room(product.packed_b.is_some(), &product.columns, wide, ACROSS);
    let scratch = worker.scratch(room_a + room_b + LANES);
    let aligned = scratch.as_ptr().align_offset(64).min(LANES);
    let (b, a) = scratch[aligned..].split_at_mut(room_b);
    let mut room = Room { a, b };
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        let tiles = if wide > LANES { self::wide } else { narrow };
        // SAFETY: `level` asked the processor for exactly these features.
        unsafe { tiles(product, &mut room, out) };
        return;
    }
    short(product, &mut room, out);
}

/// The factors, and the part of the result that is wanted.
pub(super) struct Product<'a> {
    pub(super) a: Factor<'a>,
    pub(super) b: Factor<'a>,
    /// The factors as a whole, where they are packed already.
    pub(super) packed_a: Option<Packed<'a>>,
    pub(super) packed_b: Option<Packed<'a>>,
    pub(super) bias: Option<&'a [f32]>,
    /// `K`
    pub(super) terms: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// Where a part packs what is not packed already.
struct Room<'a> {
    a: &'a mut [f32],
    b: &'a mut [f32],
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

    /// `V` vectors of columns of `R` rows.
    #[inline(always)]
    fn rows<const R: usize, const V: usize>(&mut self, row: usize, columns: Range<usize>) -> [&mut [Lanes; V]; R] {
        assert!(columns.len() == V * LANES && columns.end <= self.columns);
        std::array::from_fn(|number| {
            let first = self.first + (row + number) * self.columns + columns.start;
            // SAFETY: as above; the rows do not overlap, since no range of columns is longer than a row.
            let row = unsafe { self.view.floats_mut(self.tensor, first..first + V * LANES) };
            // SAFETY: just as long, of floats.
            unsafe { &mut *row.as_mut_ptr().cast::<[Lanes; V]>() }
        })
    }
}

/// With tiles of 12 x 32. These two are for AVX-512 alone: [`multiply`] takes them for nothing else.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn wide(product: &Product<'_>, room: &mut Room<'_>, out: &mut Out<'_>) {
    blocks::<Avx512, 2, TALL>(product, room, out);
}

/// With tiles of 10 x 16, for results of no more columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn narrow(product: &Product<'_>, room: &mut Room<'_>, out: &mut Out<'_>) {
    blocks::<Avx512, 1, NARROW>(product, room, out);
}

vectorized! {
    /// With tiles of 6 x 16.
    fn short(product: &Product<'_>, room: &mut Room<'_>, out: &mut Out<'_>) = short_body
}

#[inline(always)]
fn short_body<F: Float>(product: &Product<'_>, room: &mut Room<'_>, out: &mut Out<'_>) {
    blocks::<F, 1, SHORT>(product, room, out);
}

#[inline(always)]
fn blocks<F: Float, const V: usize, const R: usize>(product: &Product<'_>, room: &mut Room<'_>, out: &mut Out<'_>) {
    let width = V * LANES;
    let Range { start: top, end: bottom } = product.rows;
    let keeps_rows = bottom - top <= DOWN;
    let mut rest = [[[0.0; LANES]; V]; R];
    for terms in stretches(product.terms) {
        let (panel_a, panel_b) = (terms.len() * R, terms.len() * width);
        for across in product.columns.clone().step_by(ACROSS) {
            let columns = across..(across + ACROSS).min(product.columns.end);
            let packed_b = match &product.packed_b {
                Some(packed) => packed.panels(&terms, across),
                None => {
                    let to = &mut room.b[..columns.len().div_ceil(width) * panel_b];
                    pack(&product.b, width, columns.clone(), terms.clone(), to);
                    to
                }
            };
            for (place, first_row) in (top..bottom).step_by(R).enumerate() {
                let rows = first_row..(first_row + R).min(bottom);
                let a = match &product.packed_a {
                    Some(packed) => packed.panels(&terms, first_row),
                    None => {
                        let to = &mut room.a[if keeps_rows { place * panel_a } else { 0 }..][..panel_a];
                        if !keeps_rows || across == product.columns.start {
                            pack(&product.a, R, rows.clone(), terms.clone(), to);
                        }
                        to
                    }
                };
                let a = a[..panel_a].as_chunks::<R>().0;
                for (first, b) in columns.clone().step_by(width).zip(packed_b.chunks_exact(panel_b)) {
                    let b = b.as_chunks::<LANES>().0.as_chunks::<V>().0;
                    let columns = first..(first + width).min(columns.end);
                    let whole = rows.len() == R && columns.len() == width;
                    if !whole && terms.start > 0 {
                        rows.clone()
                            .zip(&mut rest)
                            .for_each(|(row, rest)| *rest = spread(out.row(row, columns.clone())));
                    }
                    let start = (terms.start == 0).then(|| match product.bias {
                        Some(bias) => spread(&bias[columns.clone()]),
                        None => [[0.0; LANES]; V],
                    });
                    let to = if whole { out.rows(first_row, columns.clone()) } else { rest.each_mut() };
                    tile::<F, V, R>(a, b, start.as_ref(), to);
                    if !whole {
                        for (row, rest) in rows.clone().zip(&rest) {
                            let to = out.row(row, columns.clone());
                            to.copy_from_slice(&rest.as_flattened()[..to.len()]);
                        }
                    }
                }
            }
        }
    }
}

/// As many lanes as there are values, and zeros behind them.
#[inline(always)]
fn spread<const V: usize>(values: &[f32]) -> [Lanes; V] {
    std::array::from_fn(|vector| {
        let values = values.get(vector * LANES..).unwrap_or_default();
        load(&values[..LANES.min(values.len())])
    })
}

/// Sums up one tile and adds it to what the terms before have left, or to the first terms' start.
///
/// Nothing but the loop over the terms reaches the sums: so they stay in registers from the first term to the rows.
#[inline(always)]
fn tile<F: Float, const V: usize, const R: usize>(
    a: &[[f32; R]],
    b: &[[Lanes; V]],
    start: Option<&[Lanes; V]>,
    to: [&mut [Lanes; V]; R],
) {
    /// Terms behind which the rows have come, wherever they were.
    const TIME_ENOUGH: usize = 128;
    if a.len() >= TIME_ENOUGH {
        to.iter().for_each(|row| prefetch::<NEAR, _>(*row));
    }
    let mut sums = [[F::splat(0.0); V]; R];
    // By index: as a pair of iterators the loop counts both, with instructions that take turns from the sums.
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    for term in 0..count {
        let (a, b) = (&a[term], b[term].each_ref().map(F::load));
        for row in 0..R {
            let a = F::splat(a[row]);
            for vector in 0..V {
                sums[row][vector] = F::mul_add_vector(a, b[vector], sums[row][vector]);
            }
        }
    }
    for (sums, to) in sums.iter().zip(to) {
        for vector in 0..V {
            let before = F::load(&start.map_or(to[vector], |start| start[vector]));
            F::store(F::add(sums[vector], before), &mut to[vector]);
        }
    }
}
