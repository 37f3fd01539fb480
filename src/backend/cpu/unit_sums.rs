//! How the logits move with a unit that has one hidden layer behind it, where moves there are short: by `d (A_i + d B_i)` for
//! logit `i` and a unit that moves by `d`. With `w_k` the weights to the units behind and `c_ki` theirs to the logits,
//! `A_i = sum_k w_k phi'_k c_ki` and `B_i = sum_k w_k^2 phi''_k / 2 c_ki` are the same for all points of a curve.

use super::lanes::load;
use super::math::{LANES, Lanes};
use super::simd::Float;
use crate::backend::tensor::Tensor;

/// Moves up to here need no third term: it is `phi''' / 6 phi'` times the square of the move, at most 2/3 of half a unit in the
/// last place.
pub(super) const NEAR: f32 = 1.0 / 4096.0;

/// Logits whose sums are worked on side by side.
pub(super) const CLASSES: usize = 10;

/// Groups of sixteen probed units that are worked on together: each term is loaded once for both.
pub(super) const TOGETHER: usize = 2;

/// Weights `[U, V]` by groups of probed units: `[ceil(U / 16), V + 1]` vectors, the last of each group with the largest
/// magnitude that each of its units has.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    vectors: &'a [Lanes],
    height: usize,
}

impl<'a> Panels<'a> {
    /// The shape of a tensor that holds them.
    pub(super) fn shape(weight: Tensor) -> (usize, usize) {
        (weight.rows.div_ceil(LANES) * (weight.columns + 1), LANES)
    }

    pub(super) fn new(all: &'a [f32], width: usize) -> Self {
        Self { vectors: all.as_chunks().0, height: width + 1 }
    }

    /// The group that begins with `unit`.
    #[inline(always)]
    pub(super) fn of(&self, unit: usize) -> &'a [Lanes] {
        &self.vectors[unit / LANES * self.height..][..self.height]
    }

    /// The largest magnitudes in that group.
    #[inline(always)]
    pub(super) fn largest(&self, unit: usize) -> &'a Lanes {
        &self.of(unit)[self.height - 1]
    }
}

/// The sums, for one sample and two groups at a time.
pub(super) struct UnitSums<'a> {
    classes: usize,
    /// `[ceil(C / CLASSES), V, LANES]`: the weights to the logits, by blocks of classes, filled up with zeros.
    next: &'a [Lanes],
    /// 1 where moves go on in proportion, 2 elsewhere.
    orders: usize,
    /// Numbers of the units behind that count, as bits.
    places: &'a mut [f32],
    count: usize,
    /// `[orders, ceil(C / CLASSES), V, LANES]`
    terms: &'a mut [Lanes],
    /// `[TOGETHER, orders, ceil(C / CLASSES) CLASSES]`
    sums: &'a mut [Lanes],
}

impl<'a> UnitSums<'a> {
    /// Floats of scratch.
    pub(super) fn room(width: usize, classes: usize) -> usize {
        let blocks = classes.div_ceil(CLASSES);
        width + (3 * blocks * width + TOGETHER * 2 * blocks * CLASSES) * LANES
    }

    /// `next` `[V, C]` are the weights to the logits.
    pub(super) fn new(
        is_proportional: bool,
        [width, classes]: [usize; 2],
        next: &[f32],
        scratch: &'a mut [f32],
    ) -> Self {
        let (places, rest) = scratch.split_at_mut(width);
        let blocks = classes.div_ceil(CLASSES);
        let (padded, rest) = rest.as_chunks_mut().0.split_at_mut(blocks * width);
        let (terms, sums) = rest.split_at_mut(2 * blocks * width);
        for (k, row) in next.chunks_exact(classes).enumerate() {
            for (block, row) in row.chunks(CLASSES).enumerate() {
                padded[block * width + k] = load(row);
            }
        }
        Self { classes, next: padded, orders: if is_proportional { 1 } else { 2 }, places, count: 0, terms, sums }
    }

    fn blocks(&self) -> usize {
        self.classes.div_ceil(CLASSES)
    }

    /// Takes the sample whose units behind have these slopes and half second derivatives.
    #[inline(always)]
    pub(super) fn turn_to<F: Float>(&mut self, series: impl Iterator<Item = [f32; 2]>) {
        let (width, blocks) = (self.places.len(), self.blocks());
        self.count = 0;
        for (k, parts) in series.enumerate() {
            // ReLUs that are off.
            if self.orders == 1 && parts[0] == 0.0 {
                continue;
            }
            for order in 0..self.orders {
                for block in 0..blocks {
                    self.terms[(order * blocks + block) * width + self.count] =
                        F::mul_lanes(&[parts[order]; LANES], &self.next[block * width + k]);
                }
            }
            self.places[self.count] = f32::from_bits(k as u32);
            self.count += 1;
        }
    }

    /// Adds up for one group or two.
    #[inline(always)]
    pub(super) fn add_up<F: Float>(&mut self, groups: [Option<&[Lanes]>; TOGETHER]) {
        match groups {
            [Some(one), Some(other)] if F::MANY_REGISTERS => self.all_blocks::<F, 2>([one, other], 0),
            _ => {
                for (at, group) in groups.into_iter().enumerate() {
                    if let Some(group) = group {
                        self.all_blocks::<F, 1>([group], at);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn all_blocks<F: Float, const GROUPS: usize>(&mut self, groups: [&[Lanes]; GROUPS], at: usize) {
        for block in 0..self.blocks() {
            self.block::<F, GROUPS, false>(groups, at, block);
            if self.orders == 2 {
                self.block::<F, GROUPS, true>(groups, at, block);
            }
        }
    }

    #[inline(always)]
    fn block<F: Float, const GROUPS: usize, const SQUARED: bool>(
        &mut self,
        groups: [&[Lanes]; GROUPS],
        at: usize,
        block: usize,
    ) {
        let (blocks, width, order) = (self.blocks(), self.places.len(), usize::from(SQUARED));
        let rows = &self.terms[(order * blocks + block) * width..][..self.count];
        let places = &self.places[..self.count];
        let all = &mut *self.sums;
        let mut keep = |first: usize, sums: &[[Lanes; GROUPS]]| {
            for (class, sums) in sums.iter().enumerate() {
                for (group, sum) in sums.iter().enumerate() {
                    all[(((at + group) * self.orders + order) * blocks + block) * CLASSES + first + class] = *sum;
                }
            }
        };
        if F::MANY_REGISTERS {
            keep(0, &tile::<F, GROUPS, 0, CLASSES, SQUARED>(places, rows, groups));
        } else {
            keep(0, &tile::<F, GROUPS, 0, HALF, SQUARED>(places, rows, groups));
            keep(HALF, &tile::<F, GROUPS, HALF, HALF, SQUARED>(places, rows, groups));
        }
    }

    /// How the logits move, `[C, 2, LANES]`, where the units of the first or second group move by `d` to either side.
    #[inline(always)]
    pub(super) fn moves<F: Float>(&self, group: usize, d: &[Lanes; 2], moves: &mut [f32]) {
        let stride = self.blocks() * CLASSES;
        let first = &self.sums[group * self.orders * stride..];
        for (class, moves) in moves.as_chunks_mut::<LANES>().0.chunks_exact_mut(2).enumerate() {
            let a = first[class];
            for (moves, d) in moves.iter_mut().zip(d) {
                let mut factor = a;
                if self.orders == 2 {
                    factor = F::mul_add_lanes(d, &first[stride + class], &a);
                }
                *moves = F::mul_lanes(d, &factor);
            }
        }
    }
}

/// Classes of half a block, for processors of few registers.
const HALF: usize = CLASSES / 2;

/// Sums over the places, for `COUNT` classes from `FIRST` on.
#[inline(always)]
fn tile<F: Float, const GROUPS: usize, const FIRST: usize, const COUNT: usize, const SQUARED: bool>(
    places: &[f32],
    rows: &[Lanes],
    groups: [&[Lanes]; GROUPS],
) -> [[Lanes; GROUPS]; COUNT] {
    let mut sums = [[[0.0f32; LANES]; GROUPS]; COUNT];
    for (place, row) in places.iter().zip(rows) {
        let k = place.to_bits() as usize;
        let mut weights = [[0.0; LANES]; GROUPS];
        for group in 0..GROUPS {
            let w = groups[group][k];
            weights[group] = if SQUARED { F::mul_lanes(&w, &w) } else { w };
        }
        for class in 0..COUNT {
            for group in 0..GROUPS {
                sums[class][group] =
                    F::mul_add_lanes(&[row[FIRST + class]; LANES], &weights[group], &sums[class][group]);
            }
        }
    }
    sums
}
