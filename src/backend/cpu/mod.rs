//! The native path: the same kernels as in `shaders/`, as Rust that needs no driver. One file a kernel.

mod activate;
mod activation_gradient;
mod advance;
mod argmax;
mod batch_matmul;
mod behind;
mod column_sums;
mod count_correct;
mod cross_entropy;
mod curve_features;
mod cut;
mod directional_gradient;
mod estimate;
mod fill;
mod formula;
pub(crate) mod formula_blocks;
mod gather;
mod groups;
mod lanes;
mod listed;
mod loss_change;
mod loss_differences;
mod loss_gradient;
mod math;
mod matmul;
mod mean;
mod memory;
mod moved_affine;
mod multiply_add;
mod nonzeros;
mod normal;
mod one_hot;
mod packing;
mod packs;
mod perturb;
mod plan;
mod precise_affine;
mod prefetch;
mod probe_behind;
mod probe_curve;
mod probe_difference;
mod probe_fused;
mod probe_list;
mod probe_single;
mod probe_through;
mod row_range;
mod shift;
mod simd;
mod softmax;
mod sum_of_squares;
mod team;
mod unit_sums;
mod update;
pub(crate) mod wide;
mod wide_math;
pub(crate) mod wide_matmul;

use std::collections::HashMap;

use self::cut::Cut;
use self::gather::NextBatch;
use self::memory::{Storage, View};
use self::plan::{Plan, Task};
use self::team::Worker;
use super::op::Op;
use super::recording::Recording;
use super::tensor::{BufferId, Span};
use super::{Backend, ProgramId, ReadId};
use crate::device::{DeviceInfo, DeviceKind};
use crate::{Error, Result};

/// The processor itself as a device.
pub struct CpuBackend {
    info: DeviceInfo,
    buffers: Vec<Option<Storage>>,
    programs: HashMap<u32, Plan>,
    reads: HashMap<u32, Vec<u32>>,
    scratches: Vec<Vec<f32>>,
    next_id: u32,
}

impl CpuBackend {
    /// A backend of so many threads; `None`: as many as there are cores. The number changes no bit of any result.
    #[must_use]
    pub fn new(threads: Option<usize>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.unwrap_or_else(cores).clamp(1, 256);
        Self {
            info: DeviceInfo { kind: DeviceKind::Cpu, name: processor_name(), backend: "native".into() },
            buffers: Vec::new(),
            programs: HashMap::new(),
            reads: HashMap::new(),
            scratches: vec![Vec::new(); threads],
            next_id: 0,
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    fn storage(&self, buffer: BufferId) -> Option<&Storage> {
        self.buffers.get(buffer.0 as usize)?.as_ref()
    }

    fn misuse(&self, action: &str, reason: impl Into<String>) -> Error {
        Error::Driver { device: self.info.name.clone(), action: action.into(), reason: reason.into() }
    }

    /// Gives back what was allocated for a program.
    fn release(&mut self, plan: &Plan) {
        for buffer in &plan.buffers {
            self.buffers[buffer.0 as usize] = None;
        }
    }

    fn check_span(&self, action: &str, span: Span) -> Result<&Storage> {
        let Some(storage) = self.storage(span.buffer) else {
            return Err(self.misuse(action, "there is no such buffer"));
        };
        if span.start > span.end || span.end > storage.len() {
            let reason = format!("bytes {}..{} of a buffer of {}", span.start, span.end, storage.len());
            return Err(self.misuse(action, reason));
        }
        Ok(storage)
    }
}

impl Backend for CpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn max_buffer_bytes(&self) -> u64 {
        isize::MAX as u64
    }

    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        let Some(storage) = Storage::zeroed(bytes) else {
            let action = format!("allocating {bytes} bytes for {label}");
            return Err(Error::OutOfMemory { device: self.info.name.clone(), action });
        };
        let slot = self.buffers.iter().position(Option::is_none).unwrap_or(self.buffers.len());
        if slot == self.buffers.len() {
            self.buffers.push(None);
        }
        self.buffers[slot] = Some(storage);
        Ok(BufferId(slot as u32))
    }

    fn free(&mut self, buffer: BufferId) {
        if let Some(slot) = self.buffers.get_mut(buffer.0 as usize) {
            *slot = None;
        }
        // The slot may be given to another buffer; a program that meant this one must not find that.
        let (with, without) = self.programs.drain().partition(|(_, plan)| plan.uses(buffer));
        self.programs = without;
        for (_, plan) in HashMap::<u32, Plan>::into_iter(with) {
            self.release(&plan);
        }
    }

    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        let end = offset.saturating_add(bytes.len());
        self.check_span("a write", Span { buffer, start: offset, end })?;
        if let Some(Some(storage)) = self.buffers.get_mut(buffer.0 as usize) {
            storage.bytes_mut()[offset..end].copy_from_slice(bytes);
        }
        Ok(())
    }

    fn begin_read(&mut self, span: Span) -> Result<ReadId> {
        let words = bytemuck::pod_collect_to_vec(&self.check_span("a read", span)?.bytes()[span.start..span.end]);
        let id = self.id();
        self.reads.insert(id, words);
        Ok(ReadId(id))
    }

    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>> {
        self.reads.remove(&read.0).ok_or_else(|| self.misuse("a read", "it was not begun here"))
    }

    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId> {
        for (op, access) in recording.ops().iter().zip(recording.accesses()) {
            let access = access?;
            let action = format!("preparing {}", op.name());
            for &span in access.reads.iter().chain(&access.writes) {
                self.check_span(&action, span)?;
            }
        }
        let threads = self.scratches.len();
        let plan = Plan::new(recording, threads, &mut |floats| self.allocate(floats * 4, "a program"))?;
        let id = self.id();
        self.programs.insert(id, plan);
        Ok(ProgramId(id))
    }

    fn discard(&mut self, program: ProgramId) {
        if let Some(plan) = self.programs.remove(&program.0) {
            self.release(&plan);
        }
    }

    fn run(&mut self, program: ProgramId, times: usize) -> Result<()> {
        let Some(plan) = self.programs.get(&program.0) else {
            return Err(self.misuse("running a program", "there is no such program, or a buffer of it was freed"));
        };
        let view = View::new(&self.buffers);
        team::run(&plan.once, &plan.schedule, times, &mut self.scratches, |task, worker| {
            plan.tasks[task].execute(&view, worker);
        });
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Task {
    /// One part of the task.
    fn execute(&self, view: &View<'_>, worker: &mut Worker<'_>) {
        match self {
            Self::Op(op) => execute(op, view, worker),
            Self::Gather(op, nonzeros) => gather::run_and_list(op, nonzeros, view, worker),
            Self::Pack(weight, packed) => listed::pack(*weight, *packed, view, worker),
            Self::PackFactor(op, cut, packed) => cut::pack_common(op, *cut, *packed, view, worker),
            Self::Product(op, cut, packed) => matmul::run(op, *cut, *packed, view, worker),
            Self::Forward(op, nonzeros, packed, gather) => {
                listed::forward(op, nonzeros, *packed, &NextBatch::of(gather, view), view, worker);
            }
            Self::Transpose(weight, transposed) => probe_fused::transpose(*weight, *transposed, view, worker),
            Self::ProbeFused(op) => probe_fused::run(op, view, worker),
            Self::Gradient(op, nonzeros) => listed::gradient(op, nonzeros, view, worker),
        }
    }
}

/// One part of an operation.
fn execute(op: &Op, view: &View<'_>, worker: &mut Worker<'_>) {
    match op {
        Op::Gather(op) => gather::run(op, view, worker),
        Op::OneHot(op) => one_hot::run(op, view, worker),
        Op::Matmul(op) => matmul::run(op, Cut::longer(op), None, view, worker),
        Op::MovedAffine(op) => moved_affine::run(op, view, worker),
        Op::Activate(op) => activate::run(op, view, worker),
        Op::ActivationGradient(op) => activation_gradient::run(op, view, worker),
        Op::Softmax(op) => softmax::run(op, view, worker),
        Op::CrossEntropy(op) => cross_entropy::run(op, view, worker),
        Op::SumOfSquares(op) => sum_of_squares::run(op, view, worker),
        Op::LossGradient(op) => loss_gradient::run(op, view, worker),
        Op::Mean(op) => mean::run(op, view, worker),
        Op::ColumnSums(op) => column_sums::run(op, view, worker),
        Op::Argmax(op) => argmax::run(op, view, worker),
        Op::CountCorrect(op) => count_correct::run(op, view, worker),
        Op::Update(op) => update::run(op, view, worker),
        Op::Advance(op) => advance::run(op, view, worker),
        Op::Fill(op) => fill::run(op, view, worker),
        Op::MultiplyAdd(op) => multiply_add::run(op, view, worker),
        Op::RowRange(op) => row_range::run(op, view, worker),
        Op::ProbeCurve(op) => probe_curve::run(op, view, worker),
        Op::CurveFeatures(op) => curve_features::run(op, view, worker),
        Op::ProbeList(op) => probe_list::run(op, view, worker),
        Op::PreciseAffine(op) => precise_affine::run(op, view, worker),
        Op::ProbeSingle(op) => probe_single::run(op, view, worker),
        Op::ProbeBehind(op) => probe_behind::run(op, view, worker),
        Op::ProbeThrough(op) => probe_through::run(op, view, worker),
        Op::ProbeDifference(op) => probe_difference::run(op, view, worker),
        Op::Perturb(op) => perturb::run(op, view, worker),
        Op::BatchMatmul(op) => batch_matmul::run(op, view, worker),
        Op::Shift(op) => shift::run(op, view, worker),
        Op::LossDifferences(op) => loss_differences::run(op, view, worker),
        Op::DirectionalGradient(op) => directional_gradient::run(op, view, worker),
        Op::Formula(op) => formula::run(op, view, worker),
    }
}

/// The processor's name where the system tells it.
fn processor_name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    told.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
