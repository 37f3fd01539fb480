//! A hidden layer behind probed units, for one sample at a time: its units' state, and what moves make of it.

use super::lanes::{load, store};
use super::loss_change::{Shift, Units};
use super::math::{LANES, Lanes, SMALL};
use super::simd::Float;
use crate::network::Activation;

/// The layer's units as one sample has them.
pub(super) struct Behind<'a> {
    activation: Activation,
    /// `[N, V]` pre-activations.
    all: &'a [f32],
    width: usize,
    /// The sample at hand.
    sample: usize,
    /// Its units' value, rest and slope as [`Units`] has them, group by group.
    state: &'a mut [f32],
}

/// What [`Units`] keeps of a unit, and the second and third coefficient of its series.
const PARTS: usize = 6;

impl<'a> Behind<'a> {
    /// Floats of scratch for a layer of so many units.
    pub(super) fn room(width: usize) -> usize {
        PARTS * width.next_multiple_of(LANES)
    }

    pub(super) fn new(activation: Activation, all: &'a [f32], width: usize, state: &'a mut [f32]) -> Self {
        Self { activation, all, width, sample: usize::MAX, state }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The pre-activations of the sample at hand.
    #[inline(always)]
    fn pre_activations(&self) -> &[f32] {
        &self.all[self.sample * self.width..(self.sample + 1) * self.width]
    }

    /// Makes `sample` the one at hand.
    #[inline(always)]
    pub(super) fn turn_to<F: Float>(&mut self, sample: usize) {
        if self.sample == sample {
            return;
        }
        self.sample = sample;
        let row = &self.all[sample * self.width..(sample + 1) * self.width];
        for (group, state) in self.state.chunks_exact_mut(PARTS * LANES).enumerate() {
            let unit = Units::new::<F>(self.activation, load(row.get(group * LANES..).unwrap_or_default()));
            let kept = unit.parts().into_iter().chain(unit.series::<F>().into_iter().skip(1));
            for (to, from) in state.chunks_exact_mut(LANES).zip(kept) {
                store(&from, to);
            }
        }
    }

    /// Whether moves of the pre-activations, `factor` times as large, may lead a ReLU over its kink.
    #[inline(always)]
    pub(super) fn has_kink(&self, moves: &[f32], factor: f32) -> bool {
        // A little wider than it is: the moves themselves are rounded.
        let factor = factor * (1.0 + 1e-5);
        self.activation == Activation::Relu
            && self.pre_activations().iter().zip(moves).fold(false, |any, (b, x)| any | (b.abs() <= x.abs() * factor))
    }

    /// Turns moves of the sample's pre-activations into changes of its activations.
    #[inline(always)]
    pub(super) fn pass<F: Float>(&self, moves: &mut [f32]) {
        for (group, state) in self.state.chunks_exact(PARTS * LANES).enumerate() {
            let Some(row) = moves.get_mut(group * LANES..) else { return };
            let part = |part: usize| load(&state[part * LANES..]);
            let width = LANES.min(row.len());
            let x: Lanes = load(&row[..width]);
            if x.iter().fold(true, |all, x| all & (x.abs() <= SMALL)) {
                let (slope, second, third) = (part(3), part(4), part(5));
                let mut change = [0.0; LANES];
                for lane in 0..LANES {
                    let p = F::mul_add(x[lane], third[lane], second[lane]);
                    change[lane] = x[lane] * F::mul_add(x[lane], p, slope[lane]);
                }
                store(&change, &mut row[..width]);
            } else {
                let unit = Units::of_parts(self.activation, [part(0), part(1), part(2), part(3)]);
                store(&unit.change::<F>(&Shift::new::<F>(self.activation, x)), &mut row[..width]);
            }
        }
    }
}
