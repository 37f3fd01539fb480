//! Many matrix products of one shape. See `shaders/batch_matmul.wgsl`.
//!
//! Images are four fifths zeros, and a factor that all products share is searched for them only once: the sums then
//! go over what is not 0. Floor: two operations for each of these and column.

use super::matmul::{Out, Product, multiply};
use super::memory::View;
use super::packing::Factor;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::BatchMatmul;

/// Columns that are summed side by side: a vector register's.
const TILE: usize = 16;

/// Where more than this share of the common factor is not 0, dense products are faster.
const DENSE: f64 = 0.45;

/// Elements of the common factor that are kept as lists at a time.
const LISTED: usize = 1 << 18;

pub(super) fn run(op: &BatchMatmul, view: &View<'_>, worker: &mut Worker<'_>) {
    let (batches, columns, terms) = (op.b.rows, op.out.columns, op.a.columns);
    let rows = op.out.rows / batches;
    let (a, b) = (view.floats(op.a), view.floats(op.b));
    let share = worker.share(batches, 1);
    let factors = |batch: usize| {
        let row = &b[batch * op.b.columns..(batch + 1) * op.b.columns];
        (&row[op.weight_at..op.weight_at + terms * columns], &row[op.bias_at..op.bias_at + columns])
    };
    let sparse = op.shared && columns >= TILE && {
        let nonzero = a.iter().map(|&x| u32::from(x != 0.0)).sum::<u32>();
        f64::from(nonzero) <= DENSE * a.len() as f64
    };
    if sparse {
        // SAFETY: this worker's products, taken once.
        let out = unsafe { view.floats_mut(op.out, share.start * rows * columns..share.end * rows * columns) };
        let rows_at_once = (LISTED / terms).clamp(1, rows);
        let scratch = worker.scratch(2 * rows_at_once * terms + rows_at_once);
        for first in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - first);
            let (lists, counts) = scratch.split_at_mut(2 * rows_at_once * terms);
            list(&a[first * terms..(first + count) * terms], terms, lists, counts);
            for (out, batch) in out.chunks_exact_mut(rows * columns).zip(share.clone()) {
                let (weight, bias) = factors(batch);
                let out = &mut out[first * columns..(first + count) * columns];
                product(&lists[..2 * count * terms], &counts[..count], terms, weight, bias, out);
            }
        }
        return;
    }
    for batch in share {
        let (weight, bias) = factors(batch);
        let a = if op.shared { a } else { &a[batch * rows * terms..(batch + 1) * rows * terms] };
        let product = Product {
            a: Factor { values: a, line: terms, term: 1 },
            b: Factor { values: weight, line: 1, term: columns },
            packed_a: None,
            packed_b: None,
            bias: Some(bias),
            terms,
            rows: 0..rows,
            columns: 0..columns,
        };
        multiply(&product, &mut Out { view, tensor: op.out, first: batch * rows * columns, columns }, worker);
    }
}

/// Each row's elements that are not 0, pair by pair: the element and its column, as bits. Their number goes to
/// `counts`, as bits too.
fn list(a: &[f32], terms: usize, lists: &mut [f32], counts: &mut [f32]) {
    for ((row, list), count) in a.chunks_exact(terms).zip(lists.chunks_exact_mut(2 * terms)).zip(counts) {
        let mut len = 0;
        for (column, &x) in row.iter().enumerate() {
            // Written always and kept sometimes: no branch that could be guessed wrongly.
            (list[2 * len], list[2 * len + 1]) = (x, f32::from_bits(column as u32));
            len += usize::from(x != 0.0);
        }
        *count = f32::from_bits(len as u32);
    }
}

vectorized! {
    /// `out = A weight + bias` with the rows of `A` as lists.
    fn product(lists: &[f32], counts: &[f32], terms: usize, weight: &[f32], bias: &[f32], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(lists: &[f32], counts: &[f32], terms: usize, weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let columns = bias.len();
    for ((out, list), count) in out.chunks_exact_mut(columns).zip(lists.chunks_exact(2 * terms)).zip(counts) {
        let list = &list[..2 * count.to_bits() as usize];
        for first in (0..columns).step_by(4 * TILE) {
            // The last tile begins where it ends with the row; columns that it shares with the one before come out
            // the same.
            let at = |tile: usize| (first + tile * TILE).min(columns - TILE);
            match (columns - first).div_ceil(TILE) {
                1 => tiles::<F, 1>(list, at, weight, bias, out),
                2 => tiles::<F, 2>(list, at, weight, bias, out),
                3 => tiles::<F, 3>(list, at, weight, bias, out),
                _ => tiles::<F, 4>(list, at, weight, bias, out),
            }
        }
    }
}

#[inline(always)]
fn tiles<F: Float, const TILES: usize>(
    list: &[f32],
    at: impl Fn(usize) -> usize,
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let columns = bias.len();
    let mut sums = [[0.0f32; TILE]; TILES];
    for pair in list.chunks_exact(2) {
        let row = pair[1].to_bits() as usize * columns;
        let row = &weight[row..row + columns];
        for (tile, sums) in sums.iter_mut().enumerate() {
            let first = at(tile);
            for (sum, &weight) in sums.iter_mut().zip(&row[first..first + TILE]) {
                *sum = F::mul_add(pair[0], weight, *sum);
            }
        }
    }
    for (tile, sums) in sums.iter().enumerate() {
        let range = at(tile)..at(tile) + TILE;
        for ((out, &sum), &bias) in out[range.clone()].iter_mut().zip(sums).zip(&bias[range]) {
            *out = sum + bias;
        }
    }
}
