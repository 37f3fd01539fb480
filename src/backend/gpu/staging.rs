//! Bytes of the device brought to the host through a staging buffer, which is mapped when the submission is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::Pod;

use super::context::Context;
use crate::Result;

/// `bytes` bytes of a buffer, on their way to the start of a staging buffer.
pub(super) struct Staged {
    staging: wgpu::Buffer,
    bytes: u64,
    mapped: Arc<AtomicBool>,
}

impl Staged {
    /// Encodes the copy, from byte `start` of `source` on.
    pub(super) fn copy(
        encoder: &mut wgpu::CommandEncoder,
        source: &wgpu::Buffer,
        start: u64,
        bytes: u64,
        staging: wgpu::Buffer,
    ) -> Self {
        encoder.copy_buffer_to_buffer(source, start, &staging, 0, bytes);
        let mapped = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&mapped);
        encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, 0..bytes, move |result| {
            set.store(result.is_ok(), Ordering::Release);
        });
        Self { staging, bytes, mapped }
    }

    /// Waits for the submission that the copy was encoded for, and gives what came and the staging buffer back.
    pub(super) fn take<T: Pod>(
        self,
        context: &Context,
        submission: wgpu::SubmissionIndex,
        action: impl Fn() -> String + Copy,
    ) -> Result<(Vec<T>, wgpu::Buffer)> {
        let Self { staging, bytes, mapped } = self;
        context.wait(Some(submission), action)?;
        if !mapped.load(Ordering::Acquire) {
            return Err(context.refused(&action(), "the staging buffer could not be mapped"));
        }
        let copied = context.attempt(action, || {
            let view = staging.get_mapped_range(0..bytes);
            view.map(|view| bytemuck::pod_collect_to_vec(&view)).map_err(|error| error.to_string())
        })?;
        let copied = copied.map_err(|reason| context.refused(&action(), reason))?;
        context.attempt(action, || staging.unmap())?;
        Ok((copied, staging))
    }
}
