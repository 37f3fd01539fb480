//! How fast the engine is on a device, and how much of what the device can do that is.
//!
//! Before anything is timed, it is held to a reference in float64. What the device can do at most (multiply-adds, copies,
//! the cost of handing work over) is measured in the same run, by the same clock.

mod case;
mod ceilings;
mod compare;
mod data;
mod descent;
mod draw;
mod elements;
mod gradients;
mod kernels;
mod memory;
mod probes;
mod reference;
mod row;
mod timing;
mod training;
mod tuned;
mod tuning;

use std::time::{Duration, Instant};

pub use ceilings::{Ceilings, CopyRate};
pub use compare::{Baseline, ComparedRow, Comparison};
pub use memory::peak_memory;
pub use row::Row;
pub use tuning::{Tuned, tune};

use self::case::Case;
use self::timing::{Stopwatch, Timing};
use crate::backend::Backend;
use crate::{Error, Result};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// Operations one by one, at the shapes of the work and at others.
    Kernels,
    /// Gradients of a batch, from its bytes on.
    Gradient,
    /// Steps of whole training runs.
    Train,
    /// Files to bytes, bytes to batches.
    Data,
}

impl Suite {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Kernels, Self::Gradient, Self::Train, Self::Data];

    /// The name in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernels => "kernels",
            Self::Gradient => "gradient",
            Self::Train => "train",
            Self::Data => "data",
        }
    }
}

/// What is measured, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of these suites,
    pub suites: Vec<Suite>,
    /// the rows in whose suite, name and shape this text occurs.
    pub filter: Option<String>,
    /// Fewer and smaller rows, and less time for each: 15 seconds for all.
    pub quick: bool,
    /// Of everything that is drawn.
    pub seed: u64,
    /// Bytes for data and working memory; `None`: what suits the device.
    pub memory: Option<u64>,
}

/// Who watches, and may end it.
pub trait Watch {
    /// Row `number` of `of` begins.
    fn begins(&mut self, row: &str, number: usize, of: usize);

    /// Whether to stop now.
    fn stop(&self) -> bool;
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// What the device can do at most.
    pub ceilings: Ceilings,
    /// In the order of the plan.
    pub results: Vec<Row>,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

/// Rows that are to be measured.
pub struct Plan {
    cases: Vec<Case>,
    quick: bool,
}

/// A quick run's ceilings and rows are to be done by then: the rest of 15 seconds is for the start and what is overrun.
const QUICK: Duration = Duration::from_secs(12);
/// Of that, with a baseline: for rows that look slower, which are measured again at least twice.
const AGAIN_QUICK: Duration = Duration::from_secs(3);
/// No third turn of those begins later.
const LAST_TURN_QUICK: Duration = Duration::from_millis(13_500);
/// The most time for a row, checks and preparation aside.
const EACH: Duration = Duration::from_secs(1);
const EACH_QUICK: Duration = Duration::from_millis(200);
/// The least that is left for a row where others took too long.
const LEAST_QUICK: Duration = Duration::from_millis(40);
/// A sample is as many executions as take this long, that clocks and interrupts count little.
const SAMPLE: Duration = Duration::from_millis(10);
const SAMPLE_QUICK: Duration = Duration::from_millis(3);
/// Rows that look slower than their baseline are measured so many times more before that is believed, in turns: what
/// disturbed one for a second is over when its turn comes again.
const AGAIN: usize = 8;

impl Plan {
    /// The rows of these options; nothing is measured or allocated.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut cases = Vec::new();
        for suite in Suite::ALL.into_iter().filter(|suite| options.suites.contains(suite)) {
            cases.extend(match suite {
                Suite::Kernels => [kernels::cases(options), elements::cases(options), probes::cases(options)].concat(),
                Suite::Gradient => gradients::cases(options),
                Suite::Train => training::cases(options),
                Suite::Data => data::cases(options),
            });
        }
        if let Some(text) = &options.filter {
            let text = text.to_lowercase();
            cases.retain(|case| case.label().to_lowercase().contains(&text));
        }
        Self { cases, quick: options.quick }
    }

    /// What each row is called: suite, name and shape.
    pub fn labels(&self) -> impl Iterator<Item = String> + '_ {
        self.cases.iter().map(Case::label)
    }

    /// Measures the ceilings and every row. Rows that look slower than in `baseline` by more than `max_slowdown` are
    /// measured again; of all measurements the fastest counts.
    ///
    /// # Errors
    /// [`Error::SelfTest`] for a result that the reference refuses; [`Error::Interrupted`] where it was stopped before
    /// there was a row; or when the device fails.
    pub fn run(
        &self,
        backend: &mut dyn Backend,
        watch: &mut dyn Watch,
        baseline: Option<(&Baseline, f64)>,
    ) -> Result<Report> {
        let begun = Instant::now();
        let of = self.cases.len();
        watch.begins("what the device can do at most", 0, of);
        let mut ceilings = Ceilings::measure(backend, self.quick, &|| watch.stop())?;
        // They are measured again at the end.
        let reserved = begun.elapsed() + if baseline.is_some() { AGAIN_QUICK } else { Duration::ZERO };
        let end = begun + QUICK.saturating_sub(reserved);
        let mut timings: Vec<Timing> = Vec::new();
        let mut interrupted = false;
        for (index, case) in self.cases.iter().enumerate() {
            watch.begins(&case.label(), index + 1, of);
            match self.time(backend, case, self.budget(end, of - index), watch) {
                Ok(timing) => timings.push(timing),
                Err(Error::Interrupted) if index > 0 => {
                    interrupted = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if !interrupted {
            // A quiet moment at the end may show more of what the device can do than a loud one at the start.
            ceilings.improve(Ceilings::measure(backend, self.quick, &|| false)?);
        }
        let mut rows: Vec<Row> =
            self.cases.iter().zip(&timings).map(|(case, timing)| Row::new(case, timing, &ceilings)).collect();
        if let Some((baseline, max_slowdown)) = baseline.filter(|_| !interrupted) {
            // Noise makes rows slower and never faster.
            'again: for turn in 0..AGAIN {
                if self.quick && turn > 1 && begun.elapsed() > LAST_TURN_QUICK {
                    break;
                }
                let looks = |row: &Row| baseline.is_slower(row, max_slowdown, &ceilings);
                for (row, case) in rows.iter_mut().zip(&self.cases).filter(|(row, _)| looks(row)) {
                    watch.begins(&format!("{} once more, since it looks slower", case.label()), of, of);
                    let timing = match self.time(backend, case, self.each(), watch) {
                        Err(Error::Interrupted) => break 'again,
                        timing => timing?,
                    };
                    let again = Row::new(case, &timing, &ceilings);
                    if again.median_seconds < row.median_seconds {
                        *row = again;
                    }
                }
            }
        }
        Ok(Report { ceilings, results: rows, interrupted })
    }

    fn each(&self) -> Duration {
        if self.quick { EACH_QUICK } else { EACH }
    }

    /// The time for the next of so many rows that are left.
    fn budget(&self, end: Instant, left: usize) -> Duration {
        if !self.quick {
            return EACH;
        }
        (end.saturating_duration_since(Instant::now()) / left.max(1) as u32).clamp(LEAST_QUICK, EACH_QUICK)
    }

    fn time(&self, backend: &mut dyn Backend, case: &Case, budget: Duration, watch: &dyn Watch) -> Result<Timing> {
        let sample = if self.quick { SAMPLE_QUICK } else { SAMPLE };
        let stop = || watch.stop();
        case.time(backend, &Stopwatch { budget, sample, least: if self.quick { 3 } else { 7 }, stop: &stop })
    }
}
