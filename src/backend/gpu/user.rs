//! Shaders that are not this crate's own. All checks of indices and loops stay on, and nothing is assumed of what they
//! do: each dispatch is a submission of its own that is waited for.

use super::GpuBackend;
use super::kernel::folded;
use crate::Result;
use crate::backend::tensor::{BufferId, Span};
use crate::backend::{Backend, ReadId};
use crate::device::DeviceInfo;

/// Invocations of a workgroup in `shaders/user`.
pub(crate) const WORKGROUP: usize = 64;

/// Compiled modules of `shaders/user`: `@binding(0)` and `(1)` are read, `(2)` is written, `(3)` are four words.
pub(crate) struct UserShader {
    pipelines: Vec<wgpu::ComputePipeline>,
    layout: wgpu::BindGroupLayout,
    words: wgpu::Buffer,
    backend: GpuBackend,
}

impl UserShader {
    /// Compiles these entry points of these sources; their numbers count through all.
    ///
    /// # Errors
    /// [`Error::Driver`](crate::Error::Driver) where the driver refuses what naga took.
    pub(crate) fn new(backend: GpuBackend, modules: &[(&str, &[&str])]) -> Result<Self> {
        let context = &backend.context;
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let bindings = [
            entry(0, storage(true)),
            entry(1, storage(true)),
            entry(2, storage(false)),
            entry(3, wgpu::BufferBindingType::Uniform),
        ];
        let label = Some("gpu-train.user");
        let describing = || "describing a user's shader".into();
        let (layout, pipeline_layout, words) = context.create(describing, || {
            let device = &context.device;
            let layout =
                device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &bindings });
            let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let words = device.create_buffer(&wgpu::BufferDescriptor {
                label,
                size: 16,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            (layout, pipeline, words)
        })?;
        let compiling = || "compiling a user's shader".into();
        let pipelines = context.create(compiling, || {
            let mut pipelines = Vec::new();
            for (source, entries) in modules {
                let source = wgpu::ShaderSource::Wgsl((*source).into());
                let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
                pipelines.extend(entries.iter().map(|entry| {
                    context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                        label,
                        layout: Some(&pipeline_layout),
                        module: &module,
                        entry_point: Some(entry),
                        compilation_options: wgpu::PipelineCompilationOptions::default(),
                        cache: None,
                    })
                }));
            }
            pipelines
        })?;
        Ok(Self { pipelines, layout, words, backend })
    }

    /// The device, for another shader.
    pub(crate) fn into_backend(self) -> GpuBackend {
        self.backend
    }

    pub(crate) fn info(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// A buffer of at least so many bytes.
    pub(crate) fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        self.backend.allocate(bytes, label)
    }

    /// Writes from the first byte on.
    pub(crate) fn write(&mut self, buffer: BufferId, bytes: &[u8]) -> Result<()> {
        self.backend.write(buffer, 0, bytes)
    }

    /// Runs the entry point of that number for `count` invocations (or some more, up to a workgroup), and begins to read the first `bytes` of what it
    /// wrote.
    pub(crate) fn run(
        &mut self,
        entry: usize,
        [read, also_read, written]: [BufferId; 3],
        words: [u32; 4],
        count: usize,
        bytes: usize,
    ) -> Result<ReadId> {
        let running = || "running a user's shader".to_string();
        let GpuBackend { context, buffers, .. } = &self.backend;
        let whole = |buffer| Span { buffer, start: 0, end: 0 };
        let bound = [read, also_read, written].map(|buffer| buffers.get(context, whole(buffer), &running()));
        let [first, second, third] = bound;
        let (first, second, third) = (first?, second?, third?);
        let [x, y, z] = folded(count.div_ceil(WORKGROUP));
        let pipeline = &self.pipelines[entry.min(self.pipelines.len() - 1)];
        context.attempt(running, || {
            let resources = [first, second, third, &self.words];
            let entries: Vec<_> = resources
                .iter()
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
                .collect();
            let label = Some("gpu-train.user");
            let descriptor = wgpu::BindGroupDescriptor { label, layout: &self.layout, entries: &entries };
            let group = context.device.create_bind_group(&descriptor);
            context.queue.write_buffer(&self.words, 0, bytemuck::cast_slice(&words));
            let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(x, y, z);
            drop(pass);
            context.queue.submit([encoder.finish()])
        })?;
        self.backend.begin_read(Span { buffer: written, start: 0, end: bytes })
    }

    /// The floats that were read.
    pub(crate) fn finish(&mut self, read: ReadId) -> Result<Vec<f32>> {
        Ok(bytemuck::cast_vec(self.backend.finish_read(read)?))
    }
}
