//! Buffers on the device, uploads in bounded pieces, and read-backs through recycled staging buffers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};

use super::context::Context;
use super::staging::Staged;
use crate::Result;
use crate::backend::tensor::{BufferId, Span, Tensor};

/// Most bytes of an upload that are on their way at once are twice this.
const PIECE: usize = 8 << 20;

/// Staging buffers kept for the next read-back.
const KEPT: usize = 4;

/// Numbers of buffers are given once in the life of the process, so that a handle of another device, or of a buffer
/// that was given back, never means one that is there. The CPU path's numbers are small ones.
static NEXT: AtomicU32 = AtomicU32::new(1 << 20);

/// A read-back under way.
struct Read {
    staged: Staged,
    bytes: u64,
    submission: wgpu::SubmissionIndex,
}

/// All buffers of a device.
#[derive(Default)]
pub(super) struct Buffers {
    buffers: HashMap<BufferId, wgpu::Buffer>,
    staging: Vec<wgpu::Buffer>,
    reads: HashMap<u32, Read>,
    next_read: u32,
}

impl Buffers {
    pub(super) fn allocate(&mut self, context: &Context, bytes: usize, label: &str) -> Result<BufferId> {
        let what = || format!("{bytes} bytes for {label}");
        let needed = bytes as u64;
        context.within("maxBufferSize", context.limits.max_buffer_size, needed, &what())?;
        let binding = context.limits.max_storage_buffer_binding_size;
        context.within("maxStorageBufferBindingSize", binding, needed, &what())?;
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size: needed.next_multiple_of(16).max(16),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        // wgpu gives buffers out zeroed.
        let action = || format!("allocating {}", what());
        let buffer = context.create(action, || context.device.create_buffer(&descriptor))?;
        let id = BufferId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.buffers.insert(id, buffer);
        Ok(id)
    }

    pub(super) fn free(&mut self, buffer: BufferId) {
        self.buffers.remove(&buffer);
    }

    /// The buffer of a range that lies within it.
    pub(super) fn get(&self, context: &Context, span: Span, action: &str) -> Result<&wgpu::Buffer> {
        let Some(buffer) = self.buffers.get(&span.buffer) else {
            return Err(context.refused(action, "there is no such buffer"));
        };
        if span.start > span.end || span.end as u64 > buffer.size() {
            let reason = format!("bytes {}..{} of a buffer of {}", span.start, span.end, buffer.size());
            return Err(context.refused(action, reason));
        }
        Ok(buffer)
    }

    /// The floats from a tensor's start to its buffer's end.
    pub(super) fn floats_from(&self, tensor: Tensor) -> usize {
        let size = self.buffers.get(&tensor.buffer).map_or(0, wgpu::Buffer::size);
        usize::try_from(size / 4).unwrap_or(usize::MAX).saturating_sub(tensor.offset)
    }

    pub(super) fn write(&self, context: &Context, id: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        let span = Span { buffer: id, start: offset, end: offset.saturating_add(bytes.len()) };
        let buffer = self.get(context, span, "a write")?;
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(context.refused("a write", format!("{} bytes from {offset} on are not words", bytes.len())));
        }
        let action = || format!("writing {} bytes", bytes.len());
        let mut on_their_way = VecDeque::new();
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            let at = (offset + index * PIECE) as u64;
            context.attempt(action, || context.queue.write_buffer(buffer, at, piece))?;
            if bytes.len() > PIECE {
                on_their_way.push_back(context.attempt(action, || context.queue.submit([]))?);
            }
            if on_their_way.len() > 1 {
                context.wait(on_their_way.pop_front(), action)?;
            }
        }
        Ok(())
    }

    pub(super) fn begin_read(&mut self, context: &Context, span: Span) -> Result<u32> {
        let source = self.get(context, span, "a read")?.clone();
        let (start, bytes) = (span.start as u64, (span.end - span.start) as u64);
        if bytes == 0 || !start.is_multiple_of(4) || !bytes.is_multiple_of(4) {
            return Err(context.refused("a read", format!("{bytes} bytes from {start} on are not words")));
        }
        let staging = self.staging(context, bytes)?;
        let (staged, submission) = context.attempt(read_action(bytes), || {
            let label = Some("gpu-train.read");
            let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
            let staged = Staged::copy(&mut encoder, &source, start, bytes, staging);
            (staged, context.queue.submit([encoder.finish()]))
        })?;
        self.next_read = self.next_read.wrapping_add(1);
        self.reads.insert(self.next_read, Read { staged, bytes, submission });
        Ok(self.next_read)
    }

    pub(super) fn finish_read(&mut self, context: &Context, read: u32) -> Result<Vec<u32>> {
        let Some(Read { staged, bytes, submission }) = self.reads.remove(&read) else {
            return Err(context.refused("a read", "it was not begun here"));
        };
        let (copied, staging) = staged.take(context, submission, read_action(bytes))?;
        if self.staging.len() == KEPT {
            self.staging.remove(0);
        }
        self.staging.push(staging);
        Ok(copied)
    }

    /// A staging buffer of at least `bytes`: the smallest kept one that is not absurdly large, or a new one.
    fn staging(&mut self, context: &Context, bytes: u64) -> Result<wgpu::Buffer> {
        let fits = |buffer: &wgpu::Buffer| (bytes..=bytes.max(4_096) * 4).contains(&buffer.size());
        let kept = (0..self.staging.len()).filter(|&index| fits(&self.staging[index]));
        if let Some(index) = kept.min_by_key(|&index| self.staging[index].size()) {
            return Ok(self.staging.swap_remove(index));
        }
        let size = bytes.next_power_of_two().clamp(4_096, context.limits.max_buffer_size.max(bytes));
        context.create(read_action(bytes), || {
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("gpu-train.staging"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }
}

fn read_action(bytes: u64) -> impl Fn() -> String + Copy {
    move || format!("reading {bytes} bytes back")
}
