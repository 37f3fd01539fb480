//! An open adapter: its device and queue, what it allows, and the calls that wait for it.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{Fault, Faults};
use super::guard::{guarded, one_line};
use super::tiles::{DeviceClass, Tiles};
use super::{clock, kept_pipelines};
use crate::backend::OpenOptions;
use crate::device::DeviceInfo;
use crate::{Error, Result};

/// How long one submission may take. They are cut to a small part of a second, so whoever takes longer hangs; the
/// margin is for drivers that compile kernels at their first dispatch.
const PATIENCE: Duration = Duration::from_secs(120);

/// A limit's name, what is needed of it, and what a device allows.
type Needed = (&'static str, u64, fn(&wgpu::Limits) -> u64);

/// What the kernels need, as WebGPU names it: they stay within the defaults of that standard, which nearly every
/// device reaches.
const NEEDED: [Needed; 7] = [
    ("maxComputeInvocationsPerWorkgroup", 256, |limits| limits.max_compute_invocations_per_workgroup.into()),
    ("maxComputeWorkgroupSizeX", 256, |limits| limits.max_compute_workgroup_size_x.into()),
    ("maxComputeWorkgroupStorageSize", 16_384, |limits| limits.max_compute_workgroup_storage_size.into()),
    ("maxStorageBuffersPerShaderStage", 8, |limits| limits.max_storage_buffers_per_shader_stage.into()),
    ("maxComputeWorkgroupsPerDimension", 65_535, |limits| limits.max_compute_workgroups_per_dimension.into()),
    ("maxStorageBufferBindingSize", 1 << 20, |limits| limits.max_storage_buffer_binding_size),
    ("maxUniformBufferBindingSize", 4_096, |limits| limits.max_uniform_buffer_binding_size),
];

/// Bytes of the largest buffer: shaders count bytes and words in 32 bits.
const LARGEST: u64 = u32::MAX as u64 & !15;

/// Bind groups alive at once. Direct3D 12 sets memory aside for as many bindings as are asked for.
const BINDINGS: u32 = 100_000;

/// What is asked for where there is any.
const OPTIONAL: wgpu::Features = clock::FEATURE.union(kept_pipelines::FEATURE);

/// A device, and what is known of it.
pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) info: DeviceInfo,
    pub(super) tiles: Tiles,
    /// Whether shaders check their indices and loops.
    pub(super) checks: bool,
    faults: Arc<Faults>,
}

impl Context {
    pub(super) fn open(adapter: &wgpu::Adapter, info: DeviceInfo, options: OpenOptions) -> Result<Self> {
        let failed = |reason: String| Error::Driver {
            device: info.name.clone(),
            action: "opening the device".into(),
            reason: one_line(&reason),
        };
        let mut limits = guarded(|| adapter.limits()).map_err(failed)?;
        check_limits(&limits, &info.name)?;
        limits.max_non_sampler_bindings = limits.max_non_sampler_bindings.min(BINDINGS);
        limits.max_buffer_size = limits.max_buffer_size.min(LARGEST);
        limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(LARGEST);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpu-train"),
            required_limits: limits.clone(),
            required_features: OPTIONAL & adapter.features(),
            // The few buffers are large and get memory of their own; blocks for many small ones would lie idle.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let opened = guarded(|| pollster::block_on(adapter.request_device(&descriptor))).map_err(failed)?;
        let (device, queue) = opened.map_err(|error| failed(error.to_string()))?;
        let faults = Arc::new(Faults::default());
        let noted = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| noted.note(error.into())));
        let noted = Arc::clone(&faults);
        device.set_device_lost_callback(move |_, reason| noted.note(Fault::Lost(one_line(&reason))));
        let suited = Tiles::of(DeviceClass::suited(info.kind));
        let (tiles, checks) = (options.tiles.unwrap_or(suited), options.shader_checks);
        Ok(Self { device, queue, limits, info, tiles, checks, faults })
    }

    /// Calls wgpu; whatever it or the driver reports, be it as a value, through a callback or by a panic, comes
    /// back as the error of having tried `action`.
    pub(super) fn attempt<T>(&self, action: impl Fn() -> String, call: impl FnOnce() -> T) -> Result<T> {
        let result = guarded(call);
        if let Err(reason) = &result {
            // Nothing is known of the device's state any more.
            self.faults.note(Fault::Lost(reason.clone()));
        }
        match (self.faults.take(), result) {
            (None, Ok(value)) => Ok(value),
            (Some(fault), _) => Err(fault.into_error(&self.info.name, &action())),
            (None, Err(reason)) => Err(Fault::Lost(reason).into_error(&self.info.name, &action())),
        }
    }

    /// As [`Context::attempt`], for calls that make something: their errors are caught where they arise, on any
    /// thread, and do not touch the device.
    pub(super) fn create<T>(&self, action: impl Fn() -> String, call: impl FnOnce() -> T) -> Result<T> {
        let caught = self.attempt(&action, || {
            let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
            let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
            let value = call();
            let errors = [validation.pop(), internal.pop()].map(pollster::block_on);
            let memory = pollster::block_on(memory.pop());
            match memory.into_iter().chain(errors.into_iter().flatten()).next() {
                None => Ok(value),
                Some(error) => Err(Fault::from(error)),
            }
        })?;
        caught.map_err(|fault| fault.into_error(&self.info.name, &action()))
    }

    /// Waits for a submission, or for everything.
    pub(super) fn wait(&self, submission: Option<wgpu::SubmissionIndex>, action: impl Fn() -> String) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index: submission, timeout: Some(PATIENCE) };
        let polled = self.attempt(&action, || self.device.poll(poll))?;
        polled.map(drop).map_err(|error| match error {
            wgpu::PollError::Timeout => self.refused(&action(), format!("no answer for {} s", PATIENCE.as_secs())),
            error => self.refused(&action(), error.to_string()),
        })
    }

    /// An [`Error::Driver`] of this device.
    pub(super) fn refused(&self, action: &str, reason: impl Into<String>) -> Error {
        Error::Driver { device: self.info.name.clone(), action: action.into(), reason: reason.into() }
    }

    /// An [`Error::Limit`] of this device unless `needed` is within the limit.
    pub(super) fn within(&self, limit: &'static str, available: u64, needed: u64, what: &str) -> Result<()> {
        if needed <= available {
            return Ok(());
        }
        Err(Error::Limit { device: self.info.name.clone(), limit, available, needed, what: what.into() })
    }

    pub(super) fn is_lost(&self) -> bool {
        self.faults.is_lost()
    }
}

/// Whether a device allows what the kernels need.
fn check_limits(limits: &wgpu::Limits, device: &str) -> Result<()> {
    for (limit, needed, available) in NEEDED {
        let available = available(limits);
        if available < needed {
            let (device, what) = (device.to_owned(), "the kernels".into());
            return Err(Error::Limit { device, limit, available, needed, what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_too_small_is_refused_with_the_limits_name() {
        assert!(check_limits(&wgpu::Limits::default(), "any").is_ok(), "WebGPU's defaults are enough");
        let small = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::default() };
        let error = check_limits(&small, "tiny").expect_err("four buffers are too few");
        assert_eq!(error.to_string(), "tiny: maxStorageBuffersPerShaderStage is 4, but 8 is needed for the kernels");
    }
}
