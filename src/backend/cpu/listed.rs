//! Products of a mini-batch whose inputs that are not zero are listed: what a zero would add is not added.
//!
//! Floor for `z` inputs that are not zero and `U` units: `z U` multiply-adds, each with one load (forward) or a load and
//! a store (gradient). Units are taken in blocks so narrow that the weights of all inputs for one block, or the sums of
//! one thread's inputs, stay in the first-level cache while all samples pass by.

use std::ops::Range;

use super::cut::Cut;
use super::gather::NextBatch;
use super::lanes::{load, store};
use super::math::LANES;
use super::matmul;
use super::memory::View;
use super::nonzeros::{Nonzeros, SECTION};
use super::packing::{self, Factor};
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Matmul;
use crate::backend::tensor::Tensor;

/// Vectors of a block of units.
const VECTORS: usize = 2;

/// Units of a block: a row of the weights in it.
type Block = [[f32; LANES]; VECTORS];

/// Units of a block.
const WIDTH: usize = VECTORS * LANES;

/// The first units of a row as a block, and whatever is behind them.
#[inline(always)]
fn block(from: &[f32]) -> Block {
    std::array::from_fn(|vector| load(from.get(vector * LANES..).unwrap_or_default()))
}

/// Writes a block from the start of a row on, as far as there is room.
#[inline(always)]
fn unblock(from: &Block, to: &mut [f32]) {
    for (vector, from) in from.iter().enumerate() {
        store(from, to.get_mut(vector * LANES..).unwrap_or_default());
    }
}

/// The shape of a weight `[inputs, units]` cut into blocks of units: `[blocks * inputs, WIDTH]`. What fills up the last
/// block means nothing.
pub(super) fn packed_shape(weight: Tensor) -> (usize, usize) {
    (weight.columns.div_ceil(WIDTH) * weight.rows, WIDTH)
}

/// Cuts a weight into blocks of units. The parts are of inputs, as an update's are: so each core reads what it has written.
pub(super) fn pack(weight: Tensor, packed: Tensor, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(weight.rows, 1);
    let factor = Factor { values: view.floats(weight), line: 1, term: weight.columns };
    for (number, first) in (0..weight.columns).step_by(WIDTH).enumerate() {
        let begin = number * weight.rows;
        // SAFETY: this worker's inputs in each block, each taken once.
        let to = unsafe { view.floats_mut(packed, (begin + share.start) * WIDTH..(begin + share.end) * WIDTH) };
        packing::pack(&factor, WIDTH, first..(first + WIDTH).min(weight.columns), share.clone(), to);
    }
}

fn blocks(floats: &[f32]) -> &[Block] {
    floats.as_chunks::<LANES>().0.as_chunks::<VECTORS>().0
}

fn blocks_mut(floats: &mut [f32]) -> &mut [Block] {
    floats.as_chunks_mut::<LANES>().0.as_chunks_mut::<VECTORS>().0
}

/// `out[n, :] = bias + sum_i x[n, i] w[i, :]`, with the weight as [`pack`] has left it. Samples of the next batch are called for
/// as those of this one pass by.
pub(super) fn forward(
    op: &Matmul,
    nonzeros: &Nonzeros,
    packed: Tensor,
    next: &NextBatch<'_>,
    view: &View<'_>,
    worker: &mut Worker<'_>,
) {
    let [samples, inputs, units] = op.shape();
    if !nonzeros.are_few(view) {
        return matmul::run(op, Cut::longer(op), None, view, worker);
    }
    let share = worker.share(samples, 1);
    // SAFETY: this worker's samples, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * units..share.end * units) };
    let (packed, bias) = (blocks(view.floats(packed)), op.bias.map(|bias| view.floats(bias)));
    let mut next = Some(next);
    // The last block first: what it writes beyond the end of a row is the beginning of the next one.
    for (number, first) in (0..units).step_by(WIDTH).enumerate().rev() {
        let weight = &packed[number * inputs..(number + 1) * inputs];
        let begin = bias.map_or_else(Block::default, |bias| block(&bias[first..]));
        let lists = Lists { nonzeros, view, samples: share.clone(), next: next.take() };
        forward_block(&lists, weight, &begin, first, units, out);
    }
}

/// The lists of some samples.
struct Lists<'a> {
    nonzeros: &'a Nonzeros,
    view: &'a View<'a>,
    samples: Range<usize>,
    /// What to call for meanwhile.
    next: Option<&'a NextBatch<'a>>,
}

vectorized! {
    /// The block of columns from `first` on of the outputs `[samples, units]`.
    fn forward_block(
        lists: &Lists<'_>,
        weight: &[Block],
        begin: &Block,
        first: usize,
        units: usize,
        out: &mut [f32],
    ) = forward_block_body
}

#[inline(always)]
fn forward_block_body<F: Float>(
    lists: &Lists<'_>,
    weight: &[Block],
    begin: &Block,
    first: usize,
    units: usize,
    out: &mut [f32],
) {
    for (row, n) in lists.samples.clone().enumerate() {
        if let Some(next) = lists.next {
            next.call_for(n);
        }
        let (places, values) = lists.nonzeros.row(lists.view, n);
        let mut sums = *begin;
        weigh::<F>(places, values, weight, &mut sums);
        unblock(&sums, &mut out[row * units + first..]);
    }
}

/// Adds one sample's listed inputs times their weights.
#[inline(always)]
fn weigh<F: Float>(places: &[u32], values: &[f32], weight: &[Block], sums: &mut Block) {
    // Four sums side by side, since each addition waits for the one before it.
    const SUMS: usize = 4;
    let mut partial = [Block::default(); SUMS];
    let (fours, rest) = places.as_chunks::<SUMS>();
    let (four_values, rest_values) = values.as_chunks::<SUMS>();
    for (places, values) in fours.iter().zip(four_values) {
        for term in 0..SUMS {
            add::<F>(values[term], &weight[places[term] as usize], &mut partial[term]);
        }
    }
    for (&place, &value) in rest.iter().zip(rest_values) {
        add::<F>(value, &weight[place as usize], &mut partial[0]);
    }
    let [a, b, c, d] = &partial;
    for vector in 0..VECTORS {
        for lane in 0..LANES {
            let listed = (a[vector][lane] + b[vector][lane]) + (c[vector][lane] + d[vector][lane]);
            sums[vector][lane] += listed;
        }
    }
}

/// `sums += x row`
#[inline(always)]
fn add<F: Float>(x: f32, row: &Block, sums: &mut Block) {
    for (sum, row) in sums.iter_mut().zip(row) {
        *sum = F::mul_add_lanes(&[x; LANES], row, sum);
    }
}

/// `out[i, :] = sum_n x[n, i] delta[n, :]`, the samples in order.
pub(super) fn gradient(op: &Matmul, nonzeros: &Nonzeros, view: &View<'_>, worker: &mut Worker<'_>) {
    let [inputs, samples, units] = op.shape();
    if !nonzeros.are_few(view) {
        return matmul::run(op, Cut::longer(op), None, view, worker);
    }
    let share = worker.share(inputs, SECTION);
    // SAFETY: this worker's inputs, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * units..share.end * units) };
    let delta = view.floats(op.b);
    let scratch = worker.scratch((share.len() + 1) * WIDTH);
    // From the next cache line on, so that no row lies across more of them than it must.
    let aligned = scratch.as_ptr().align_offset(64).min(WIDTH);
    let scratch = &mut scratch[aligned..aligned + share.len() * WIDTH];
    let sums = blocks_mut(scratch);
    // The last block first, as above.
    for first in (0..units).step_by(WIDTH).rev() {
        let lists = Lists { nonzeros, view, samples: 0..samples, next: None };
        gradient_block(&lists, share.clone(), delta, first, units, sums, out);
    }
}

vectorized! {
    /// The block of columns from `first` on of the rows `range` of the gradient; `sums` has room for them.
    fn gradient_block(
        lists: &Lists<'_>,
        range: Range<usize>,
        delta: &[f32],
        first: usize,
        units: usize,
        sums: &mut [Block],
        out: &mut [f32],
    ) = gradient_block_body
}

#[inline(always)]
fn gradient_block_body<F: Float>(
    lists: &Lists<'_>,
    range: Range<usize>,
    delta: &[f32],
    first: usize,
    units: usize,
    sums: &mut [Block],
    out: &mut [f32],
) {
    sums.fill(Block::default());
    for n in lists.samples.clone() {
        let (places, values) = lists.nonzeros.part(lists.view, n, &range);
        let delta = block(&delta[n * units + first..]);
        for (&place, &x) in places.iter().zip(values) {
            add::<F>(x, &delta, &mut sums[place as usize - range.start]);
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        unblock(sums, &mut out[row * units + first..]);
    }
}
