//! Every adapter that wgpu finds on this machine.

use super::{DeviceInfo, DeviceKind};

/// An adapter, for people and for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Its number, as `--device` takes it.
    pub index: usize,
    /// What it is.
    pub info: DeviceInfo,
    /// Driver and version.
    pub driver: String,
    /// Features that matter to compute kernels.
    pub features: Vec<String>,
    /// Limits that matter, by the names that WebGPU gives them.
    pub limits: Vec<(&'static str, u64)>,
}

/// All adapters: real GPUs first, discrete before integrated ones, then software adapters.
#[must_use]
pub fn list() -> Vec<AdapterSummary> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters.iter().enumerate().map(|(index, adapter)| summary(index, adapter)).collect()
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn summary(index: usize, adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let kind = if info.device_type == wgpu::DeviceType::Cpu { DeviceKind::Software } else { DeviceKind::Gpu };
    let named = [
        (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
        (wgpu::Features::SHADER_F16, "shader-f16"),
        (wgpu::Features::SUBGROUP, "subgroups"),
    ];
    AdapterSummary {
        index,
        info: DeviceInfo { kind, name: info.name, backend: info.backend.to_str().to_owned() },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        features: named.iter().filter(|(flag, _)| features.contains(*flag)).map(|(_, name)| (*name).into()).collect(),
        limits: vec![
            ("maxComputeInvocationsPerWorkgroup", limits.max_compute_invocations_per_workgroup.into()),
            ("maxComputeWorkgroupStorageSize", limits.max_compute_workgroup_storage_size.into()),
            ("maxStorageBuffersPerShaderStage", limits.max_storage_buffers_per_shader_stage.into()),
            ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
            ("maxBufferSize", limits.max_buffer_size),
        ],
    }
}
