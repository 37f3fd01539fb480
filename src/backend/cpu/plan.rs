//! From a recording to what the threads do: tasks, the parts that they are cut into, and which may be done together.
//!
//! A mini-batch that is gathered from bytes is mostly zeros (81% of MNIST). Where a recording multiplies what it has
//! gathered, the gathering also lists the inputs that are not zero, and the products go through the lists.

use super::nonzeros::Nonzeros;
use super::team::Schedule;
use crate::Result;
use crate::backend::op::{Gather, Matmul, Op};
use crate::backend::recording::Recording;
use crate::backend::tensor::{BufferId, Span, Tensor};

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    /// An operation as it was recorded.
    Op(Op),
    /// A gathering that also lists what is not zero.
    Gather(Gather, Nonzeros),
    /// A product of the listed inputs with a weight.
    Forward(Matmul, Nonzeros),
    /// A product of the listed inputs, transposed, with something by samples: a weight's gradient.
    Gradient(Matmul, Nonzeros),
}

/// A recording that was checked and cut into parts.
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    pub(super) schedule: Schedule,
    /// Lists that were allocated for it.
    pub(super) lists: Vec<Nonzeros>,
}

/// Floating-point operations below which another thread is not worth calling: a few microseconds.
const WORTH_SHARING: usize = 40_000;

/// Parts a thread: with more than one, a thread that falls behind leaves some to the others.
const PARTS_EACH: usize = 2;

impl Plan {
    /// Plans for so many threads. `allocate` makes room for lists of inputs of that shape.
    pub(super) fn new(
        recording: &Recording,
        threads: usize,
        mut allocate: impl FnMut(Tensor) -> Result<Nonzeros>,
    ) -> Result<Self> {
        let ops = recording.ops();
        let mut tasks: Vec<Task> = ops.iter().cloned().map(Task::Op).collect();
        let mut lists = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            let Op::Gather(gather) = op else { continue };
            let products = products_of(ops, index, gather)?;
            if products.is_empty() {
                continue;
            }
            let nonzeros = allocate(gather.inputs)?;
            lists.push(nonzeros);
            tasks[index] = Task::Gather(*gather, nonzeros);
            for (index, product) in products {
                tasks[index] =
                    if product.transpose_a { Task::Gradient(product, nonzeros) } else { Task::Forward(product, nonzeros) };
            }
        }
        let schedule = schedule(&tasks, threads)?;
        Ok(Self { tasks, schedule, lists })
    }
}

impl Plan {
    /// Whether a task touches a buffer.
    pub(super) fn uses(&self, buffer: BufferId) -> bool {
        self.tasks.iter().any(|task| {
            task.touched().is_ok_and(|touched| touched.iter().any(|(span, _)| span.buffer == buffer))
        })
    }
}

/// The products of what operation `index` gathers, as long as nobody else writes there.
fn products_of(ops: &[Op], index: usize, gather: &Gather) -> Result<Vec<(usize, Matmul)>> {
    let inputs = gather.inputs;
    let mut products = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        if place != index && op.access()?.writes.iter().any(|span| span.overlaps(&inputs.span())) {
            return Ok(Vec::new());
        }
        match op {
            Op::Matmul(product) if place > index && product.a == inputs && !product.transpose_b => {
                products.push((place, *product));
            }
            _ => {}
        }
    }
    Ok(products)
}

/// Groups of tasks that do not touch what another one of the group writes.
fn schedule(tasks: &[Task], threads: usize) -> Result<Schedule> {
    let mut schedule = Schedule::default();
    let mut group = Vec::new();
    let mut since: Vec<(Span, bool)> = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let touched = task.touched()?;
        let conflict = touched.iter().any(|(span, write)| {
            since.iter().any(|(earlier, written)| (*write || *written) && span.overlaps(earlier))
        });
        if conflict {
            schedule.push(&group, threads);
            group.clear();
            since.clear();
        }
        since.extend(touched);
        group.push((index, parts(task, threads)));
    }
    schedule.push(&group, threads);
    Ok(schedule)
}

/// Parts that a task is cut into.
fn parts(task: &Task, threads: usize) -> usize {
    if threads == 1 { 1 } else { (task.work() / WORTH_SHARING + 1).min(threads * PARTS_EACH) }
}

impl Task {
    /// What it touches, and whether it writes there.
    fn touched(&self) -> Result<Vec<(Span, bool)>> {
        let (op, read, written) = match self {
            Self::Op(op) => (op.clone(), None, None),
            Self::Gather(op, nonzeros) => ((*op).into(), None, Some(nonzeros)),
            Self::Forward(op, nonzeros) | Self::Gradient(op, nonzeros) => ((*op).into(), Some(nonzeros), None),
        };
        let access = op.access()?;
        let mut touched: Vec<_> = access.reads.into_iter().map(|span| (span, false)).collect();
        touched.extend(access.writes.into_iter().map(|span| (span, true)));
        touched.extend(read.into_iter().flat_map(Nonzeros::spans).map(|span| (span, false)));
        touched.extend(written.into_iter().flat_map(Nonzeros::spans).map(|span| (span, true)));
        Ok(touched)
    }

    /// How much there is to do, in floating-point operations or what takes as long, roughly.
    fn work(&self) -> usize {
        /// An exponential, a logarithm or a division and what goes with it.
        const FUNCTION: usize = 16;
        match self {
            Self::Gather(op, _) => 2 * op.inputs.len(),
            // A fifth of the inputs, usually.
            Self::Forward(op, _) | Self::Gradient(op, _) => op.shape().iter().product::<usize>() / 2,
            Self::Op(op) => match op {
                Op::Gather(op) => op.inputs.len(),
                Op::Matmul(op) => 2 * op.shape().iter().product::<usize>(),
                Op::ProbeCurve(op) => {
                    let curves = op.layer.pre_activations.len();
                    curves * op.nodes * (op.layer.y.columns + 2) * FUNCTION
                }
                Op::Activate(op) => op.x.len() * FUNCTION,
                Op::ActivationGradient(op) => op.x.len() * FUNCTION,
                Op::Softmax(op) => op.x.len() * FUNCTION,
                Op::CurveFeatures(op) => 4 * op.out.len(),
                // Nothing, mostly, but where there is something it is much.
                Op::ProbeSingle(op) => op.weight_gradient.len() * 16,
                Op::PreciseAffine(op) => op.weight.len() * 16,
                Op::ProbeList(op) => 2 * op.samples * op.units,
                Op::OneHot(op) => op.out.len(),
                Op::CrossEntropy(op) => op.y.len() + op.out.len() * FUNCTION,
                Op::SumOfSquares(op) => 3 * op.y.len(),
                Op::LossGradient(op) => 6 * op.y.len(),
                Op::ColumnSums(op) => op.x.len(),
                Op::Argmax(op) => op.x.len(),
                Op::Update(op) => 2 * op.parameters.len() * (1 + 4 * op.rule.state_blocks()),
                Op::Fill(op) => op.out.len(),
                Op::RowRange(op) => op.x.len(),
                Op::Mean(_) | Op::CountCorrect(_) | Op::Advance(_) => 1,
            },
        }
    }
}
