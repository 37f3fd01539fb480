//! Random directions, and parameters moved along them. See `shaders/perturb.wgsl`.
//!
//! Floor: 13 rounds of three operations for 64 elements, and two stores an element.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Perturb;
use crate::backend::threefry::{WIDTH, direction_keys, threefry};

/// Elements that share one call of the generator: a bit each.
pub(super) const BLOCK: usize = 64;

pub(super) fn run(op: &Perturb, view: &View<'_>, worker: &mut Worker<'_>) {
    let directions = &op.directions;
    let step = view.words(directions.step)[0];
    let signs = op.parameters.map_or(1, |_| 2);
    let len = op.out.columns;
    let parameters = op.parameters.map(|parameters| view.floats(parameters));
    let share = worker.share(directions.count, 1);
    // SAFETY: this worker's directions, taken once.
    let out = unsafe { view.floats_mut(op.out, share.start * signs * len..share.end * signs * len) };
    for (out, index) in out.chunks_exact_mut(signs * len).zip(share) {
        let key = direction_keys(directions.seed, step, (directions.first + index) as u32).map(|lanes| lanes[0]);
        let (above, below) = out.split_at_mut(len);
        let first = (op.offset / BLOCK) as u32;
        match parameters {
            None => direction(key, first, above),
            Some(parameters) => moved(key, first, parameters, op.step_size, above, below),
        }
    }
}

vectorized! {
    /// `out = u`, whose first element stands at `64 first` of its direction.
    fn direction(key: [u32; 2], first: u32, out: &mut [f32]) = direction_body
}

#[inline(always)]
fn direction_body<F: Float>(key: [u32; 2], first: u32, out: &mut [f32]) {
    for (chunk, out) in out.chunks_mut(BLOCK * WIDTH).enumerate() {
        let bits = bits(key, first + (chunk * WIDTH) as u32);
        for (lane, out) in out.chunks_mut(BLOCK).enumerate() {
            for (half, out) in out.chunks_mut(32).enumerate() {
                for (bit, out) in out.iter_mut().enumerate() {
                    *out = signed(1.0, bits[half][lane], bit);
                }
            }
        }
    }
}

vectorized! {
    /// `above = theta + h u`, `below = theta - h u`
    fn moved(key: [u32; 2], first: u32, theta: &[f32], h: f32, above: &mut [f32], below: &mut [f32]) = moved_body
}

#[inline(always)]
fn moved_body<F: Float>(key: [u32; 2], first: u32, theta: &[f32], h: f32, above: &mut [f32], below: &mut [f32]) {
    let pieces = above.chunks_mut(BLOCK * WIDTH).zip(below.chunks_mut(BLOCK * WIDTH));
    for (chunk, ((above, below), theta)) in pieces.zip(theta.chunks(BLOCK * WIDTH)).enumerate() {
        let bits = bits(key, first + (chunk * WIDTH) as u32);
        let pieces = above.chunks_mut(32).zip(below.chunks_mut(32)).zip(theta.chunks(32));
        for (word, ((above, below), theta)) in pieces.enumerate() {
            let bits = bits[word % 2][word / 2];
            for (bit, ((above, below), &theta)) in above.iter_mut().zip(below).zip(theta).enumerate() {
                let shift = signed(h, bits, bit);
                (*above, *below) = (theta + shift, theta - shift);
            }
        }
    }
}

/// The bits of blocks `first..first + 16`: those of each one's first 32 elements, and of the others.
#[inline(always)]
fn bits(key: [u32; 2], first: u32) -> [[u32; WIDTH]; 2] {
    let blocks = std::array::from_fn(|lane| first.wrapping_add(lane as u32));
    threefry(key.map(|word| [word; WIDTH]), [blocks, [0; WIDTH]])
}

/// `value` where the bit is 0, `-value` where it is 1.
#[inline(always)]
pub(super) fn signed(value: f32, bits: u32, bit: usize) -> f32 {
    f32::from_bits(value.to_bits() ^ ((bits >> bit) << 31))
}
