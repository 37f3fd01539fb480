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
        // As many chains as hide each other's latency and fit the registers: 32 of 16 floats, or 16 of 8 or of 4.
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
fn round<F: Float>(chain: Lanes, factor: f32, addend: f32) -> Lanes {
    let mut next = chain;
    for lane in 0..LANES {
        next[lane] = F::mul_add(chain[lane], factor, addend);
    }
    next
}

/// A loop over so many chains, each a variable: an array of them is kept in memory, at a fiftieth of the speed.
macro_rules! chains {
    ($name:ident: $($chain:ident)*) => {
        #[inline(always)]
        fn $name<F: Float>(factor: f32, addend: f32, rounds: usize, x: &[f32], out: &mut [f32]) {
            const FLOATS: usize = [$(stringify!($chain)),*].len() * LANES;
            for (x, out) in x.chunks(FLOATS).zip(out.chunks_mut(FLOATS)) {
                let mut parts = x.chunks(LANES);
                $(let mut $chain = load(parts.next().unwrap_or_default());)*
                for _ in 0..rounds {
                    $($chain = round::<F>($chain, factor, addend);)*
                }
                for (chain, out) in [$($chain),*].iter().zip(out.chunks_mut(LANES)) {
                    store(chain, out);
                }
            }
        }
    };
}

chains!(twelve: a b c d e f g h i j k l);
chains!(six: a b c d e f);
