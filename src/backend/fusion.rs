//! Which operations of a recording may be done in one, since nobody else reads what passes between them.

use std::collections::HashMap;

use super::op::{Op, ProbeDifference};
use super::tensor::{Span, Tensor};
use crate::Result;

/// All of a tensor's buffer.
fn whole(tensor: Tensor) -> Span {
    Span { buffer: tensor.buffer, start: 0, end: usize::MAX }
}

/// Probes through the last hidden layer: three operations in a row, whose moves nobody else reads.
pub(super) struct Probes {
    /// By the first operation of each.
    found: HashMap<usize, (Tensor, ProbeDifference)>,
}

impl Probes {
    /// Finds them.
    pub(super) fn of(ops: &[Op]) -> Result<Self> {
        let mut found = HashMap::new();
        let mut inner: Vec<Span> = Vec::new();
        for (index, three) in ops.windows(3).enumerate() {
            if let [Op::ProbeBehind(behind), Op::Matmul(product), Op::ProbeDifference(difference)] = three
                && product.a == behind.out
                && product.out == difference.moves
                && !product.transpose_a
                && !product.transpose_b
                && product.bias.is_none()
                && behind.chunk == difference.chunk
                && behind.kinks == difference.kinks
            {
                found.insert(index, (product.b, *difference));
                // Of the moves the whole buffers: what is done in one may want more room than they.
                inner.extend([whole(behind.out), whole(product.out), behind.kinks.span()]);
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
        let changes =
            |op: &Op, weight: &Span| op.access().is_ok_and(|access| access.writes.iter().any(|w| w.overlaps(weight)));
        let weights: Vec<Span> = ops
            .iter()
            .filter_map(|op| match op {
                Op::ProbeBehind(behind) => Some(behind.weight.span()),
                _ => None,
            })
            .collect();
        let (first, last) = (probes.found.keys().min().copied(), probes.found.keys().max().copied());
        if let (Some(first), Some(last)) = (first, last)
            && ops[first..=last].iter().any(|op| weights.iter().any(|weight| changes(op, weight)))
        {
            return Ok(Self { found: HashMap::new() });
        }
        Ok(probes)
    }

    /// The weights to the logits, and the third operation, where such three begin.
    pub(super) fn starting_at(&self, index: usize) -> Option<(Tensor, ProbeDifference)> {
        self.found.get(&index).copied()
    }

    /// Whether an operation is the second or third of such three.
    pub(super) fn is_part(&self, index: usize) -> bool {
        (1..=2).any(|before| index.checked_sub(before).is_some_and(|first| self.found.contains_key(&first)))
    }
}
