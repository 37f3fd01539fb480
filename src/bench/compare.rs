//! Rows against those of an earlier run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::row::Row;
use super::{Ceilings, Report};
use crate::{Error, Result};

/// The rows of an earlier run.
#[derive(Debug, Clone)]
pub struct Baseline {
    path: PathBuf,
    device: Option<String>,
    rows: Vec<BaselineRow>,
}

#[derive(Debug, Deserialize)]
struct Document {
    command: String,
    #[serde(default)]
    device: Option<BaselineDevice>,
    results: Vec<BaselineRow>,
}

#[derive(Debug, Deserialize)]
struct BaselineDevice {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct BaselineRow {
    suite: String,
    name: String,
    shape: String,
    median_seconds: f64,
    min_seconds: f64,
}

impl BaselineRow {
    fn label(&self) -> String {
        format!("{} {} {}", self.suite, self.name, self.shape)
    }
}

/// A row beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRow {
    /// Suite, name and shape.
    pub row: String,
    /// The median, in the baseline's medians.
    pub ratio: f64,
    /// The fastest sample, in the baseline's fastest.
    pub ratio_of_fastest: f64,
    /// Whether both are past the largest slowdown, and by more than half of what a bare dispatch takes: what only one of
    /// them shows is noise, and a dispatch costs up to half as much again in one start of a driver as in the next.
    pub slower: bool,
}

/// All rows beside a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The baseline's file.
    pub baseline: String,
    /// The largest ratio that is accepted.
    pub max_slowdown: f64,
    /// In the order of the results.
    pub rows: Vec<ComparedRow>,
    /// Rows that the baseline does not have.
    pub only_here: Vec<String>,
    /// Rows that were not measured now.
    pub only_in_baseline: Vec<String>,
}

impl Comparison {
    /// How many rows are slower than is accepted.
    #[must_use]
    pub fn slower(&self) -> usize {
        self.rows.iter().filter(|row| row.slower).count()
    }
}

impl Baseline {
    /// Reads the JSON of an earlier run.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Config`] when it is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let refuse = |problem: &str| {
            Error::config_hint(
                format!("baseline {}: {problem}", path.display()),
                "gpu-train bench --export FILE.json writes one",
            )
        };
        let document: Document = serde_json::from_slice(&text).map_err(|error| refuse(&error.to_string()))?;
        if document.command != "bench" {
            return Err(refuse(&format!("it is of the command {:?}", document.command)));
        }
        let wrong = |row: &&BaselineRow| ![row.median_seconds, row.min_seconds].iter().all(|&time| time > 0.0);
        if let Some(row) = document.results.iter().find(wrong) {
            return Err(refuse(&format!("the times of {} are not positive", row.label())));
        }
        if document.results.is_empty() {
            return Err(refuse("it has no results"));
        }
        let device = document.device.map(|device| device.name);
        Ok(Self { path: path.to_path_buf(), device, rows: document.results })
    }

    /// The name of the device that it was measured on, where it says so.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Whether it has a row of this name.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.rows.iter().any(|row| row.label() == label)
    }

    fn compared(&self, row: &Row, max_slowdown: f64, ceilings: &Ceilings) -> Option<ComparedRow> {
        let label = row.label();
        let before = self.rows.iter().find(|before| before.label() == label)?;
        let ratio = row.median_seconds / before.median_seconds;
        let ratio_of_fastest = row.min_seconds / before.min_seconds;
        let past = |now: f64, before: f64| now > max_slowdown * before + 0.5 * ceilings.dispatch_seconds;
        let slower = past(row.median_seconds, before.median_seconds) && past(row.min_seconds, before.min_seconds);
        Some(ComparedRow { row: label, ratio, ratio_of_fastest, slower })
    }

    /// Whether a row is slower than here by more than that.
    pub(super) fn is_slower(&self, row: &Row, max_slowdown: f64, ceilings: &Ceilings) -> bool {
        self.compared(row, max_slowdown, ceilings).is_some_and(|compared| compared.slower)
    }

    /// Every row beside its own here, and those that have none.
    #[must_use]
    pub fn compare(&self, report: &Report, max_slowdown: f64) -> Comparison {
        let Report { results: rows, ceilings, .. } = report;
        let labels: Vec<_> = rows.iter().map(Row::label).collect();
        Comparison {
            baseline: self.path.display().to_string(),
            max_slowdown,
            rows: rows.iter().filter_map(|row| self.compared(row, max_slowdown, ceilings)).collect(),
            only_here: labels.iter().filter(|label| !self.has(label)).cloned().collect(),
            only_in_baseline: self
                .rows
                .iter()
                .map(BaselineRow::label)
                .filter(|label| !labels.contains(label))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, Work};
    use super::super::timing::Timing;
    use super::super::{CopyRate, Suite};
    use super::*;

    #[test]
    fn slower_is_what_noise_and_dispatches_do_not_explain() {
        let ceilings = Ceilings {
            multiply_add_gflops: 100.0,
            copy_gbytes_per_second: 10.0,
            copies: vec![CopyRate { bytes: 1_000, gbytes_per_second: 10.0 }],
            dispatch_seconds: 1e-5,
            submission_seconds: 1e-5,
            read_back_seconds: 1e-5,
        };
        let row = |fastest: f64, median: f64| {
            let case = Case::new(Suite::Kernels, "copy", "10".into(), Work::default(), |_, _| unreachable!());
            Row::new(&case, &Timing::new(vec![fastest, median, median], 1), &ceilings)
        };
        let before = row(1e-4, 1e-4);
        let (suite, name, shape) = ("kernels".into(), "copy".into(), "10".into());
        let baseline = Baseline {
            path: PathBuf::new(),
            device: None,
            rows: vec![BaselineRow { suite, name, shape, median_seconds: 1e-4, min_seconds: 1e-4 }],
        };
        let slower = |row| baseline.is_slower(&row, 1.2, &ceilings);
        assert!(!slower(before));
        assert!(slower(row(1.26e-4, 1.26e-4)));
        // Less than half a dispatch more than is accepted; and a loud moment.
        assert!(!slower(row(1.24e-4, 1.4e-4)));
        assert!(!slower(row(1e-4, 5e-4)));
    }
}
