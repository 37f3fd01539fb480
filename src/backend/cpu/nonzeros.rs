//! The inputs of a mini-batch that are not zero, sample by sample.

use crate::backend::tensor::{Span, Tensor, Words};

use super::memory::View;

/// For each sample how many inputs are not zero, which ones in ascending order, and their values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nonzeros {
    /// `[N]`
    pub(super) counts: Words,
    /// `[N * I]`: those of a sample begin at a multiple of `I`.
    pub(super) places: Words,
    /// `[N, I]`, likewise.
    pub(super) values: Tensor,
}

/// The share of inputs other than zero above which a dense product is faster.
const MOST: f32 = 0.6;

impl Nonzeros {
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
        listed as f32 <= MOST * self.values.len() as f32
    }
}
