//! The engine on wgpu: every adapter that speaks Vulkan, Metal, Direct3D 12 or OpenGL. One file a kernel.

mod buffers;
mod catalogue;
mod clock;
mod context;
mod faults;
pub(crate) mod guard;
mod kept_pipelines;
mod kernel;
mod pipelines;
mod program;
#[cfg(test)]
mod tests;
mod tiles;
mod trips;
pub(crate) mod user;

mod activate;
mod activation_gradient;
mod advance;
mod argmax;
mod batch_matmul;
mod column_sums;
mod count_correct;
mod cross_entropy;
mod curve_features;
mod directional_gradient;
mod fill;
mod formula;
mod gather;
mod head;
mod loss_differences;
mod loss_gradient;
mod matmul;
mod mean;
mod moved_affine;
mod multiply_add;
mod one_hot;
mod perturb;
mod precise_affine;
mod probe_behind;
mod probe_curve;
mod probe_difference;
mod probe_fused;
mod probe_list;
mod probe_single;
mod probe_sums;
mod probe_through;
mod row_range;
mod shift;
mod softmax;
mod staging;
mod sum_of_squares;
mod update;

use std::collections::HashMap;
use std::path::PathBuf;

use self::buffers::Buffers;
use self::clock::Clock;
use self::context::Context;
use self::kept_pipelines::KeptPipelines;
use self::kernel::Dispatch;
use self::pipelines::Pipelines;
use self::probe_sums::ProbeSums;
use self::program::{Ahead, Program};
use super::fusion::{Head, Layer, Probes};
use super::op::Op;
use super::recording::Recording;
use super::tensor::{BufferId, Span};
use super::{Backend, OpenOptions, ProgramId, ReadId};
use crate::device::{AdapterSummary, DeviceInfo, DeviceKind};
use crate::{Error, Result};

pub use tiles::{DeviceClass, Family, Tiles};

#[doc(hidden)]
pub use catalogue::{ShaderVariant, shader_catalogue};

/// An adapter, opened.
pub struct GpuBackend {
    programs: HashMap<u32, Program>,
    next_program: u32,
    pipelines: Pipelines,
    buffers: Buffers,
    ahead: Ahead,
    context: Context,
}

impl GpuBackend {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`Error::Limit`] when the adapter is too small for the kernels,
    /// [`Error::Driver`] when it cannot be opened.
    pub fn open(adapter: &wgpu::Adapter, summary: &AdapterSummary, options: OpenOptions) -> Result<Self> {
        let file = options.kept.then(|| kept_pipelines::path(summary)).flatten();
        Self::open_with(adapter, summary, options, file)
    }

    /// The same, with the compiled kernels that this file holds, and others added to it at the end.
    fn open_with(
        adapter: &wgpu::Adapter,
        summary: &AdapterSummary,
        options: OpenOptions,
        file: Option<PathBuf>,
    ) -> Result<Self> {
        let context = Context::open(adapter, summary.info.clone(), options)?;
        let kept = file.and_then(|file| KeptPipelines::open(&context, file));
        Ok(Self {
            programs: HashMap::new(),
            next_program: 0,
            pipelines: Pipelines::new(kept),
            buffers: Buffers::default(),
            ahead: Ahead::default(),
            context,
        })
    }

    fn no_program(&self) -> Error {
        self.context.refused("running a program", "there is no such program, or a buffer of it was freed")
    }
}

impl Drop for GpuBackend {
    /// wgpu waits for the device when it lets go of it, and panics where that fails. So the wait is done here, where
    /// a failure is an error value; a device that is lost is left to the operating system.
    fn drop(&mut self) {
        let idle = self.context.wait(None, || "closing the device".into());
        if idle.is_ok() && !self.context.is_lost() {
            self.pipelines.keep(&self.context);
        } else {
            std::mem::forget((self.context.device.clone(), self.context.queue.clone()));
        }
    }
}

impl Backend for GpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.context.info
    }

    fn max_buffer_bytes(&self) -> u64 {
        let limits = &self.context.limits;
        limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
    }

    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        self.buffers.allocate(&self.context, bytes, label)
    }

    fn free(&mut self, buffer: BufferId) {
        self.programs.retain(|_, program| !program.uses(buffer));
        self.pipelines.forget(buffer);
        self.buffers.free(buffer);
    }

    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.buffers.write(&self.context, buffer, offset, bytes)
    }

    fn begin_read(&mut self, span: Span) -> Result<ReadId> {
        self.buffers.begin_read(&self.context, span).map(ReadId)
    }

    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>> {
        self.buffers.finish_read(&self.context, read.0)
    }

    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId> {
        // What is done the first times, and what is done from then on.
        let (mut few, mut often) = (Vec::new(), Vec::new());
        let mut add = |once: Vec<Dispatch>, faster: Option<Vec<Dispatch>>| {
            often.extend(faster.unwrap_or_else(|| once.clone()));
            few.extend(once);
        };
        let fused = Probes::of(recording.ops())?;
        // The first operation that is not done yet.
        let mut next = 0;
        for (index, (op, access)) in recording.ops().iter().zip(recording.accesses()).enumerate() {
            let access = access?;
            for &span in access.reads.iter().chain(&access.writes) {
                self.buffers.get(&self.context, span, &format!("preparing {}", op.name()))?;
            }
            if self.context.info.kind == DeviceKind::Software {
                let (most, needed) = (trips::MOST as u64, trips::trips(op) as u64);
                self.context.within("the loop trips of an invocation", most, needed, op.name())?;
            }
            if index < next || access.writes.iter().all(|span| span.start == span.end) {
                continue;
            }
            let class = self.context.tiles.class_of(op);
            let whole = fused.all_from(index);
            let sums = whole.and_then(|probes| ProbeSums::pieces(&probes, |tensor| self.buffers.floats_from(tensor)));
            if let (Some(pieces), Some(probes)) = (sums, whole) {
                add(pieces.iter().flat_map(|piece| piece.dispatches(class)).collect(), None);
                next = index + probes.ops;
            } else if let Some(probes) = fused.starting_at(index)
                && probe_fused::is_possible(&probes.behind, probes.next)
            {
                add(probe_fused::dispatches(&probes, class).into(), None);
                // All but the last.
                next = index + probes.ops - 1;
            } else if let Some(layer) = Layer::of(&recording.ops()[index..])
                && let Some(dispatch) = matmul::with_activation(&layer, class)
            {
                add(vec![dispatch], None);
                next = index + Layer::OPS;
            } else if let Some(head) = Head::of(&recording.ops()[index..]).filter(head::is_possible) {
                add(vec![head::dispatch(&head)], None);
                if let Some(op) = head.mean {
                    add(mean::dispatches(&op, class), None);
                }
                next = index + head.ops();
            } else {
                let faster = if let Op::Matmul(op) = op { matmul::often(op, class) } else { None };
                add(dispatches(op, class), faster);
            }
        }
        let often = (often != few).then_some(often);
        let program = Program::new(&self.context, &self.buffers, &mut self.pipelines, &few, often.as_deref())?;
        self.next_program = self.next_program.wrapping_add(1);
        self.programs.insert(self.next_program, program);
        Ok(ProgramId(self.next_program))
    }

    fn discard(&mut self, program: ProgramId) {
        self.programs.remove(&program.0);
    }

    fn run(&mut self, program: ProgramId, times: usize) -> Result<()> {
        match self.programs.get_mut(&program.0) {
            Some(program) => program.run(&self.context, &mut self.ahead, times),
            None => Err(self.no_program()),
        }
    }

    fn device_seconds(&mut self, program: ProgramId, times: usize) -> Result<Option<f64>> {
        self.wait()?;
        match (Clock::of(&self.context)?, self.programs.get_mut(&program.0)) {
            (Some(clock), Some(program)) => program.device_seconds(&self.context, &clock, times),
            (None, Some(_)) => Ok(None),
            (_, None) => Err(self.no_program()),
        }
    }

    fn wait(&mut self) -> Result<()> {
        self.context.wait(None, || "waiting for the device".into())?;
        self.ahead.clear();
        Ok(())
    }
}

/// The dispatches that carry an operation out.
fn dispatches(op: &Op, class: DeviceClass) -> Vec<Dispatch> {
    match op {
        Op::Gather(op) => gather::dispatches(op, class),
        Op::OneHot(op) => one_hot::dispatches(op, class),
        Op::Matmul(op) => matmul::dispatches(op, class),
        Op::MovedAffine(op) => moved_affine::dispatches(op, class),
        Op::Activate(op) => activate::dispatches(op, class),
        Op::ActivationGradient(op) => activation_gradient::dispatches(op, class),
        Op::Softmax(op) => softmax::dispatches(op, class),
        Op::CrossEntropy(op) => cross_entropy::dispatches(op, class),
        Op::SumOfSquares(op) => sum_of_squares::dispatches(op, class),
        Op::LossGradient(op) => loss_gradient::dispatches(op, class),
        Op::Mean(op) => mean::dispatches(op, class),
        Op::ColumnSums(op) => column_sums::dispatches(op, class),
        Op::Argmax(op) => argmax::dispatches(op, class),
        Op::CountCorrect(op) => count_correct::dispatches(op, class),
        Op::Update(op) => update::dispatches(op, class),
        Op::Advance(op) => advance::dispatches(op, class),
        Op::Fill(op) => fill::dispatches(op, class),
        Op::MultiplyAdd(op) => multiply_add::dispatches(op, class),
        Op::RowRange(op) => row_range::dispatches(op, class),
        Op::ProbeCurve(op) => probe_curve::dispatches(op, class),
        Op::CurveFeatures(op) => curve_features::dispatches(op, class),
        Op::ProbeList(op) => probe_list::dispatches(op, class),
        Op::PreciseAffine(op) => precise_affine::dispatches(op, class),
        Op::ProbeSingle(op) => probe_single::dispatches(op, class),
        Op::ProbeBehind(op) => probe_behind::dispatches(op, class),
        Op::ProbeThrough(op) => probe_through::dispatches(op, class),
        Op::ProbeDifference(op) => probe_difference::dispatches(op, class),
        Op::Perturb(op) => perturb::dispatches(op, class),
        Op::BatchMatmul(op) => batch_matmul::dispatches(op, class),
        Op::Shift(op) => shift::dispatches(op, class),
        Op::LossDifferences(op) => loss_differences::dispatches(op, class),
        Op::DirectionalGradient(op) => directional_gradient::dispatches(op, class),
        Op::Formula(op) => formula::dispatches(op, class),
    }
}
