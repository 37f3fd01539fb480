//! Products of a mini-batch whose inputs that are not zero are listed: what a zero would add is not added.
//!
//! Floor for `z` inputs that are not zero and `U` units: `z U` multiply-adds, each with one load (forward) or a load and
//! a store (gradient) of 16 lanes.

use super::math::LANES;
use super::memory::View;
use super::nonzeros::Nonzeros;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Matmul;

/// Vectors of a row that are worked on together: enough to hide what one multiply-add takes.
const VECTORS: usize = 4;

/// `out[n, :] = bias + sum_i x[n, i] w[i, :]`
pub(super) fn forward(op: &Matmul, nonzeros: &Nonzeros, view: &View<'_>, worker: &mut Worker<'_>) {
    let [samples, _, units] = op.shape();
    if units < LANES || !nonzeros.are_few(view) {
        return super::matmul::run(op, view, worker);
    }
    let share = worker.share(samples, 1);
    // SAFETY: this worker's samples, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * units..share.end * units) };
    let (weight, bias) = (view.floats(op.b), op.bias.map(|bias| view.floats(bias)));
    // A block of columns for all samples, then the next: the weights of one block stay in the cache.
    for first in (0..units).step_by(VECTORS * LANES) {
        for (out, n) in out.chunks_exact_mut(units).zip(share.clone()) {
            let (places, values) = nonzeros.row(view, n);
            weigh(places, values, weight, bias, first, out);
        }
    }
}

/// Where the vectors of a block of columns begin: the last one may overlap the one before it, so that it ends where the
/// row does.
#[inline(always)]
fn starts<const V: usize>(first: usize, units: usize) -> [usize; V] {
    std::array::from_fn(|vector| (first + vector * LANES).min(units - LANES))
}

vectorized! {
    /// One sample's sums over its listed inputs, for a block of columns.
    fn weigh(places: &[u32], values: &[f32], weight: &[f32], bias: Option<&[f32]>, first: usize, out: &mut [f32])
        = weigh_body
}

#[inline(always)]
fn weigh_body<F: Float>(
    places: &[u32],
    values: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    first: usize,
    out: &mut [f32],
) {
    match (out.len() - first).div_ceil(LANES) {
        1 => weigh_vectors::<F, 1>(places, values, weight, bias, first, out),
        2 => weigh_vectors::<F, 2>(places, values, weight, bias, first, out),
        3 => weigh_vectors::<F, 3>(places, values, weight, bias, first, out),
        _ => weigh_vectors::<F, VECTORS>(places, values, weight, bias, first, out),
    }
}

#[inline(always)]
fn weigh_vectors<F: Float, const V: usize>(
    places: &[u32],
    values: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    first: usize,
    out: &mut [f32],
) {
    let units = out.len();
    let starts = starts::<V>(first, units);
    // Two sums side by side, since each addition waits for the one before it.
    let mut sums = [[[0.0f32; LANES]; V]; 2];
    if let Some(bias) = bias {
        for (sum, &start) in sums[0].iter_mut().zip(&starts) {
            sum.copy_from_slice(&bias[start..start + LANES]);
        }
    }
    let mut pairs = places.chunks_exact(2).zip(values.chunks_exact(2));
    for (places, values) in &mut pairs {
        for ((sums, &place), &x) in sums.iter_mut().zip(places).zip(values) {
            add_row::<F, V>(weight, place as usize * units, &starts, x, sums);
        }
    }
    if places.len() % 2 == 1 {
        let last = places.len() - 1;
        add_row::<F, V>(weight, places[last] as usize * units, &starts, values[last], &mut sums[0]);
    }
    for (vector, &start) in starts.iter().enumerate() {
        for lane in 0..LANES {
            out[start + lane] = sums[0][vector][lane] + sums[1][vector][lane];
        }
    }
}

#[inline(always)]
fn add_row<F: Float, const V: usize>(
    weight: &[f32],
    row: usize,
    starts: &[usize; V],
    x: f32,
    sums: &mut [[f32; LANES]; V],
) {
    for (sum, &start) in sums.iter_mut().zip(starts) {
        let weight = &weight[row + start..row + start + LANES];
        for lane in 0..LANES {
            sum[lane] = F::mul_add(x, weight[lane], sum[lane]);
        }
    }
}

/// `out[i, :] = sum_n x[n, i] delta[n, :]`, the samples in order.
pub(super) fn gradient(op: &Matmul, nonzeros: &Nonzeros, view: &View<'_>, worker: &mut Worker<'_>) {
    let [inputs, samples, units] = op.shape();
    if units < LANES || !nonzeros.are_few(view) {
        return super::matmul::run(op, view, worker);
    }
    let share = worker.share(inputs, 1);
    // SAFETY: this worker's inputs, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * units..share.end * units) };
    out.fill(0.0);
    let delta = view.floats(op.b);
    for first in (0..units).step_by(VECTORS * LANES) {
        for n in 0..samples {
            let (places, values) = nonzeros.row(view, n);
            let (begin, end) = (
                places.partition_point(|&place| (place as usize) < share.start),
                places.partition_point(|&place| (place as usize) < share.end),
            );
            let delta = &delta[n * units..(n + 1) * units];
            spread(&places[begin..end], &values[begin..end], delta, first, share.start, out);
        }
    }
}

vectorized! {
    /// Adds one sample's part to the rows of its listed inputs, for a block of columns; row `origin` is the first of `out`.
    fn spread(places: &[u32], values: &[f32], delta: &[f32], first: usize, origin: usize, out: &mut [f32]) = spread_body
}

#[inline(always)]
fn spread_body<F: Float>(
    places: &[u32],
    values: &[f32],
    delta: &[f32],
    first: usize,
    origin: usize,
    out: &mut [f32],
) {
    match (delta.len() - first).div_ceil(LANES) {
        1 => spread_vectors::<F, 1>(places, values, delta, first, origin, out),
        2 => spread_vectors::<F, 2>(places, values, delta, first, origin, out),
        3 => spread_vectors::<F, 3>(places, values, delta, first, origin, out),
        _ => spread_vectors::<F, VECTORS>(places, values, delta, first, origin, out),
    }
}

#[inline(always)]
fn spread_vectors<F: Float, const V: usize>(
    places: &[u32],
    values: &[f32],
    delta: &[f32],
    first: usize,
    origin: usize,
    out: &mut [f32],
) {
    let units = delta.len();
    let starts = starts::<V>(first, units);
    let mut factors = [[0.0f32; LANES]; V];
    for (factor, &start) in factors.iter_mut().zip(&starts) {
        factor.copy_from_slice(&delta[start..start + LANES]);
    }
    for (&place, &x) in places.iter().zip(values) {
        let row = &mut out[(place as usize - origin) * units..][..units];
        // All vectors are read before any is written: the last one may overlap the one before it.
        let mut sums = [[0.0f32; LANES]; V];
        for (sum, &start) in sums.iter_mut().zip(&starts) {
            sum.copy_from_slice(&row[start..start + LANES]);
        }
        for (sum, factor) in sums.iter_mut().zip(&factors) {
            for lane in 0..LANES {
                sum[lane] = F::mul_add(x, factor[lane], sum[lane]);
            }
        }
        for (sum, &start) in sums.iter().zip(&starts) {
            row[start..start + LANES].copy_from_slice(sum);
        }
    }
}
