//! `gpu-train devices`: every adapter, which one is taken by default, and which kernels are the fastest on each.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::interrupt::{Interrupt, Watch};
use super::options::OutputOptions;
use super::{Failure, Outcome, paths};
use crate::backend::gpu::Family;
use crate::backend::{FamilyTuning, Tuning};
use crate::device::{self, AdapterSummary, Choice, DeviceInfo, Selector};
use crate::report::{self, Counter, significant, table};
use crate::{Error, Result, bench};

pub(super) const EXAMPLES: &str = "\
Examples:
  gpu-train devices                          What there is, and whether it was tuned
  gpu-train devices --tune                   Measure which kernels are the fastest on each adapter, and keep that
  gpu-train devices --tune --device software The same for one of them";

/// The options of `gpu-train devices`.
#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Measure in a few seconds which tiles make each family of kernels the fastest on each adapter, and keep that in the
    /// user's cache folder for all runs to come. Other tiles add in another order: the same seed gives the same bits on the
    /// same device with the same tuning
    #[arg(long, help_heading = "Device")]
    tune: bool,
    /// Tune this adapter only: gpu, software, an index or part of a name [default: each that can be opened]
    #[arg(long, requires = "tune", help_heading = "Device")]
    device: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    adapters: Vec<Adapter>,
    auto: Auto,
}

#[derive(Serialize)]
struct Adapter {
    index: usize,
    name: String,
    kind: &'static str,
    driver: String,
    backend: String,
    features: Vec<String>,
    /// By the names that WebGPU gives them.
    limits: Map<String, Value>,
    /// `null` where it was never tuned.
    tuning: Option<TuningRecord>,
}

/// What a tuning run found, as it is kept and used.
#[derive(Serialize)]
struct TuningRecord {
    file: PathBuf,
    families: Vec<FamilyTuning>,
}

impl TuningRecord {
    /// What is kept of an adapter.
    fn of(adapter: &AdapterSummary) -> Option<Self> {
        let (file, families) = (Tuning::path(adapter).ok()?, Tuning::kept(adapter)?.families().to_vec());
        Some(Self { file, families })
    }
}

impl From<AdapterSummary> for Adapter {
    fn from(adapter: AdapterSummary) -> Self {
        let tuning = TuningRecord::of(&adapter);
        let AdapterSummary { index, info, driver, features, limits, .. } = adapter;
        let limits = limits.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect();
        let DeviceInfo { kind, name, backend } = info;
        Self { index, name, kind: kind.name(), driver, backend, features, limits, tuning }
    }
}

/// What `--device auto` takes.
#[derive(Serialize)]
struct Auto {
    /// The adapter's index; `null` for the CPU path.
    index: Option<usize>,
    reason: String,
}

impl Devices {
    /// Lists the adapters, tuned before where that is asked for.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let adapters = device::list();
        if self.tune {
            self.tune(&adapters)?;
        }
        let selection = device::select(&Selector::Auto, &adapters)?;
        let index = match selection.choice {
            Choice::Adapter(index) => Some(index),
            Choice::Cpu => None,
        };
        let document = Document {
            command: "devices",
            adapters: adapters.into_iter().map(Adapter::from).collect(),
            auto: Auto { index, reason: selection.reason },
        };
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text())?;
        }
        Ok(Outcome::Done)
    }

    /// Tunes the adapters that are meant. Where that is all of them, those that cannot be are passed over with a warning.
    fn tune(&self, adapters: &[AdapterSummary]) -> Result<()> {
        let named = self.device.as_deref().map(|device| {
            let Ok(selector) = device.parse::<Selector>();
            device::select(&selector, adapters).map(|selection| selection.choice)
        });
        let choice = named.transpose()?;
        let meant: Vec<_> = match choice {
            None => adapters.iter().collect(),
            Some(Choice::Cpu) => Vec::new(),
            Some(Choice::Adapter(index)) => adapters.iter().filter(|adapter| adapter.index == index).collect(),
        };
        if meant.is_empty() {
            let why = if choice.is_some() { "" } else { "no adapter was found, and " };
            self.note(&format!("{why}the CPU path has nothing to tune: it takes what the processor offers"));
            return Ok(());
        }
        for adapter in &meant {
            check_place(adapter)?;
        }
        let interrupt = Interrupt::listen();
        let mut failed = None;
        let mut tuned = 0;
        for adapter in meant {
            match self.tune_one(adapter, &interrupt) {
                Ok(()) => tuned += 1,
                Err(error @ (Error::Interrupted | Error::Io { .. } | Error::Config { .. })) => return Err(error),
                Err(error) if choice.is_some() => return Err(error),
                Err(error) => {
                    report::warning(&format!("adapter {} is not tuned: {error}", adapter.index));
                    failed = Some(error);
                }
            }
        }
        failed.filter(|_| tuned == 0).map_or(Ok(()), Err)
    }

    /// Measures an adapter and keeps what is found.
    fn tune_one(&self, adapter: &AdapterSummary, interrupt: &Interrupt) -> Result<()> {
        self.note(&format!("tuning adapter {} ({}, {})", adapter.index, adapter.info.name, adapter.info.backend));
        let progress = (!self.output.quiet).then(|| Counter::new("family", Family::ALL.len() as u64));
        let mut watch = Watch { interrupt, progress };
        let tuned = bench::tune(adapter, &mut watch)?;
        drop(watch);
        for warning in &tuned.warnings {
            report::warning(&format!("adapter {}: {warning}", adapter.index));
        }
        tuned.tuning.keep(adapter).map_err(not_kept)
    }

    fn note(&self, text: &str) {
        if !self.output.quiet {
            report::note(text);
        }
    }
}

/// Whether what is found can be kept; asked before anything is measured.
fn check_place(adapter: &AdapterSummary) -> Result<()> {
    let file = Tuning::path(adapter)?;
    let folder = file.parent().map_or(Ok(()), paths::check_folder_possible);
    folder.and_then(|()| if file.exists() { paths::check_replaceable(&file) } else { Ok(()) }).map_err(not_kept)
}

fn not_kept(error: Error) -> Error {
    Error::config_hint(
        format!("the tuning cannot be kept: {error}"),
        "it is kept in the user's cache folder; on Linux XDG_CACHE_HOME names another (an absolute path)",
    )
}

impl Adapter {
    /// What was chosen for each family, and by what figures.
    fn tuning_text(&self) -> String {
        let Some(tuning) = &self.tuning else {
            return "   not tuned: gpu-train devices --tune measures which kernels are the fastest here\n".into();
        };
        let time = |seconds: Option<f64>| seconds.map_or("-".into(), |seconds| significant(seconds * 1e3));
        let rows = tuning.families.iter().map(|found| {
            let FamilyTuning { family, tiles, gpu_seconds, software_seconds } = found;
            [family.name().into(), tiles.name().into(), time(*gpu_seconds), time(*software_seconds)]
        });
        let found = table(["tuned", "tiles", "gpu, ms", "software, ms"], &rows.collect::<Vec<_>>());
        found.lines().map(|line| format!("   {line}\n")).collect()
    }
}

impl Document {
    fn text(&self) -> String {
        let taken = |index: Option<usize>| if self.auto.index == index { "auto" } else { "" }.to_string();
        let mut rows: Vec<_> = self
            .adapters
            .iter()
            .map(|adapter| {
                let Adapter { index, name, kind, driver, backend, .. } = adapter;
                [index.to_string(), taken(Some(*index)), (*kind).into(), backend.clone(), name.clone(), driver.clone()]
            })
            .collect();
        let none = String::new;
        rows.push(["cpu".into(), taken(None), "cpu".into(), "native".into(), "this processor".into(), none()]);
        let mut text = table(["", "", "kind", "backend", "name", "driver"], &rows);
        for adapter in &self.adapters {
            let limits: Vec<_> = adapter.limits.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let features = adapter.features.join(", ");
            text.push_str(&format!("\n{}  {}\n   {}\n", adapter.index, features, limits.join(", ")));
            text.push_str(&adapter.tuning_text());
        }
        text.push_str(&format!("\nauto: {}\n", self.auto.reason));
        text
    }
}
