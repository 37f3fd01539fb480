//! From what was asked for to a device that is ready and computes rightly.

use super::Backend;
use super::cpu::CpuBackend;
use super::gpu::{DeviceClass, GpuBackend};
use super::self_test::self_test;
use crate::device::{AdapterSummary, Choice, Selector, adapters, select};
use crate::{Error, Result};

/// What a device is opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Threads of the CPU path; `None`: all cores.
    pub threads: Option<usize>,
    /// Adapters only: shaders check every index and bound every loop. Slower; for tests and for hunting faults.
    pub shader_checks: bool,
    /// Adapters only: whose tiles and workgroups the kernels use; `None`: what suits the device.
    pub class: Option<DeviceClass>,
}

/// An open device.
pub struct Opened {
    /// Ready to work.
    pub backend: Box<dyn Backend>,
    /// Why this one, in one line.
    pub reason: String,
    /// What the user should know, a line each.
    pub warnings: Vec<String>,
}

/// Opens the device that `selector` means and tests that it computes known values rightly.
///
/// With [`Selector::Auto`] an adapter that fails is passed over, with a warning; the CPU path is the last resort.
///
/// # Errors
/// [`Error::NoDevice`] when nothing answers to the selector; otherwise what keeps the device from working:
/// [`Error::SelfTest`], [`Error::Limit`], [`Error::Driver`].
pub fn open(selector: &Selector, options: OpenOptions) -> Result<Opened> {
    // Asking drivers takes longer than the first training step; the native path needs none.
    let found = if *selector == Selector::Cpu { Vec::new() } else { adapters() };
    let (mut summaries, mut adapters): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let mut warnings = Vec::new();
    loop {
        let selection = select(selector, &summaries)?;
        let Choice::Adapter(index) = selection.choice else {
            let backend = Box::new(CpuBackend::new(options.threads));
            return Ok(Opened { backend, reason: selection.reason, warnings });
        };
        let Some(position) = summaries.iter().position(|summary| summary.index == index) else {
            return Err(Error::NoDevice { problem: format!("adapter {index} is gone"), hint: String::new() });
        };
        let summary: AdapterSummary = summaries.remove(position);
        let error = match open_adapter(&adapters.remove(position), &summary, options) {
            Ok(backend) => return Ok(Opened { backend, reason: selection.reason, warnings }),
            Err(error) if *selector == Selector::Auto => error,
            Err(error) => return Err(error),
        };
        let next = match select(selector, &summaries)?.choice {
            Choice::Adapter(next) => format!("trying adapter {next}"),
            Choice::Cpu => "using the CPU path".into(),
        };
        warnings.push(format!("adapter {index}: {error}; {next}"));
    }
}

fn open_adapter(adapter: &wgpu::Adapter, summary: &AdapterSummary, options: OpenOptions) -> Result<Box<dyn Backend>> {
    let mut backend = GpuBackend::open(adapter, summary.info.clone(), options)?;
    self_test(&mut backend)?;
    Ok(Box::new(backend))
}
