//! Creates the pipelines that GPUs are given, and submits nothing: what their compilers make of the kernels can be read off
//! where a driver prints it. Of each kernel the variant of the usual run: sigmoid or ReLU, the cross entropy, curves at one
//! pair of points.
//!
//!     cargo build --example pipelines

use gpu_train::backend::gpu::{ShaderVariant, shader_catalogue};

/// Whether a GPU is given this in a usual run.
fn is_usual(variant: &ShaderVariant) -> bool {
    let constant = |name: &str| variant.constants.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let among = |name: &str, values: &[f64]| constant(name).is_none_or(|value| values.contains(&value));
    let for_gpus = !matches!(variant.name, "matmul" | "matmul_vectors")
        && (variant.name != "probe_fused" || constant("WORKGROUP") == Some(64.0));
    for_gpus
        && (variant.name != "column_sums" || among("LANES", &[16.0]))
        && among("ACTIVATION", &[1.0, 3.0])
        && among("OUTPUT", &[0.0])
        && among("NODES", &[1.0])
        && among("RANGED", &[0.0])
        && among("SHORT", &[1.0])
        && among("CLASSES", &[10.0])
        && among("CONTINUED", &[0.0])
        && (variant.name == "matmul_tiled" || among("WIDE", &[0.0]))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().next().ok_or("no Vulkan adapter")?;
    let (device, _queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    for variant in shader_catalogue().iter().filter(|variant| is_usual(variant)) {
        let constants: Vec<_> = variant.constants.iter().map(|(name, value)| format!("{name}={value}")).collect();
        eprintln!("== entry {} {}", variant.name, constants.join(" "));
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(variant.name),
            source: wgpu::ShaderSource::Wgsl(variant.source.as_ref().into()),
        };
        // SAFETY: nothing is submitted.
        let module = unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let _pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(variant.name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &variant.constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
    }
    Ok(())
}
