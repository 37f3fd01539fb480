//! `gpu-train bench`: how fast a device is, headless, and what share of what it can do that is.

mod export;
mod text;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::interrupt::{Interrupt, Watch};
use super::options::{DeviceOptions, OutputOptions, PlotOptions};
use super::paths;
use super::record::DeviceRecord;
use super::{Failure, Outcome};
use crate::bench::{self, Baseline, Ceilings, Comparison, Plan, Row, Suite};
use crate::report::{self, Counter, roofline_figure};
use crate::{Error, Result};
use export::Format;

pub(super) const EXAMPLES: &str = "\
Examples:
  gpu-train bench --quick                               fifteen seconds on the device that would train
  gpu-train bench --suite kernels --filter matmul --plot roofline.svg
  gpu-train bench --export before.json                  then, after a change or an update of the driver:
  gpu-train bench --baseline before.json                exit code 1 where a row is slower by more than a fifth";

/// The options of `gpu-train bench`.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// What to measure: kernels, gradient, train, data, as a list [default: all of them]
    #[arg(long, value_name = "SUITES", value_delimiter = ',', help_heading = "Rows", hide_possible_values = true)]
    suite: Vec<Suite>,
    /// Only rows in whose suite, name or shape this text occurs, such as matmul or 784-50-10
    #[arg(long, value_name = "TEXT", help_heading = "Rows")]
    filter: Option<String>,
    /// Fewer and smaller rows, and less time for each: 15 seconds in all
    #[arg(long, help_heading = "Rows")]
    quick: bool,
    /// Of everything that is drawn
    #[arg(long, value_name = "NUMBER", default_value_t = 42, help_heading = "Rows")]
    seed: u64,
    /// An earlier --export of JSON: each row's time as a multiple of the one there, and exit code 1 past --max-slowdown
    #[arg(long, value_name = "FILE.json", help_heading = "Comparison")]
    baseline: Option<PathBuf>,
    /// The largest multiple that is accepted, half of what a bare dispatch costs aside
    #[arg(long, value_name = "RATIO", default_value_t = 1.2, help_heading = "Comparison", value_parser = slowdown)]
    #[arg(requires = "baseline", allow_negative_numbers = true)]
    max_slowdown: f64,
    /// Write the results here, as JSON (.json), a table for spreadsheets (.csv) or for documents (.md)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    export: Option<PathBuf>,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

fn slowdown(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if ratio.is_finite() && ratio >= 1.0 => Ok(ratio),
        _ => Err(format!("{text:?} is no ratio of 1 or more")),
    }
}

/// What `--json` and `--export FILE.json` hold.
#[derive(Debug, Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    device: DeviceRecord,
    /// Of the CPU path, where they were said.
    threads: Option<usize>,
    quick: bool,
    seed: u64,
    ceilings: Ceilings,
    results: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
    /// Of this process; `null` where the system does not tell it.
    peak_memory_bytes: Option<u64>,
    seconds: f64,
    interrupted: bool,
}

impl Bench {
    /// Measures.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let format = self.export.as_deref().map(Format::of).transpose().map_err(Failure::Usage)?;
        self.plot.checked().map_err(Failure::Usage)?;
        let plan = self.plan().map_err(Failure::Usage)?;
        let baseline = self.baseline(&plan)?;
        for file in [self.export.as_deref(), self.plot.file()].into_iter().flatten() {
            paths::check_replaceable(file)?;
        }
        let interrupt = Interrupt::listen();
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        if let Some(before) = baseline.as_ref().and_then(Baseline::device)
            && before != opened.backend.info().name
        {
            report::warning(&format!("the baseline was measured on {before}"));
        }
        let rows = plan.labels().count() as u64;
        let progress = (!self.output.quiet).then(|| Counter::new("row", rows));
        let mut watch = Watch { interrupt: &interrupt, progress };
        let compared = baseline.as_ref().map(|baseline| (baseline, self.max_slowdown));
        let report = plan.run(opened.backend.as_mut(), &mut watch, compared)?;
        drop(watch);
        let comparison = baseline.map(|baseline| baseline.compare(&report, self.max_slowdown));
        let document = Document {
            command: "bench",
            version: env!("CARGO_PKG_VERSION"),
            device,
            threads: self.device.threads(),
            quick: self.quick,
            seed: self.seed,
            ceilings: report.ceilings,
            results: report.results,
            comparison,
            peak_memory_bytes: bench::peak_memory(),
            seconds: begun.elapsed().as_secs_f64(),
            interrupted: report.interrupted,
        };
        self.tell(&document, format)?;
        let slower = document.comparison.as_ref().map_or(0, Comparison::slower);
        Ok(match (document.interrupted, slower) {
            (true, _) => Outcome::Interrupted,
            (false, 0) => Outcome::Done,
            (false, _) => Outcome::Refuted,
        })
    }

    /// The rows.
    ///
    /// # Errors
    /// [`Error::Config`] where the filter leaves none.
    fn plan(&self) -> Result<Plan> {
        let suites = if self.suite.is_empty() { Suite::ALL.to_vec() } else { self.suite.clone() };
        let options = |filter| bench::Options {
            suites: suites.clone(),
            filter,
            quick: self.quick,
            seed: self.seed,
            memory: self.device.memory,
        };
        let plan = Plan::new(&options(self.filter.clone()));
        if plan.labels().next().is_none() {
            let mut names: Vec<_> = Plan::new(&options(None)).labels().collect();
            names.truncate(4);
            return Err(Error::config_hint(
                format!("no row is called {:?}", self.filter.as_deref().unwrap_or_default()),
                format!("rows are called such as: {}", names.join("; ")),
            ));
        }
        Ok(plan)
    }

    /// The rows of the earlier run.
    ///
    /// # Errors
    /// As [`Baseline::read`]; [`Error::Config`] where none of them is measured now.
    fn baseline(&self, plan: &Plan) -> Result<Option<Baseline>> {
        let Some(path) = &self.baseline else { return Ok(None) };
        let baseline = Baseline::read(path)?;
        if !plan.labels().any(|label| baseline.has(&label)) {
            return Err(Error::config_hint(
                format!("baseline {} has none of the rows that would be measured", path.display()),
                "the same --suite, --filter and --quick as when it was written",
            ));
        }
        Ok(Some(baseline))
    }

    /// Writes and prints what was found.
    fn tell(&self, document: &Document, format: Option<Format>) -> Result<()> {
        if let (Some(path), Some(format)) = (self.export.as_deref(), format) {
            format.write(document, path)?;
        }
        self.plot.save(|| roofline_figure(&document.device.name, &document.ceilings, &document.results))?;
        for warning in text::warnings(document) {
            report::warning(&warning);
        }
        if self.output.json {
            report::json(document)?;
        } else {
            report::print(&text::results(document))?;
            let written = [self.export.as_deref(), self.plot.file()].into_iter().flatten();
            written
                .map(Path::display)
                .filter(|_| !self.output.quiet)
                .for_each(|path| report::note(&format!("wrote {path}")));
        }
        Ok(())
    }
}
