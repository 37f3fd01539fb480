//! Which operations of a recording may be done in one.

use std::collections::{HashMap, HashSet};

use super::op::{
    Activate, CrossEntropy, LossGradient, Matmul, Mean, Op, ProbeBehind, ProbeChunk, ProbeDifference, Softmax, Targets,
};
use super::tensor::{Span, Tensor, Words};
use crate::Result;
use crate::network::OutputLoss;

/// All of a tensor's buffer.
fn whole(tensor: Tensor) -> Span {
    Span { buffer: tensor.buffer, start: 0, end: usize::MAX }
}

/// A product and its activation; both are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layer {
    pub(super) product: Matmul,
    pub(super) activate: Activate,
}

impl Layer {
    /// How many operations these are.
    pub(super) const OPS: usize = 2;

    /// The one that `ops` begin with.
    pub(super) fn of(ops: &[Op]) -> Option<Self> {
        let &[Op::Matmul(product), Op::Activate(activate), ..] = ops else { return None };
        let others = [Some(product.a), Some(product.b), product.bias, Some(product.out)];
        let is_apart = others.into_iter().flatten().all(|tensor| tensor.buffer != activate.out.buffer);
        (activate.x == product.out && is_apart).then_some(Self { product, activate })
    }
}

/// The end of a forward pass: what follows the logits. All results are kept, so that whoever reads them later finds them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head {
    pub(super) softmax: Softmax,
    pub(super) targets: Words,
    pub(super) loss: CrossEntropy,
    /// Where back-propagation begins, if that follows.
    pub(super) gradient: Option<LossGradient>,
    /// What stands before the gradient and touches nothing of it.
    pub(super) mean: Option<Mean>,
}

impl Head {
    /// How many operations these are.
    pub(super) fn ops(&self) -> usize {
        2 + usize::from(self.gradient.is_some()) + usize::from(self.mean.is_some())
    }

    /// The one that `ops` begin with.
    pub(super) fn of(ops: &[Op]) -> Option<Self> {
        let &[Op::Softmax(softmax), Op::CrossEntropy(loss), ref behind @ ..] = ops else { return None };
        let Targets::Classes(targets) = loss.targets else { return None };
        let head = Self { softmax, targets, loss, gradient: None, mean: None };
        let with_gradient = match *behind {
            [Op::LossGradient(gradient), ..] => Some(Self { gradient: Some(gradient), ..head }),
            [Op::Mean(mean), Op::LossGradient(gradient), ..] => {
                Some(Self { gradient: Some(gradient), mean: Some(mean), ..head })
            }
            _ => None,
        };
        with_gradient.into_iter().chain([head]).find(Self::is_one)
    }

    /// Whether these belong together, and no one of them touches what it would not find as it was.
    fn is_one(&self) -> bool {
        let (y, epsilon) = (self.softmax.out, self.loss.epsilon);
        let output = OutputLoss::CrossEntropy { epsilon };
        let continues =
            |gradient: &LossGradient| gradient.y == y && gradient.targets == self.targets && gradient.output == output;
        let mut buffers = vec![self.softmax.x.buffer, self.targets.buffer, y.buffer, self.loss.out.buffer];
        buffers.extend(self.gradient.map(|gradient| gradient.out.buffer));
        // The mean comes after the gradient then.
        let is_apart = |mean: &Mean| {
            let reads = [mean.x.buffer, mean.cursor.buffer];
            !buffers.contains(&mean.out.buffer)
                && self.gradient.is_none_or(|gradient| !reads.contains(&gradient.out.buffer))
        };
        let distinct: HashSet<_> = buffers.iter().collect();
        !self.softmax.logarithm
            && !self.loss.logarithm
            && self.loss.y == y
            && self.gradient.as_ref().is_none_or(continues)
            && self.mean.as_ref().is_none_or(is_apart)
            && distinct.len() == buffers.len()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::op::Fill;
    use crate::backend::tensor::BufferId;
    use crate::network::Activation;

    const EPSILON: f32 = 1e-7;

    fn tensor(buffer: u32, rows: usize, columns: usize) -> Tensor {
        Tensor { buffer: BufferId(buffer), offset: 0, rows, columns }
    }

    fn words(buffer: u32, len: usize) -> Words {
        Words { buffer: BufferId(buffer), offset: 0, len }
    }

    /// Softmax, cross entropy, their mean and the gradient, each in a buffer of its own.
    fn end_of_a_pass() -> (Softmax, CrossEntropy, Mean, LossGradient) {
        let (y, targets, losses) = (tensor(1, 5, 3), words(2, 5), tensor(3, 5, 1));
        let output = OutputLoss::CrossEntropy { epsilon: EPSILON };
        (
            Softmax { x: tensor(0, 5, 3), logarithm: false, out: y },
            CrossEntropy { y, logarithm: false, targets: Targets::Classes(targets), epsilon: EPSILON, out: losses },
            Mean { x: losses, out: tensor(4, 9, 1), cursor: words(5, 1) },
            LossGradient { output, y, targets, out: tensor(6, 5, 3) },
        )
    }

    #[test]
    fn a_product_is_one_with_the_activation_behind_it() {
        let (a, b, out) = (tensor(0, 5, 3), tensor(1, 3, 4), tensor(2, 5, 4));
        let bias = Some(tensor(3, 1, 4));
        let product = Matmul { a, transpose_a: false, b, transpose_b: false, bias, out };
        let activate = Activate { activation: Activation::Tanh, x: out, out: tensor(4, 5, 4) };
        let layer = |product: Matmul, activate: Activate| Layer::of(&[product.into(), activate.into()]);
        assert_eq!(layer(product, activate), Some(Layer { product, activate }));
        assert_eq!(Layer::of(&[activate.into(), product.into()]), None);
        assert_eq!(Layer::of(&[product.into()]), None);
        assert_eq!(layer(product, Activate { x: tensor(7, 5, 4), ..activate }), None);
        for written in 0..4 {
            let activate = Activate { out: tensor(written, 5, 4), ..activate };
            assert_eq!(layer(product, activate), None, "{written}");
        }
        let unbiased = Matmul { bias: None, ..product };
        assert!(layer(unbiased, Activate { out: tensor(3, 5, 4), ..activate }).is_some());
    }

    /// How many operations are one, and whether the gradient is among them.
    fn found(ops: [Op; 4]) -> Option<(usize, bool)> {
        Head::of(&ops).map(|head| (head.ops(), head.gradient.is_some()))
    }

    #[test]
    fn the_end_of_a_pass_is_one_with_the_gradient_behind_it() {
        let (softmax, loss, mean, gradient) = end_of_a_pass();
        let fill = Fill { value: 0.0, out: tensor(9, 1, 1) };
        assert_eq!(found([softmax.into(), loss.into(), mean.into(), gradient.into()]), Some((4, true)));
        assert_eq!(found([softmax.into(), loss.into(), gradient.into(), mean.into()]), Some((3, true)));
        assert_eq!(found([softmax.into(), loss.into(), fill.into(), gradient.into()]), Some((2, false)));
        assert_eq!(found([loss.into(), softmax.into(), mean.into(), gradient.into()]), None);
        assert_eq!(found([softmax.into(), fill.into(), loss.into(), gradient.into()]), None);
    }

    #[test]
    fn what_does_not_belong_together_is_not_one() {
        let (softmax, loss, mean, gradient) = end_of_a_pass();
        let with_loss = |loss: CrossEntropy| found([softmax.into(), loss.into(), mean.into(), gradient.into()]);
        assert_eq!(with_loss(CrossEntropy { y: tensor(7, 5, 3), ..loss }), None);
        assert_eq!(with_loss(CrossEntropy { logarithm: true, ..loss }), None);
        assert_eq!(with_loss(CrossEntropy { targets: Targets::OneHot(tensor(7, 5, 3)), ..loss }), None);
        assert_eq!(with_loss(CrossEntropy { out: tensor(0, 5, 1), ..loss }), None);
        assert_eq!(with_loss(CrossEntropy { epsilon: 0.5, ..loss }), Some((2, false)));
        let logarithm = Softmax { logarithm: true, ..softmax };
        assert_eq!(found([logarithm.into(), loss.into(), mean.into(), gradient.into()]), None);
        let in_place = Softmax { x: tensor(1, 5, 3), ..softmax };
        assert_eq!(found([in_place.into(), loss.into(), mean.into(), gradient.into()]), None);

        let with_gradient = |gradient: LossGradient| found([softmax.into(), loss.into(), mean.into(), gradient.into()]);
        assert_eq!(with_gradient(LossGradient { y: tensor(7, 5, 3), ..gradient }), Some((2, false)));
        assert_eq!(with_gradient(LossGradient { targets: words(7, 5), ..gradient }), Some((2, false)));
        assert_eq!(
            with_gradient(LossGradient { output: OutputLoss::SoftmaxSumOfSquares, ..gradient }),
            Some((2, false))
        );
        assert_eq!(with_gradient(LossGradient { out: tensor(0, 5, 3), ..gradient }), Some((2, false)));
    }

    #[test]
    fn no_gradient_comes_before_a_mean_that_touches_what_it_does() {
        let (softmax, loss, mean, gradient) = end_of_a_pass();
        let with_mean = |mean: Mean| found([softmax.into(), loss.into(), mean.into(), gradient.into()]);
        assert_eq!(with_mean(Mean { x: tensor(7, 5, 1), ..mean }), Some((4, true)));
        assert_eq!(with_mean(Mean { x: tensor(6, 5, 1), ..mean }), Some((2, false)));
        assert_eq!(with_mean(Mean { cursor: words(6, 1), ..mean }), Some((2, false)));
        for written in [0, 1, 2, 6] {
            assert_eq!(with_mean(Mean { out: tensor(written, 9, 1), ..mean }), Some((2, false)), "{written}");
        }
    }
}
