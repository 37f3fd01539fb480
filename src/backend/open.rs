//! From what was asked for to a device that is ready.

use super::Backend;
use super::cpu::CpuBackend;
use crate::Result;
use crate::device::{Selector, list, select};

/// What a device is opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Threads of the CPU path; `None`: all cores.
    pub threads: Option<usize>,
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

/// Opens the device that `selector` means.
///
/// # Errors
/// [`Error::NoDevice`](crate::Error::NoDevice) when there is none such that this version can use.
pub fn open(selector: &Selector, options: OpenOptions) -> Result<Opened> {
    // Asking drivers takes longer than the first training step, and some write to stderr; the native path needs none.
    let native = matches!(selector, Selector::Cpu | Selector::Auto);
    let adapters = if native { Vec::new() } else { list() };
    let selection = select(selector, &adapters)?;
    let backend = Box::new(CpuBackend::new(options.threads));
    Ok(Opened { backend, reason: selection.reason, warnings: Vec::new() })
}
