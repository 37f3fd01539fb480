//! From a recording to what the threads do: tasks, the parts that they are cut into, and which may be done together.
//!
//! A mini-batch that is gathered from bytes is mostly zeros (81% of MNIST). Where a recording multiplies what it has
//! gathered, the gathering also lists the inputs that are not zero, and the products go through the lists.

use std::collections::HashMap;

use super::cut::Cut;
use super::listed::packed_shape;
use super::nonzeros::Nonzeros;
use super::packs::{Packs, WORTH_PACKING};
use super::probe_fused::ProbeFused;
use super::team::Schedule;
use super::unit_sums::Panels;
use crate::Result;
use crate::backend::fusion::Probes;
use crate::backend::op::{Gather, Matmul, Op};
use crate::backend::recording::Recording;
use crate::backend::tensor::{BufferId, Span, Tensor, Words};

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    /// An operation as it was recorded.
    Op(Op),
    /// A gathering that also lists what is not zero.
    Gather(Gather, Nonzeros),
    /// A weight cut into blocks of units: from here to there.
    Pack(Tensor, Tensor),
    /// A factor of a product, packed for all parts of it: to there.
    PackFactor(Matmul, Cut, Tensor),
    /// A product cut in one way or the other, with that factor where it is packed.
    Product(Matmul, Cut, Option<Tensor>),
    /// A product of the listed inputs with a weight, which was packed; meanwhile the next batch is called for.
    Forward(Matmul, Nonzeros, Tensor, Gather),
    /// A weight transposed for probes: from here to there.
    Transpose(Tensor, Tensor),
    /// Probes through the last hidden layer.
    ProbeFused(Box<ProbeFused>),
    /// A product of the listed inputs, transposed, with something by samples: a weight's gradient.
    Gradient(Matmul, Nonzeros),
}

/// A recording that was checked and cut into parts.
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// What is the same in every round of a run, and done before the first.
    pub(super) once: Schedule,
    /// Every round.
    pub(super) schedule: Schedule,
    /// Buffers of its own.
    pub(super) buffers: Vec<BufferId>,
}

/// Floating-point operations below which another thread is not worth calling: a few microseconds.
const WORTH_SHARING: usize = 20_000;

/// Parts a thread: with more than one, a thread that falls behind leaves some to the others.
const PARTS_EACH: usize = 2;

/// Rows or columns of a product's part, with which packing the other factor for it alone is a twentieth of its work.
const LINES_A_PART: usize = 512;

impl Plan {
    /// Plans for so many threads. `allocate` gives buffers of so many floats.
    pub(super) fn new(
        recording: &Recording,
        threads: usize,
        allocate: &mut dyn FnMut(usize) -> Result<BufferId>,
    ) -> Result<Self> {
        let ops = recording.ops();
        let mut plan =
            Self { tasks: Vec::new(), once: Schedule::default(), schedule: Schedule::default(), buffers: Vec::new() };
        let mut listed: HashMap<usize, (Nonzeros, Gather)> = HashMap::new();
        let probes = Probes::of(ops)?;
        let mut transposed: HashMap<Span, Tensor> = HashMap::new();
        let mut packs = Packs::default();
        // The first operation that no task does yet.
        let mut next_op = 0;
        for (index, op) in ops.iter().enumerate() {
            if index < next_op {
                continue;
            }
            match op {
                Op::ProbeBehind(behind) => match probes.all_from(index) {
                    None => plan.tasks.push(Task::Op(op.clone())),
                    Some(probes) => {
                        next_op = index + probes.ops;
                        let transposed = match transposed.get(&behind.weight.span()) {
                            Some(&transposed) => transposed,
                            None => {
                                let (rows, columns) = Panels::shape(behind.weight);
                                let to = plan.tensor(rows, columns, allocate)?;
                                plan.tasks.push(Task::Transpose(behind.weight, to));
                                *transposed.entry(behind.weight.span()).or_insert(to)
                            }
                        };
                        plan.tasks.push(Task::ProbeFused(Box::new(ProbeFused { probes, transposed })));
                    }
                },
                Op::Gather(gather) => {
                    let products = products_of(ops, index, gather)?;
                    if products.is_empty() {
                        plan.tasks.push(Task::Op(op.clone()));
                        continue;
                    }
                    let nonzeros = plan.lists(gather.inputs, allocate)?;
                    listed.extend(products.into_iter().map(|product| (product, (nonzeros, *gather))));
                    plan.tasks.push(Task::Gather(*gather, nonzeros));
                }
                Op::Matmul(product) => match listed.get(&index) {
                    Some(&(nonzeros, _)) if product.transpose_a => plan.tasks.push(Task::Gradient(*product, nonzeros)),
                    Some(&(nonzeros, gather)) => {
                        let (rows, columns) = packed_shape(product.b);
                        let packed = plan.tensor(rows, columns, allocate)?;
                        plan.tasks.push(Task::Pack(product.b, packed));
                        plan.tasks.push(Task::Forward(*product, nonzeros, packed, gather));
                    }
                    None => packs.product(*product, threads, &mut plan, allocate)?,
                },
                _ => plan.tasks.push(Task::Op(op.clone())),
            }
        }
        let standing = &standing(&plan.tasks)?;
        let chosen = |once| (0..plan.tasks.len()).filter(move |&task: &usize| standing[task] == once);
        plan.once = schedule(&plan.tasks, chosen(true), threads)?;
        plan.schedule = schedule(&plan.tasks, chosen(false), threads)?;
        Ok(plan)
    }

    pub(super) fn tensor(
        &mut self,
        rows: usize,
        columns: usize,
        allocate: &mut dyn FnMut(usize) -> Result<BufferId>,
    ) -> Result<Tensor> {
        let buffer = allocate(rows * columns)?;
        self.buffers.push(buffer);
        Ok(Tensor { buffer, offset: 0, rows, columns })
    }

    /// Room for lists of what is not zero in such inputs.
    fn lists(&mut self, inputs: Tensor, allocate: &mut dyn FnMut(usize) -> Result<BufferId>) -> Result<Nonzeros> {
        let (samples, room) = (inputs.rows, Nonzeros::room(inputs.columns));
        let words = |tensor: Tensor| Words { buffer: tensor.buffer, offset: 0, len: tensor.len() };
        Ok(Nonzeros {
            counts: words(self.tensor(samples, 1, allocate)?),
            places: words(self.tensor(samples, room, allocate)?),
            values: self.tensor(samples, room, allocate)?,
            starts: words(self.tensor(samples, Nonzeros::sections(inputs.columns), allocate)?),
            inputs: inputs.columns,
        })
    }
}

impl Plan {
    /// Whether a task touches a buffer.
    pub(super) fn uses(&self, buffer: BufferId) -> bool {
        self.tasks
            .iter()
            .any(|task| task.touched().is_ok_and(|touched| touched.iter().any(|(span, _)| span.buffer == buffer)))
    }
}

/// The products of what operation `index` gathers, as long as nobody else writes there.
fn products_of(ops: &[Op], index: usize, gather: &Gather) -> Result<Vec<usize>> {
    let inputs = gather.inputs;
    let mut products = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        if place != index && op.access()?.writes.iter().any(|span| span.overlaps(&inputs.span())) {
            return Ok(Vec::new());
        }
        match op {
            Op::Matmul(product) if place > index && product.a == inputs && !product.transpose_b => products.push(place),
            _ => {}
        }
    }
    Ok(products)
}

/// Which tasks only prepare what stands still while the program goes through its data: a weight that is evaluated and not
/// trained. (A program that goes through nothing is run again to be measured, and its packing counts.)
fn standing(tasks: &[Task]) -> Result<Vec<bool>> {
    let advances = tasks.iter().any(|task| matches!(task, Task::Op(Op::Advance(_))));
    let touched = tasks.iter().map(Task::touched).collect::<Result<Vec<_>>>()?;
    let stands = |index: usize| {
        let others = touched.iter().enumerate().filter(|&(other, _)| other != index).flat_map(|(_, spans)| spans);
        let mut written = others.filter(|(_, write)| *write);
        !written.any(|(written, _)| touched[index].iter().any(|(span, _)| span.overlaps(written)))
    };
    let prepares = |task: &Task| matches!(task, Task::Pack(..) | Task::PackFactor(..) | Task::Transpose(..));
    Ok(tasks.iter().enumerate().map(|(index, task)| advances && prepares(task) && stands(index)).collect())
}

/// Groups of these tasks that do not touch what another one of the group writes.
fn schedule(tasks: &[Task], chosen: impl Iterator<Item = usize>, threads: usize) -> Result<Schedule> {
    let mut schedule = Schedule::default();
    let mut group = Vec::new();
    let mut since: Vec<(Span, bool)> = Vec::new();
    for (index, task) in chosen.map(|index| (index, &tasks[index])) {
        let touched = task.touched()?;
        let conflict = touched
            .iter()
            .any(|(span, write)| since.iter().any(|(earlier, written)| (*write || *written) && span.overlaps(earlier)));
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
pub(super) fn parts(task: &Task, threads: usize) -> usize {
    let each = match task {
        // Every part packs the factor that is common to all of them.
        Task::Product(op, cut, None)
            if cut.lines(op) < threads * PARTS_EACH * LINES_A_PART
                && cut.common(op).2.iter().product::<usize>() >= WORTH_PACKING =>
        {
            1
        }
        _ => PARTS_EACH,
    };
    if threads == 1 { 1 } else { (task.work() / WORTH_SHARING + 1).min(threads * each) }
}

impl Task {
    /// What it touches, and whether it writes there.
    pub(super) fn touched(&self) -> Result<Vec<(Span, bool)>> {
        let (op, read, written) = match self {
            Self::Op(op) => (op.clone(), Vec::new(), Vec::new()),
            Self::Gather(op, nonzeros) => ((*op).into(), Vec::new(), nonzeros.spans().to_vec()),
            Self::Pack(weight, packed) => return Ok(vec![(weight.span(), false), (packed.span(), true)]),
            Self::PackFactor(op, cut, packed) => {
                return Ok(vec![(cut.common(op).0.span(), false), (packed.span(), true)]);
            }
            Self::Product(op, _, packed) => ((*op).into(), packed.iter().map(Tensor::span).collect(), Vec::new()),
            Self::Forward(op, nonzeros, packed, gather) => {
                let others = [packed.span(), gather.images.span(), gather.indices.span(), gather.cursor.span()];
                ((*op).into(), nonzeros.spans().into_iter().chain(others).collect(), Vec::new())
            }
            Self::Gradient(op, nonzeros) => ((*op).into(), nonzeros.spans().to_vec(), Vec::new()),
            Self::Transpose(weight, to) => return Ok(vec![(weight.span(), false), (to.span(), true)]),
            Self::ProbeFused(op) => {
                // The moves stay in registers: neither operation's rows are touched.
                let (behind, difference) =
                    (Op::from(op.probes.behind).access()?, Op::from(op.probes.difference).access()?);
                let inner =
                    [op.probes.behind.out.span(), op.probes.difference.moves.span(), op.probes.behind.kinks.span()];
                let outer = |span: &Span| !inner.contains(span);
                let reads = behind.reads.into_iter().chain(difference.reads).filter(outer);
                let reads = reads.chain([op.probes.next.span(), op.transposed.span()]).map(|span| (span, false));
                return Ok(reads.chain(op.written().into_iter().map(|span| (span, true))).collect());
            }
        };
        let access = op.access()?;
        let reads = access.reads.into_iter().chain(read).map(|span| (span, false));
        Ok(reads.chain(access.writes.into_iter().chain(written).map(|span| (span, true))).collect())
    }

    /// How much there is to do, in floating-point operations or what takes as long, roughly.
    fn work(&self) -> usize {
        /// An exponential, a logarithm or a division and what goes with it.
        const FUNCTION: usize = 16;
        match self {
            Self::Gather(op, _) => 2 * op.inputs.len(),
            Self::Pack(weight, _) | Self::Transpose(weight, _) => weight.len(),
            Self::PackFactor(_, _, packed) => packed.len(),
            Self::Product(op, ..) => 2 * op.shape().iter().product::<usize>(),
            Self::ProbeFused(op) => op.probes.behind.out.len() * (3 + op.probes.next.columns),
            // A fifth of the inputs, usually.
            Self::Forward(op, ..) | Self::Gradient(op, _) => op.shape().iter().product::<usize>() / 2,
            Self::Op(op) => match op {
                Op::Gather(op) => op.inputs.len(),
                Op::Matmul(op) => 2 * op.shape().iter().product::<usize>(),
                Op::ProbeCurve(op) => {
                    let curves = op.layer.pre_activations.len();
                    curves * op.nodes * (op.layer.y.columns + 2) * FUNCTION
                }
                Op::MovedAffine(op) => 2 * op.out.len() * op.inputs.columns,
                Op::Perturb(op) => 4 * op.out.len(),
                Op::BatchMatmul(op) => 2 * op.out.len() * op.a.columns,
                Op::Shift(op) => op.out.len(),
                Op::LossDifferences(op) => op.logits.len() * FUNCTION,
                Op::DirectionalGradient(op) => 4 * op.out.len() * op.coefficients.rows,
                Op::Formula(op) => 2 * op.out.len() * op.program.nodes().len() * FUNCTION,
                Op::ProbeBehind(op) => op.out.len() * FUNCTION,
                Op::ProbeThrough(op) => op.x.len() * FUNCTION,
                Op::ProbeDifference(op) => op.moves.len() * FUNCTION,
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
                Op::MultiplyAdd(op) => (1 + 2 * op.rounds) * op.out.len(),
                Op::RowRange(op) => op.x.len(),
                Op::Mean(_) | Op::CountCorrect(_) | Op::Advance(_) => 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::backend::{Advance, Backend, Fill};

    /// Batches of two samples of three pixels through a weight. Packed once a run where nothing writes to the weight and the
    /// program goes through data; either way the outputs are those of the weight that is there.
    #[test]
    fn what_stands_still_is_prepared_once_a_run() {
        let wave = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
        let images = [0_u8, 51, 0, 255, 0, 0, 0, 0, 102, 0, 204, 0];
        for (advances, writes, stand) in [(true, false, 1), (true, true, 0), (false, false, 0)] {
            let mut cpu = CpuBackend::new(Some(2));
            let backend: &mut dyn Backend = &mut cpu;
            let gather = Gather {
                images: backend.bytes_from(&images, 3, "images").unwrap(),
                labels: backend.bytes_from(&[0, 1, 2, 3], 1, "labels").unwrap(),
                indices: backend.words_from(&[0, 1, 2, 3], "indices").unwrap(),
                cursor: backend.words(1, "cursor").unwrap(),
                inputs: backend.tensor(2, 3, "inputs").unwrap(),
                targets: backend.words(2, "targets").unwrap(),
            };
            let weight = backend.tensor_from(&wave(15), 3, 5, "weight").unwrap();
            let (out, step) = (backend.tensor(2, 5, "out").unwrap(), backend.words(1, "step").unwrap());
            let mut recording = Recording::new();
            recording.push(gather).unwrap();
            let (a, b) = (gather.inputs, weight);
            recording.push(Matmul { a, transpose_a: false, b, transpose_b: false, bias: None, out }).unwrap();
            if writes {
                recording.push(Fill { out: Tensor { rows: 1, ..weight }, value: 0.5 }).unwrap();
            }
            if advances {
                recording.push(Advance { cursor: gather.cursor, step }).unwrap();
            }
            let program = backend.prepare(&recording).unwrap();
            for factor in [1.0, -3.0] {
                let mut values: Vec<f32> = wave(15).iter().map(|value| value * factor).collect();
                backend.write(weight.buffer, 0, bytemuck::cast_slice(&values)).unwrap();
                backend.write_words(gather.cursor, &[0]).unwrap();
                backend.run(program, 2).unwrap();
                if writes {
                    values[..5].fill(0.5);
                }
                let images = if advances { &images[6..] } else { &images[..6] };
                let expected = |(n, unit)| -> f32 {
                    (0..3).map(|i| f32::from(images[n * 3 + i]) / 255.0 * values[i * 5 + unit]).sum()
                };
                let got = backend.read_tensor(out).unwrap();
                for (place, got) in got.iter().enumerate() {
                    assert!((got - expected((place / 5, place % 5))).abs() < 1e-6, "{place}: {got}");
                }
            }
            let tasks = &cpu.programs.values().next().expect("the program").tasks;
            assert_eq!(standing(tasks).unwrap().iter().filter(|&&stands| stands).count(), stand);
        }
    }
}
