//! Which operations of a recording may be done in one, since nobody else reads what passes between them.

use std::collections::{HashMap, HashSet};

use super::op::{Op, ProbeBehind, ProbeChunk, ProbeDifference};
use super::tensor::{Span, Tensor};
use crate::Result;

/// All of a tensor's buffer.
fn whole(tensor: Tensor) -> Span {
    Span { buffer: tensor.buffer, start: 0, end: usize::MAX }
}

/// Probes through the last hidden layer: three operations in a row, whose moves nobody else reads.
pub(super) struct Probes {
    /// By the first operation of each.
    found: HashMap<usize, ProbedBehind>,
}

/// Such operations as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProbedBehind {
    pub(super) behind: ProbeBehind,
    /// The weights to the logits.
    pub(super) next: Tensor,
    pub(super) difference: ProbeDifference,
    /// How many operations these are.
    pub(super) ops: usize,
}

impl ProbedBehind {
    fn of(ops: &[Op]) -> Option<Self> {
        let [Op::ProbeBehind(behind), Op::Matmul(product), Op::ProbeDifference(difference)] = ops else { return None };
        let adjoin = product.a == behind.out
            && product.out == difference.moves
            && !product.transpose_a
            && !product.transpose_b
            && product.bias.is_none()
            && behind.chunk == difference.chunk
            && behind.kinks == difference.kinks;
        adjoin.then_some(Self { behind: *behind, next: product.b, difference: *difference, ops: ops.len() })
    }

    /// Both as one, if `next` does the same with the curves behind these. Its tensors of moves and kinks are as long as these
    /// would have to be, where the first ones' begin: nothing says that there is room.
    fn and(&self, next: &Self) -> Option<Self> {
        let chunk = &self.behind.chunk;
        let all = ProbeChunk { count: chunk.count + next.behind.chunk.count, ..*chunk };
        let both = self.with(all);
        let adjoin = next.behind.chunk.first == chunk.first + chunk.count;
        let moved = Self { ops: 0, next: next.next, ..next.with(all) };
        let places = [both.behind.out, both.behind.kinks, both.difference.moves];
        let same = Self { ops: 0, ..both } == moved.at(places);
        (adjoin && same).then_some(Self { ops: self.ops + next.ops, ..both })
    }

    /// The same for other curves.
    pub(super) fn with(&self, chunk: ProbeChunk) -> Self {
        let rows = |tensor: Tensor, rows: usize| Tensor { rows, ..tensor };
        let kinks = rows(self.behind.kinks, chunk.count);
        let out = rows(self.behind.out, chunk.rows());
        let moves = rows(self.difference.moves, chunk.rows());
        Self {
            behind: ProbeBehind { chunk, out, kinks, ..self.behind },
            difference: ProbeDifference { chunk, moves, kinks, ..self.difference },
            ..*self
        }
    }

    /// The same with moves and kinks at other places.
    fn at(&self, [out, kinks, moves]: [Tensor; 3]) -> Self {
        Self {
            behind: ProbeBehind { out, kinks, ..self.behind },
            difference: ProbeDifference { moves, kinks, ..self.difference },
            ..*self
        }
    }
}

impl Probes {
    /// Finds them.
    pub(super) fn of(ops: &[Op]) -> Result<Self> {
        let mut found = HashMap::new();
        // Thousands of chunks work in the same few places.
        let mut inner: HashSet<Span> = HashSet::new();
        for (index, three) in ops.windows(3).enumerate() {
            if let Some(probed) = ProbedBehind::of(three) {
                // Of the moves the whole buffers: what is done in one may want more room than they.
                inner.extend([whole(probed.behind.out), whole(probed.difference.moves), probed.behind.kinks.span()]);
                found.insert(index, probed);
            }
        }
        let probes = Self { found };
        for (index, op) in ops.iter().enumerate() {
            let access = op.access()?;
            let mut touched = access.reads.iter().chain(&access.writes);
            if !probes.found.contains_key(&index)
                && !probes.is_part(index)
                && touched.any(|span| inner.iter().any(|inner| span.overlaps(inner)))
            {
                return Ok(Self { found: HashMap::new() });
            }
        }
        // What is fused must not find its weight changed since it was transposed.
        let weights: HashSet<Span> = ops
            .iter()
            .filter_map(|op| match op {
                Op::ProbeBehind(behind) => Some(behind.weight.span()),
                _ => None,
            })
            .collect();
        let changes = |op: &Op| {
            op.access()
                .is_ok_and(|access| access.writes.iter().any(|w| weights.iter().any(|weight| w.overlaps(weight))))
        };
        let (first, last) = (probes.found.keys().min().copied(), probes.found.keys().max().copied());
        if let (Some(first), Some(last)) = (first, last)
            && ops[first..=last].iter().any(changes)
        {
            return Ok(Self { found: HashMap::new() });
        }
        Ok(probes)
    }

    /// The operations that begin here.
    pub(super) fn starting_at(&self, index: usize) -> Option<ProbedBehind> {
        self.found.get(&index).copied()
    }

    /// The same with all that follow them and continue with the next curves.
    pub(super) fn all_from(&self, index: usize) -> Option<ProbedBehind> {
        let mut all = self.starting_at(index)?;
        while let Some(more) = self.starting_at(index + all.ops).and_then(|next| all.and(&next)) {
            all = more;
        }
        Some(all)
    }

    /// Whether an operation is the second or third of such three.
    fn is_part(&self, index: usize) -> bool {
        (1..=2).any(|before| index.checked_sub(before).is_some_and(|first| self.found.contains_key(&first)))
    }
}
