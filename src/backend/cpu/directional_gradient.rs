//! The mean of random directions, each times the loss's derivative along it. See `shaders/directional_gradient.wgsl`.
//!
//! Floor: an addition for each direction and element.

use super::memory::View;
use super::perturb::{BLOCK, signed};
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::DirectionalGradient;
use crate::backend::threefry::{WIDTH, direction_keys, threefry};

pub(super) fn run(op: &DirectionalGradient, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.out.len(), BLOCK);
    let step = view.words(op.directions.step)[0];
    let coefficients = view.floats(op.coefficients);
    // SAFETY: this worker's share, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    let first = ((op.offset + share.start) / BLOCK) as u32;
    sum(op.directions.seed, step, op.directions.first as u32, coefficients, first, out);
}

vectorized! {
    /// `out = 1/K sum_k coefficients[k] u_k`, whose first element stands at `64 first` of each direction.
    fn sum(seed: u64, step: u32, direction: u32, coefficients: &[f32], first: u32, out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(seed: u64, step: u32, direction: u32, coefficients: &[f32], first: u32, out: &mut [f32]) {
    let scale = 1.0 / coefficients.len() as f32;
    out.fill(0.0);
    for (group, coefficients) in coefficients.chunks(WIDTH).enumerate() {
        let keys = direction_keys(seed, step, direction.wrapping_add((group * WIDTH) as u32));
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let bits = threefry(keys, [[first + block as u32; WIDTH], [0; WIDTH]]);
            let mut sums = [0.0f32; BLOCK];
            for (k, &coefficient) in coefficients.iter().enumerate() {
                let value = coefficient * scale;
                for (half, sums) in sums.chunks_exact_mut(32).enumerate() {
                    for (bit, sum) in sums.iter_mut().enumerate() {
                        *sum += signed(value, bits[half][k], bit);
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += sum;
            }
        }
    }
}
