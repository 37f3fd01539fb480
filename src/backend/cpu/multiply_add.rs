//! What a processor can do at most. See `shaders/multiply_add.wgsl`.

use super::lanes::{load, store};
use super::math::{LANES, Lanes};
use super::memory::View;
use super::simd::{Float, Level, level, vectorized};
use super::team::Worker;
use crate::backend::op::MultiplyAdd;

pub(super) fn run(op: &MultiplyAdd, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.out.len(), LANES * 12);
    // SAFETY: this worker's share, taken once.
    let out = unsafe { view.floats_mut(op.out, share.clone()) };
    let x = &view.floats(op.x)[share];
    match level() {
        _ if op.rounds == 0 => out.copy_from_slice(x),
        // As many chains as hide each other's latency and fit the registers: 32 of 16 floats, or 16 of 8.
        Level::Avx512 => twelve_chains(op.factor, op.addend, op.rounds, x, out),
        _ => six_chains(op.factor, op.addend, op.rounds, x, out),
    }
}

vectorized! {
    fn twelve_chains(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) = twelve
}

vectorized! {
    fn six_chains(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) = six
}

#[inline(always)]
fn twelve<F: Float>(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) {
    body::<F, 12>(factor, addend, rounds, x, out);
}

#[inline(always)]
fn six<F: Float>(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) {
    body::<F, 6>(factor, addend, rounds, x, out);
}

#[inline(always)]
fn body<F: Float, const CHAINS: usize>(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks(CHAINS * LANES).zip(out.chunks_mut(CHAINS * LANES)) {
        let mut chains: [Lanes; CHAINS] = std::array::from_fn(|chain| load(x.get(chain * LANES..).unwrap_or_default()));
        for _ in 0..rounds {
            for chain in &mut chains {
                for lane in chain {
                    *lane = F::mul_add(*lane, factor, addend);
                }
            }
        }
        for (chain, out) in chains.iter().zip(out.chunks_mut(LANES)) {
            store(chain, out);
        }
    }
}
