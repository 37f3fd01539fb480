//! One row after it was measured.

use serde::Serialize;

use super::case::Case;
use super::ceilings::Ceilings;
use super::timing::Timing;

/// One row: what was executed, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The suite's name.
    pub suite: &'static str,
    /// What was executed.
    pub name: &'static str,
    /// On operands of which shape; for products rows of the result x length of the sums x columns of the result.
    pub shape: String,
    /// Of one execution.
    pub median_seconds: f64,
    /// Of the fastest sample.
    pub min_seconds: f64,
    /// How far samples are from the median, as a share of it.
    pub spread: f64,
    /// Samples that took longer than the spread explains.
    pub outliers: usize,
    /// Samples.
    pub runs: usize,
    /// Executions of each sample.
    pub repeats: usize,
    /// Of one execution, by the device's own clock, where it has one: without what the host adds.
    pub device_seconds: Option<f64>,
    /// Multiplications and additions, 10^9 a second.
    pub gflops: Option<f64>,
    /// Bytes read and written, each counted once, 10^9 a second.
    pub gbytes_per_second: Option<f64>,
    /// The least time that the device's ceilings allow, as a share of the median. A copy writes as much as it reads; what
    /// mostly reads may come out a little above 1.
    pub share_of_ceiling: Option<f64>,
    /// The ceiling that allows no less: `multiply-adds`, `copies` or `dispatches`.
    pub ceiling: Option<&'static str>,
    /// Executions (of the suite `train`, steps) a second.
    pub per_second: f64,
    /// Multiplications and additions of an execution for each byte.
    pub flops_per_byte: Option<f64>,
}

impl Row {
    pub(super) fn new(case: &Case, timing: &Timing, ceilings: &Ceilings) -> Self {
        let median = timing.median();
        let rate = |amount: f64| amount * 1e-9 / median;
        let bound = ceilings.bound(&case.work);
        Self {
            suite: case.suite.name(),
            name: case.name,
            shape: case.shape.clone(),
            median_seconds: median,
            min_seconds: timing.least(),
            spread: timing.spread(),
            outliers: timing.outliers(),
            runs: timing.runs(),
            repeats: timing.repeats,
            device_seconds: timing.device_seconds,
            gflops: case.work.flops.map(rate),
            gbytes_per_second: case.work.bytes.map(rate),
            share_of_ceiling: bound.map(|(seconds, _)| seconds / median),
            ceiling: bound.map(|(_, name)| name),
            per_second: 1.0 / median,
            flops_per_byte: case.work.flops.zip(case.work.bytes).map(|(flops, bytes)| flops / bytes),
        }
    }

    /// Suite, name and shape.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} {} {}", self.suite, self.name, self.shape)
    }
}
