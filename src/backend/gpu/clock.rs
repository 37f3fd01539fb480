//! The device's own clock, where it has one.

use super::context::Context;
use super::staging::Staged;
use crate::Result;

/// What wgpu asks of a device with a clock.
pub(super) const FEATURE: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

/// Bytes of two timestamps.
const BYTES: u64 = 16;

/// Tells when a submission began and when it ended.
pub(super) struct Clock {
    stamps: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Seconds of a tick.
    tick: f64,
}

impl Clock {
    /// The clock; `None` where the device has none.
    pub(super) fn of(context: &Context) -> Result<Option<Self>> {
        if !context.device.features().contains(FEATURE) {
            return Ok(None);
        }
        let buffer = |label, usage| {
            let descriptor =
                wgpu::BufferDescriptor { label: Some(label), size: BYTES, usage, mapped_at_creation: false };
            context.device.create_buffer(&descriptor)
        };
        let clock = context.create(reading, || Self {
            stamps: context.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("gpu-train.stamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer("gpu-train.resolved", wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            staging: buffer("gpu-train.stamped", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
            tick: f64::from(context.queue.get_timestamp_period()) * 1e-9,
        })?;
        Ok((clock.tick > 0.0).then_some(clock))
    }

    /// What a pass writes its beginning and end with.
    pub(super) fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.stamps,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    /// Has the stamps brought to the host when what was encoded before is done.
    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) -> Staged {
        encoder.resolve_query_set(&self.stamps, 0..2, &self.resolved, 0);
        Staged::copy(encoder, &self.resolved, 0, BYTES, self.staging.clone())
    }

    /// The seconds between the stamps of a submission; `None` where they make no sense.
    pub(super) fn seconds(
        &self,
        context: &Context,
        submission: wgpu::SubmissionIndex,
        stamps: Staged,
    ) -> Result<Option<f64>> {
        let (stamps, _) = stamps.take::<u64>(context, submission, reading)?;
        Ok(match stamps[..] {
            [begun, ended] if ended > begun => Some((ended - begun) as f64 * self.tick),
            _ => None,
        })
    }
}

fn reading() -> String {
    "reading the device's clock".into()
}
