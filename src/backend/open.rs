//! From what was asked for to a device that is ready and computes rightly.

use std::cell::Cell;

use super::Backend;
use super::cpu::CpuBackend;
use super::gpu::{GpuBackend, Tiles};
use super::self_test::self_test;
use super::tuning::Tuning;
use crate::device::{AdapterSummary, Choice, Selector, adapters, select};
use crate::{Error, Result};

/// What a device is opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Threads of the CPU path; `None`: all cores.
    pub threads: Option<usize>,
    /// Adapters only: shaders check every index and bound every loop. Slower; for tests and for hunting faults.
    pub shader_checks: bool,
    /// Adapters only: whose tiles and workgroups the kernels use; `None`: what was kept of the adapter, where `kept` asks
    /// for it, else what suits devices of its kind.
    ///
    /// Other tiles add in another order: the same seed gives the same bits on the same device with the same tiles.
    pub tiles: Option<Tiles>,
    /// Adapters only: whether what the user's cache folder may hold of the adapter is used, and added to, as the program
    /// does: its [`Tuning`], and kernels that its driver compiled.
    pub kept: bool,
}

/// An open device.
pub struct Opened {
    /// Ready to work.
    pub backend: Box<dyn Backend>,
    /// Why this one, in one line, and whether it was tuned.
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
    let (summaries, adapters): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let tuned = Cell::new(false);
    let open_one = |summary: &AdapterSummary| {
        let adapter = adapters.get(summary.index).ok_or_else(|| gone(summary.index))?;
        let kept = options.kept.then(|| Tuning::kept(summary)).flatten().filter(|_| options.tiles.is_none());
        let tiles = kept.as_ref().map(Tuning::tiles).or(options.tiles);
        let backend = open_gpu(adapter, summary, OpenOptions { tiles, ..options })?;
        tuned.set(kept.is_some());
        Ok(Box::new(backend) as Box<dyn Backend>)
    };
    let mut opened = open_first(selector, summaries, options.threads, open_one)?;
    if tuned.get() {
        opened.reason.push_str(", tuned");
    }
    Ok(opened)
}

/// Opens what the selector means by `open_one`; what fails is passed over where any device will do.
fn open_first(
    selector: &Selector,
    mut left: Vec<AdapterSummary>,
    threads: Option<usize>,
    open_one: impl Fn(&AdapterSummary) -> Result<Box<dyn Backend>>,
) -> Result<Opened> {
    let mut warnings = Vec::new();
    loop {
        let selection = select(selector, &left)?;
        let Choice::Adapter(index) = selection.choice else {
            let backend = Box::new(CpuBackend::new(threads));
            return Ok(Opened { backend, reason: selection.reason, warnings });
        };
        let position = left.iter().position(|summary| summary.index == index).ok_or_else(|| gone(index))?;
        let error = match open_one(&left.remove(position)) {
            Ok(backend) => return Ok(Opened { backend, reason: selection.reason, warnings }),
            Err(error) if *selector == Selector::Auto => error,
            Err(error) => return Err(error),
        };
        let next = match select(selector, &left)?.choice {
            Choice::Adapter(next) => format!("trying adapter {next}"),
            Choice::Cpu => "using the CPU path".into(),
        };
        let told = match error {
            Error::SelfTest { device, kernel, got, expected } => {
                let device = format!("adapter {index} ({device})");
                Error::SelfTest { device, kernel, got, expected }.to_string()
            }
            error => format!("adapter {index}: {error}"),
        };
        warnings.push(format!("{told}; {next}"));
    }
}

fn gone(index: usize) -> Error {
    Error::NoDevice {
        problem: format!("adapter {index} is gone"),
        hint: "gpu-train devices lists what is there".into(),
    }
}

fn open_gpu(adapter: &wgpu::Adapter, summary: &AdapterSummary, options: OpenOptions) -> Result<GpuBackend> {
    let mut backend = GpuBackend::open(adapter, summary, options)?;
    self_test(&mut backend)?;
    Ok(backend)
}

/// Opens an adapter for shaders that are not this crate's own, and says why this one. [`Selector::Auto`] takes the best
/// GPU, else a software adapter: the CPU path has no shaders.
///
/// # Errors
/// [`Error::NoDevice`] where there is no adapter; else as [`open`].
pub(crate) fn open_for_shaders(selector: &Selector) -> Result<(GpuBackend, String)> {
    let (summaries, adapters): (Vec<_>, Vec<_>) = adapters().into_iter().unzip();
    let without = |problem: &str| Error::NoDevice {
        problem: format!("WGSL runs on an adapter, and {problem}"),
        hint: "a GPU's Vulkan driver is one; without a GPU, on Debian or Ubuntu: apt install mesa-vulkan-drivers \
               libvulkan1, and --device software"
            .into(),
    };
    if *selector == Selector::Cpu {
        return Err(without("the CPU path is none"));
    }
    if summaries.is_empty() {
        return Err(without("none was found"));
    }
    let mut selection = select(selector, &summaries)?;
    if *selector == Selector::Auto && selection.choice == Choice::Cpu {
        selection = select(&Selector::Software, &summaries)?;
        selection.reason = selection.reason.replace("as asked for", "since no GPU was found");
    }
    let chosen =
        summaries.iter().zip(&adapters).find(|(summary, _)| selection.choice == Choice::Adapter(summary.index));
    let (summary, adapter) = chosen.ok_or_else(|| without("none was found"))?;
    Ok((open_gpu(adapter, summary, OpenOptions::default())?, selection.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceInfo, DeviceKind};

    /// Two GPUs, and a software adapter.
    fn summaries() -> Vec<AdapterSummary> {
        let kinds = [DeviceKind::Gpu, DeviceKind::Gpu, DeviceKind::Software];
        let summary = |(index, kind)| AdapterSummary {
            index,
            info: DeviceInfo { kind, name: format!("card {index}"), backend: "vulkan".into() },
            driver: String::new(),
            vendor: 0,
            device: 0,
            features: Vec::new(),
            limits: Vec::new(),
        };
        kinds.into_iter().enumerate().map(summary).collect()
    }

    fn wrong(summary: &AdapterSummary) -> Result<Box<dyn Backend>> {
        Err(Error::SelfTest { device: summary.info.name.clone(), kernel: "matmul", got: 0.0, expected: 12.5 })
    }

    #[test]
    fn auto_passes_over_what_computes_wrongly_and_says_so() {
        let opened = open_first(&Selector::Auto, summaries(), None, wrong).expect("the CPU path is always there");
        assert_eq!(opened.backend.info().kind, DeviceKind::Cpu);
        assert_eq!(
            opened.warnings,
            [
                "adapter 0 (card 0) computes matmul wrongly (got 0, expected 12.5); trying adapter 1",
                "adapter 1 (card 1) computes matmul wrongly (got 0, expected 12.5); using the CPU path",
            ]
        );
        let second = |summary: &AdapterSummary| match summary.index {
            0 => wrong(summary),
            _ => Ok(Box::new(CpuBackend::new(Some(1))) as Box<dyn Backend>),
        };
        let opened = open_first(&Selector::Auto, summaries(), None, second).expect("the second one works");
        assert_eq!((opened.warnings.len(), opened.reason.contains("adapter 1")), (1, true), "{}", opened.reason);
    }

    #[test]
    fn what_is_asked_for_by_name_is_not_replaced() {
        for selector in [Selector::Gpu, Selector::Software, Selector::Index(1), Selector::Name("card 2".into())] {
            match open_first(&selector, summaries(), None, wrong) {
                Err(Error::SelfTest { kernel, .. }) => assert_eq!(kernel, "matmul"),
                other => panic!("{selector:?}: {:?}", other.map(|opened| opened.reason)),
            }
        }
    }
}
