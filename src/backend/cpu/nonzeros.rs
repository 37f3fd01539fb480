//! The inputs of a mini-batch that are not zero, sample by sample.

use super::memory::View;
use crate::backend::tensor::{Span, Tensor, Words};

/// For each sample how many inputs are not zero, which ones in ascending order, and their values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nonzeros {
    /// `[N]`
    pub(super) counts: Words,
    /// `[N * room]`: those of a sample begin at a multiple of `room`.
    pub(super) places: Words,
    /// `[N, room]`, likewise.
    pub(super) values: Tensor,
    /// `I`
    pub(super) inputs: usize,
}

/// What a sample's list may be written beyond its end: a vector's worth.
const SLACK: usize = 16;

/// The share of inputs other than zero above which a dense product is faster.
const MOST: f32 = 0.6;

impl Nonzeros {
    /// Entries that a list of so many inputs has room for.
    pub(super) fn room(inputs: usize) -> usize {
        (inputs + SLACK).next_multiple_of(SLACK)
    }

    pub(super) fn spans(&self) -> [Span; 3] {
        [self.counts.span(), self.places.span(), self.values.span()]
    }

    /// Places and values of a sample.
    pub(super) fn row<'a>(&self, view: &View<'a>, sample: usize) -> (&'a [u32], &'a [f32]) {
        let count = view.words(self.counts)[sample] as usize;
        let first = sample * self.values.columns;
        (&view.words(self.places)[first..first + count], &view.floats(self.values)[first..first + count])
    }

    /// Whether so few are listed that going through the lists is worth it. It depends on the batch alone, so that the
    /// result does not depend on who asks.
    pub(super) fn are_few(&self, view: &View<'_>) -> bool {
        let listed: u32 = view.words(self.counts).iter().sum();
        listed as f32 <= MOST * (self.values.rows * self.inputs) as f32
    }
}
