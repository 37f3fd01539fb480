//! Compiled kernels and their bindings, each made once: pipelines by shader and constants, bind groups by what they
//! bind, uniform parameters by their content.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::buffers::Buffers;
use super::context::Context;
use super::kept_pipelines::KeptPipelines;
use super::kernel::{Binding, Dispatch};
use crate::Result;
use crate::backend::tensor::{BufferId, Span};

/// Which bindings are written, and whether parameters stand behind them: what a layout depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Signature {
    written: Vec<bool>,
    parameters: bool,
}

/// A shader with values for its constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Variant {
    source: Cow<'static, str>,
    constants: Vec<(&'static str, u64)>,
    signature: Signature,
}

/// What a dispatch is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Bound {
    signature: Signature,
    spans: Vec<Span>,
    parameters: Vec<u32>,
}

#[derive(Clone)]
struct Layout {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// Everything that dispatches share.
#[derive(Default)]
pub(super) struct Pipelines {
    layouts: HashMap<Signature, Layout>,
    modules: HashMap<Cow<'static, str>, wgpu::ShaderModule>,
    pipelines: HashMap<Variant, wgpu::ComputePipeline>,
    groups: HashMap<Bound, wgpu::BindGroup>,
    parameters: HashMap<Vec<u32>, wgpu::Buffer>,
    kept: Option<KeptPipelines>,
}

impl Pipelines {
    /// With those of earlier starts.
    pub(super) fn new(kept: Option<KeptPipelines>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Keeps what was compiled for later starts.
    pub(super) fn keep(&self, context: &Context) {
        if let Some(kept) = self.kept.as_ref().filter(|_| !self.pipelines.is_empty()) {
            kept.keep(context);
        }
    }

    /// Compiles what these dispatches need and is not there yet, on all cores.
    pub(super) fn compile(&mut self, context: &Context, dispatches: &[Dispatch]) -> Result<()> {
        let mut wanted = Vec::new();
        let mut seen = HashSet::new();
        for dispatch in dispatches {
            let variant = Variant::of(dispatch);
            if !self.pipelines.contains_key(&variant) && seen.insert(variant.clone()) {
                self.prepare_layout(context, &variant.signature)?;
                self.prepare_module(context, dispatch)?;
                wanted.push((dispatch, variant));
            }
        }
        let compile = |(dispatch, variant): &(&Dispatch, Variant)| self.pipeline(context, dispatch, variant);
        let compiled = on_all_cores(&wanted, compile);
        for ((_, variant), pipeline) in wanted.into_iter().zip(compiled) {
            self.pipelines.insert(variant, pipeline?);
        }
        Ok(())
    }

    fn prepare_layout(&mut self, context: &Context, signature: &Signature) -> Result<()> {
        if self.layouts.contains_key(signature) {
            return Ok(());
        }
        let storage = signature.written.iter().map(|&written| wgpu::BufferBindingType::Storage { read_only: !written });
        let uniform = signature.parameters.then_some(wgpu::BufferBindingType::Uniform);
        let entries: Vec<_> = storage
            .chain(uniform)
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                count: None,
            })
            .collect();
        let layout = context.create(
            || "describing a kernel's bindings".into(),
            || {
                let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
                let bindings = context.device.create_bind_group_layout(&descriptor);
                let pipeline = context.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: None,
                    bind_group_layouts: &[Some(&bindings)],
                    immediate_size: 0,
                });
                Layout { bindings, pipeline }
            },
        )?;
        self.layouts.insert(signature.clone(), layout);
        Ok(())
    }

    fn prepare_module(&mut self, context: &Context, dispatch: &Dispatch) -> Result<()> {
        if self.modules.contains_key(&dispatch.source) {
            return Ok(());
        }
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(dispatch.name),
            source: wgpu::ShaderSource::Wgsl(dispatch.source.clone()),
        };
        let action = || format!("reading the shader {}", dispatch.name);
        let module = context.create(action, || {
            if context.checks {
                return context.device.create_shader_module(descriptor);
            }
            // SAFETY: the shaders are this crate's own. They keep to their bindings, whose sizes `Op::access` has
            // checked, and to finite loops; the tests run every one of them with the checks on as well.
            unsafe { context.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        })?;
        self.modules.insert(dispatch.source.clone(), module);
        Ok(())
    }

    fn pipeline(&self, context: &Context, dispatch: &Dispatch, variant: &Variant) -> Result<wgpu::ComputePipeline> {
        let action = || format!("compiling {} {:?}", dispatch.name, dispatch.constants);
        let missing = || context.refused(&action(), "its layout or module is missing");
        let layout = self.layouts.get(&variant.signature).ok_or_else(missing)?;
        let module = self.modules.get(&dispatch.source).ok_or_else(missing)?;
        context.create(action, || {
            context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&format!("gpu-train.{}", dispatch.name)),
                layout: Some(&layout.pipeline),
                module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &dispatch.constants,
                    // Every kernel writes its workgroup memory before it reads it; filling it with zeros makes
                    // large tiles many times slower to compile on some drivers.
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.kept.as_ref().map(KeptPipelines::cache),
            })
        })
    }

    /// The compiled kernel of a dispatch and what it is bound to; [`Pipelines::compile`] came before.
    pub(super) fn bind(
        &mut self,
        context: &Context,
        buffers: &Buffers,
        dispatch: &Dispatch,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroup)> {
        let action = || format!("binding {}", dispatch.name);
        let variant = Variant::of(dispatch);
        let missing = || context.refused(&action(), "it was not compiled");
        let pipeline = self.pipelines.get(&variant).ok_or_else(missing)?.clone();
        let spans = dispatch.bindings.iter().map(Binding::span).collect();
        let bound = Bound { signature: variant.signature, spans, parameters: dispatch.parameters.clone() };
        if let Some(group) = self.groups.get(&bound) {
            return Ok((pipeline, group.clone()));
        }
        let uniform = match bound.signature.parameters {
            true => Some(self.parameters(context, &bound.parameters)?),
            false => None,
        };
        let layout = self.layouts.get(&bound.signature).ok_or_else(missing)?;
        let mut entries = Vec::with_capacity(bound.spans.len() + 1);
        for (span, binding) in bound.spans.iter().zip(0..) {
            let buffer = buffers.get(context, *span, &action())?;
            let size = std::num::NonZeroU64::new((span.end - span.start) as u64);
            let resource =
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: span.start as u64, size });
            entries.push(wgpu::BindGroupEntry { binding, resource });
        }
        if let Some(uniform) = &uniform {
            let binding = bound.spans.len() as u32;
            entries.push(wgpu::BindGroupEntry { binding, resource: uniform.as_entire_binding() });
        }
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(dispatch.name), layout: &layout.bindings, entries: &entries };
        let group = context.create(action, || context.device.create_bind_group(&descriptor))?;
        self.groups.insert(bound, group.clone());
        Ok((pipeline, group))
    }

    /// The uniform buffer with these words, padded to the 16 bytes that uniforms come in.
    fn parameters(&mut self, context: &Context, words: &[u32]) -> Result<wgpu::Buffer> {
        if let Some(buffer) = self.parameters.get(words) {
            return Ok(buffer.clone());
        }
        let mut padded = words.to_vec();
        padded.resize(words.len().next_multiple_of(4), 0);
        let bytes: &[u8] = bytemuck::cast_slice(&padded);
        let action = || "allocating a kernel's parameters".into();
        let buffer = context.create(action, || {
            let buffer = context.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("gpu-train.parameters"),
                size: bytes.len() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            context.queue.write_buffer(&buffer, 0, bytes);
            buffer
        })?;
        self.parameters.insert(words.to_vec(), buffer.clone());
        Ok(buffer)
    }

    /// Lets go of what is bound to a buffer, so that its memory can be given back.
    pub(super) fn forget(&mut self, buffer: BufferId) {
        self.groups.retain(|bound, _| bound.spans.iter().all(|span| span.buffer != buffer));
    }

    /// Whether any are kept.
    #[cfg(test)]
    pub(super) fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// How many pipelines there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.pipelines.len()
    }
}

impl Variant {
    fn of(dispatch: &Dispatch) -> Self {
        let written = dispatch.bindings.iter().map(|binding| matches!(binding, Binding::Write(_))).collect();
        Self {
            source: dispatch.source.clone(),
            constants: dispatch.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
            signature: Signature { written, parameters: !dispatch.parameters.is_empty() },
        }
    }
}

/// `map` of every item, in order, by as many threads as there are cores and items.
fn on_all_cores<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(items.len());
    if cores <= 1 {
        return items.iter().map(map).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = map(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
