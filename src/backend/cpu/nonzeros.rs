//! The inputs of a mini-batch that are not zero, sample by sample.

use std::ops::Range;

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
    /// `[N * sections]`: how many entries of a sample's list come before each section of [`SECTION`] inputs, so that
    /// whoever takes some of the inputs need not search for them.
    pub(super) starts: Words,
    /// `I`
    pub(super) inputs: usize,
}

/// Inputs of a section.
pub(super) const SECTION: usize = 16;

/// What a sample's list may be written beyond its end: a vector's worth.
const SLACK: usize = 16;

/// The share of inputs other than zero above which a dense product is faster.
const MOST: f32 = 0.6;

impl Nonzeros {
    /// Entries that a list of so many inputs has room for.
    pub(super) fn room(inputs: usize) -> usize {
        (inputs + SLACK).next_multiple_of(SLACK)
    }

    /// Sections of so many inputs.
    pub(super) fn sections(inputs: usize) -> usize {
        inputs.div_ceil(SECTION)
    }

    pub(super) fn spans(&self) -> [Span; 4] {
        [self.counts.span(), self.places.span(), self.values.span(), self.starts.span()]
    }

    /// Places and values of a sample.
    pub(super) fn row<'a>(&self, view: &View<'a>, sample: usize) -> (&'a [u32], &'a [f32]) {
        let count = view.words(self.counts)[sample] as usize;
        let first = sample * self.values.columns;
        (&view.words(self.places)[first..first + count], &view.floats(self.values)[first..first + count])
    }

    /// Places and values of a sample among some of the inputs, which begin with a section and end with one.
    pub(super) fn part<'a>(&self, view: &View<'a>, sample: usize, inputs: &Range<usize>) -> (&'a [u32], &'a [f32]) {
        let sections = Self::sections(self.inputs);
        let starts = &view.words(self.starts)[sample * sections..(sample + 1) * sections];
        let (places, values) = self.row(view, sample);
        let before = |input: usize| starts.get(input.div_ceil(SECTION)).map_or(places.len(), |&start| start as usize);
        let part = before(inputs.start)..before(inputs.end);
        (&places[part.clone()], &values[part])
    }

    /// Whether so few are listed that going through the lists is worth it. It depends on the batch alone, so that the
    /// result does not depend on who asks.
    pub(super) fn are_few(&self, view: &View<'_>) -> bool {
        let listed: u32 = view.words(self.counts).iter().sum();
        listed as f32 <= MOST * (self.values.rows * self.inputs) as f32
    }
}
