//! Every adapter that wgpu finds on this machine.

use super::{DeviceInfo, DeviceKind};
use crate::backend::gpu::guard::guarded;

/// An adapter, for people and for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Its number, as `--device` takes it.
    pub index: usize,
    /// What it is.
    pub info: DeviceInfo,
    /// Driver and version.
    pub driver: String,
    /// The vendor's number, as the driver tells it.
    pub vendor: u32,
    /// The vendor's number of the device.
    pub device: u32,
    /// Features that matter to compute kernels.
    pub features: Vec<String>,
    /// Limits that matter, by the names that WebGPU gives them.
    pub limits: Vec<(&'static str, u64)>,
}

/// All adapters: real GPUs first, discrete before integrated ones, then software adapters; among equals those of
/// OpenGL last, where a GPU appears that may stand there under a better interface already.
#[must_use]
pub fn list() -> Vec<AdapterSummary> {
    adapters().into_iter().map(|(summary, _)| summary).collect()
}

/// The adapters of [`list`], with what opens them.
pub(crate) fn adapters() -> Vec<(AdapterSummary, wgpu::Adapter)> {
    // A driver that fails while it is asked is a driver that is not there.
    let of = |backends| guarded(|| enumerate(backends)).unwrap_or_default();
    let mut adapters = of(wgpu::Backends::PRIMARY);
    adapters.extend(of(wgpu::Backends::GL));
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    let numbered = adapters.into_iter().enumerate();
    numbered.map(|(index, adapter)| (summary(index, &adapter), adapter)).collect()
}

fn enumerate(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    // Old OpenGL has no compute shaders.
    adapters
        .retain(|adapter| adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS));
    adapters
}

fn rank(info: &wgpu::AdapterInfo) -> (u8, bool) {
    let kind = match (kind(info), info.device_type) {
        (DeviceKind::Gpu, wgpu::DeviceType::DiscreteGpu) => 0,
        (DeviceKind::Gpu, wgpu::DeviceType::IntegratedGpu) => 1,
        (DeviceKind::Gpu, wgpu::DeviceType::VirtualGpu) => 2,
        (DeviceKind::Gpu, _) => 3,
        _ => 4,
    };
    (kind, info.backend == wgpu::Backend::Gl)
}

/// Whether an adapter is a GPU. Drivers of OpenGL do not say so; the software ones among them have known names.
fn kind(info: &wgpu::AdapterInfo) -> DeviceKind {
    const SOFTWARE: [&str; 4] = ["llvmpipe", "softpipe", "swiftshader", "basic render driver"];
    let name = info.name.to_lowercase();
    match info.device_type {
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        _ if SOFTWARE.iter().any(|software| name.contains(software)) => DeviceKind::Software,
        _ => DeviceKind::Gpu,
    }
}

fn summary(index: usize, adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let named = [
        (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
        (wgpu::Features::SHADER_F16, "shader-f16"),
        (wgpu::Features::SUBGROUP, "subgroups"),
    ];
    AdapterSummary {
        index,
        info: DeviceInfo { kind: kind(&info), name: info.name, backend: info.backend.to_str().to_owned() },
        vendor: info.vendor,
        device: info.device,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, device_type: wgpu::DeviceType, backend: wgpu::Backend) -> wgpu::AdapterInfo {
        let mut info = wgpu::AdapterInfo::new(device_type, backend);
        info.name = name.into();
        info
    }

    #[test]
    fn gpus_come_first_and_opengl_last_among_equals() {
        use wgpu::{Backend, DeviceType};
        let mut adapters = [
            info("llvmpipe (LLVM 15)", DeviceType::Other, Backend::Gl),
            info("llvmpipe (LLVM 15)", DeviceType::Cpu, Backend::Vulkan),
            info("Arc", DeviceType::DiscreteGpu, Backend::Gl),
            info("Iris", DeviceType::IntegratedGpu, Backend::Vulkan),
            info("Arc", DeviceType::DiscreteGpu, Backend::Vulkan),
            info("Mali", DeviceType::Other, Backend::Gl),
        ];
        adapters.sort_by_key(rank);
        let order: Vec<_> = adapters.iter().map(|info| (info.name.as_str(), info.backend)).collect();
        assert_eq!(
            order,
            [
                ("Arc", Backend::Vulkan),
                ("Arc", Backend::Gl),
                ("Iris", Backend::Vulkan),
                ("Mali", Backend::Gl),
                ("llvmpipe (LLVM 15)", Backend::Vulkan),
                ("llvmpipe (LLVM 15)", Backend::Gl),
            ]
        );
        assert_eq!(kind(&adapters[3]), DeviceKind::Gpu);
        assert_eq!(kind(&adapters[5]), DeviceKind::Software);
    }

    #[test]
    fn adapters_are_numbered_in_order() {
        for (index, adapter) in list().iter().enumerate() {
            assert_eq!(adapter.index, index);
            assert!(!adapter.info.name.is_empty());
        }
    }
}
