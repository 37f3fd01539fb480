//! `gpu-train devices`: every adapter, and which one is taken by default.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Failure, Outcome};
use crate::device::{self, AdapterSummary, Choice, Selector};
use crate::report::{self, table};

/// The options of `gpu-train devices`.
#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Results as one JSON document
    #[arg(long, help_heading = "Output")]
    json: bool,
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
}

impl From<AdapterSummary> for Adapter {
    fn from(adapter: AdapterSummary) -> Self {
        let AdapterSummary { index, info, driver, features, limits } = adapter;
        let limits = limits.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect();
        Self { index, name: info.name, kind: info.kind.name(), driver, backend: info.backend, features, limits }
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
    /// Lists the adapters.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let adapters = device::list();
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
        if self.json {
            report::json(&document)?;
        } else {
            report::print(&document.text())?;
        }
        Ok(Outcome::Done)
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
        }
        text.push_str(&format!("\nauto: {}\n", self.auto.reason));
        text
    }
}
