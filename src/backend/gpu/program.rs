//! Prepared recordings, and how they are handed to the device: many dispatches a submission, few submissions ahead.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::buffers::Buffers;
use super::clock::Clock;
use super::context::Context;
use super::kernel::{Binding, Dispatch};
use super::pipelines::Pipelines;
use crate::Result;
use crate::backend::tensor::BufferId;

/// How long a submission should take: long enough that handing over costs little, far below the two seconds after
/// which some systems reset a device.
const SUBMISSION: Duration = Duration::from_millis(60);

/// Dispatches of a program's first submission, whose time is not known yet.
const FIRST: usize = 32;

/// Most dispatches of a submission: bounds the memory of the command buffers.
const MOST: usize = 8_192;

/// Submissions that the device may have ahead of it.
const AHEAD: usize = 3;

/// What debuggers call it.
const LABEL: Option<&str> = Some("gpu-train.run");

/// One dispatch, ready.
struct Step {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// How often a program runs before it is taken for one that runs very often: so many times a little faster make up for
/// a good part of what compiling other kernels takes.
pub(super) const FEW: usize = 64;

/// A prepared recording.
pub(super) struct Program {
    /// The first times,
    few: Vec<Step>,
    /// and from then on, where that is something else: on the same run every time, since it may round otherwise.
    often: Option<Vec<Step>>,
    /// How often it has run.
    runs: usize,
    buffers: HashSet<BufferId>,
    /// Dispatches of the next submission.
    length: usize,
}

impl Program {
    pub(super) fn new(
        context: &Context,
        buffers: &Buffers,
        pipelines: &mut Pipelines,
        few: &[Dispatch],
        often: Option<&[Dispatch]>,
    ) -> Result<Self> {
        let mut steps = |dispatches: &[Dispatch]| -> Result<Vec<Step>> {
            for dispatch in dispatches {
                check(context, buffers, dispatch)?;
            }
            pipelines.compile(context, dispatches)?;
            let step = |dispatch: &Dispatch| {
                let (pipeline, group) = pipelines.bind(context, buffers, dispatch)?;
                Ok(Step { pipeline, group, workgroups: dispatch.workgroups })
            };
            dispatches.iter().map(step).collect()
        };
        let dispatches = few.iter().chain(often.unwrap_or_default());
        let buffers = dispatches.flat_map(|dispatch| &dispatch.bindings).map(|binding| binding.span().buffer).collect();
        Ok(Self { few: steps(few)?, often: often.map(steps).transpose()?, runs: 0, buffers, length: FIRST })
    }

    pub(super) fn uses(&self, buffer: BufferId) -> bool {
        self.buffers.contains(&buffer)
    }

    /// Encodes and submits all dispatches `times` times over.
    pub(super) fn run(&mut self, context: &Context, ahead: &mut Ahead, times: usize) -> Result<()> {
        let first_times = if self.often.is_some() { FEW.saturating_sub(self.runs).min(times) } else { 0 };
        for times in [first_times, times - first_times] {
            let steps = self.steps();
            let (total, mut done) = (steps.len() * times, 0);
            let mut length = self.length;
            while done < total {
                let count = length.min(total - done);
                let submission = context.attempt(running, || {
                    let mut encoder = encoder(context);
                    encode(&mut encoder, None, steps_from(steps, done, count));
                    context.queue.submit([encoder.finish()])
                })?;
                done += count;
                if let Some((count, elapsed)) = ahead.push(context, submission, count)? {
                    length = next_length(count, elapsed);
                }
            }
            self.length = length;
            self.runs = self.runs.saturating_add(times);
        }
        Ok(())
    }

    /// What the next run does.
    fn steps(&self) -> &[Step] {
        self.often.as_ref().filter(|_| self.runs >= FEW).unwrap_or(&self.few)
    }

    /// Does the same, waits for each submission, and adds up how long they took by the device's clock; `None` where that
    /// shows nothing.
    pub(super) fn device_seconds(&mut self, context: &Context, clock: &Clock, times: usize) -> Result<Option<f64>> {
        let steps = self.steps();
        let total = steps.len() * times;
        let (mut done, mut sum) = (0, Some(0.0));
        while done < total {
            let count = self.length.min(total - done);
            let (submission, stamps) = context.attempt(running, || {
                let mut encoder = encoder(context);
                encode(&mut encoder, Some(clock), steps_from(steps, done, count));
                let stamps = clock.resolve(&mut encoder);
                (context.queue.submit([encoder.finish()]), stamps)
            })?;
            done += count;
            let seconds = clock.seconds(context, submission, stamps)?;
            sum = sum.zip(seconds).map(|(sum, seconds)| sum + seconds);
        }
        self.runs = self.runs.saturating_add(times);
        Ok(sum)
    }
}

/// `count` dispatches from one of them on, the program over and over.
fn steps_from(steps: &[Step], first: usize, count: usize) -> impl Iterator<Item = &Step> {
    steps.iter().cycle().skip(first % steps.len().max(1)).take(count)
}

fn running() -> String {
    "running a program".into()
}

/// The length of submissions that take [`SUBMISSION`], from what one of `count` dispatches took. The first dispatches
/// of a kernel say little, since some drivers compile then; growth is bounded, and the next measurement corrects it.
fn next_length(count: usize, elapsed: Duration) -> usize {
    let factor = SUBMISSION.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
    ((count as f64 * factor.min(8.0)) as usize).clamp(FIRST / 4, MOST)
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: LABEL })
}

fn encode<'a>(encoder: &mut wgpu::CommandEncoder, clock: Option<&Clock>, steps: impl Iterator<Item = &'a Step>) {
    let timestamp_writes = clock.map(Clock::writes);
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: LABEL, timestamp_writes });
    let mut bound: Option<&Step> = None;
    for step in steps {
        if bound.is_none_or(|bound| bound.pipeline != step.pipeline) {
            pass.set_pipeline(&step.pipeline);
        }
        if bound.is_none_or(|bound| bound.group != step.group) {
            pass.set_bind_group(0, &step.group, &[]);
        }
        let [x, y, z] = step.workgroups;
        pass.dispatch_workgroups(x, y, z);
        bound = Some(step);
    }
}

/// What a shader and WebGPU rely on, checked before a bind group is made of it.
fn check(context: &Context, buffers: &Buffers, dispatch: &Dispatch) -> Result<()> {
    let (limits, action) = (&context.limits, format!("preparing {}", dispatch.name));
    for &workgroups in &dispatch.workgroups {
        let most = limits.max_compute_workgroups_per_dimension.into();
        context.within("maxComputeWorkgroupsPerDimension", most, workgroups.into(), dispatch.name)?;
    }
    for (index, binding) in dispatch.bindings.iter().enumerate() {
        let span = binding.span();
        buffers.get(context, span, &action)?;
        let bytes = (span.end - span.start) as u64;
        context.within("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size, bytes, dispatch.name)?;
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        if bytes == 0 || !(span.start as u64).is_multiple_of(alignment) {
            let reason = format!("{bytes} bytes from {} on cannot be bound", span.start);
            return Err(context.refused(&action, reason));
        }
        let written = |binding: &Binding| matches!(binding, Binding::Write(_));
        let mixed = |other: &Binding| other.span().buffer == span.buffer && written(other) != written(binding);
        if dispatch.bindings[..index].iter().any(mixed) {
            return Err(context.refused(&action, "one buffer is read through one binding and written through another"));
        }
    }
    Ok(())
}

/// Submissions that the device is not known to have finished, oldest first.
#[derive(Default)]
pub(super) struct Ahead {
    submissions: VecDeque<(wgpu::SubmissionIndex, Instant, usize)>,
    finished: Option<Instant>,
}

impl Ahead {
    /// Adds a submission. Where too many are ahead, waits for the oldest and tells its dispatches and its time.
    fn push(
        &mut self,
        context: &Context,
        submission: wgpu::SubmissionIndex,
        dispatches: usize,
    ) -> Result<Option<(usize, Duration)>> {
        self.submissions.push_back((submission, Instant::now(), dispatches));
        if self.submissions.len() <= AHEAD {
            return Ok(None);
        }
        let Some((oldest, submitted, dispatches)) = self.submissions.pop_front() else { return Ok(None) };
        context.wait(Some(oldest), running)?;
        let from = self.finished.map_or(submitted, |finished| finished.max(submitted));
        let now = Instant::now();
        self.finished = Some(now);
        Ok(Some((dispatches, now - from)))
    }

    /// The device has finished everything.
    pub(super) fn clear(&mut self) {
        self.submissions.clear();
        self.finished = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_grow_and_shrink_to_their_time() {
        let per_dispatch = Duration::from_micros(100);
        let mut length = FIRST;
        for _ in 0..10 {
            length = next_length(length, per_dispatch * length as u32);
        }
        assert_eq!(length, 600);
        assert_eq!(next_length(600, Duration::from_secs(3)), 12);
        assert_eq!(next_length(8_000, Duration::from_micros(1)), MOST);
        assert!(next_length(1, Duration::from_secs(100)) > 0);
    }
}
