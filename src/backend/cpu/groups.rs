//! Curves in groups of neighbouring units of one sample, sixteen at most, which begin where sixteenths of a sample do: what
//! is computed for a group does not depend on how curves are cut into chunks and chunks into parts.

use std::ops::Range;

use super::math::LANES;
use super::team::Worker;
use crate::backend::op::ProbeChunk;

/// Some groups of a chunk.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    units: usize,
    /// The chunk's curves.
    curves: Range<usize>,
    /// Groups by number: `ceil(U / 16)` for each sample.
    ids: Range<usize>,
}

/// A group, and which of its lanes belong to the chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) sample: usize,
    /// The unit of lane 0.
    pub(super) unit: usize,
    /// The curve of lane 0.
    pub(super) number: usize,
    pub(super) lanes: Range<usize>,
}

impl Groups {
    /// This worker's groups of a chunk.
    pub(super) fn of(chunk: &ProbeChunk, worker: &Worker<'_>) -> Self {
        let units = chunk.pre_activations.columns;
        let each = units.div_ceil(LANES);
        let curves = chunk.first..chunk.first + chunk.count;
        let id = |number: usize| number / units * each + number % units / LANES;
        let (first, last) = (id(curves.start), id(curves.end - 1));
        let share = worker.share(last + 1 - first, 1);
        Self { units, curves, ids: first + share.start..first + share.end }
    }

    fn group(&self, id: usize) -> Group {
        let each = self.units.div_ceil(LANES);
        let (sample, unit) = (id / each, id % each * LANES);
        let number = sample * self.units + unit;
        let end = (number + LANES).min((sample + 1) * self.units).min(self.curves.end);
        Group { sample, unit, number, lanes: self.curves.start.max(number) - number..end - number }
    }

    /// The curves of these groups.
    pub(super) fn numbers(&self) -> Range<usize> {
        if self.ids.is_empty() {
            return 0..0;
        }
        let (first, last) = (self.group(self.ids.start), self.group(self.ids.end - 1));
        first.number + first.lanes.start..last.number + last.lanes.end
    }

    /// The same, up to two neighbours of one sample at a time.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [Option<Group>; 2]> + '_ {
        let mut id = self.ids.start;
        std::iter::from_fn(move || {
            let first = (id < self.ids.end).then(|| self.group(id))?;
            id += 1;
            let second = (id < self.ids.end).then(|| self.group(id)).filter(|next| next.sample == first.sample);
            id += usize::from(second.is_some());
            Some([Some(first), second])
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Group> + '_ {
        self.ids.clone().map(|id| self.group(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tensor::{BufferId, Tensor};
    use crate::network::Activation;

    #[test]
    fn groups_hold_every_curve_once_and_do_not_depend_on_the_cut() {
        for (samples, units) in [(1, 1), (3, 16), (2, 33), (5, 7)] {
            let pre_activations = Tensor { buffer: BufferId(0), offset: 0, rows: samples, columns: units };
            for first in [0, 1, units / 2] {
                for count in [1, samples * units - first] {
                    let chunk = ProbeChunk {
                        activation: Activation::Tanh,
                        pre_activations,
                        range: None,
                        step_size: 0.1,
                        nodes: 1,
                        first,
                        count,
                    };
                    let mut next = first;
                    for index in 0..3 {
                        let groups = Groups::of(&chunk, &Worker::part(index, 3, &mut Vec::new()));
                        assert!(groups.numbers().is_empty() || groups.numbers().start == next);
                        assert!(groups.pairs().flatten().flatten().eq(groups.iter()));
                        for group in groups.iter() {
                            assert_eq!(group.number + group.lanes.start, next);
                            assert_eq!((group.number / units, group.unit % LANES), (group.sample, 0));
                            next += group.lanes.len();
                        }
                        assert!(groups.numbers().is_empty() || groups.numbers().end == next);
                    }
                    assert_eq!(next, first + count);
                }
            }
        }
    }
}
