//! Steps of training runs, through the same trainer as `gpu-train train`, on the embedded digits.

use std::time::Instant;

use super::case::Case;
use super::descent::first_losses;
use super::draw::images;
use super::gradients::{METHODS, network, shape, work};
use super::kernels::networks;
use super::reference::wrong;
use super::timing::{Stopwatch, Timing};
use super::{Options, Suite};
use crate::backend::Backend;
use crate::data::{Dataset, Split};
use crate::train::{Evaluation, Observer, Settings, train};
use crate::{Error, Result};

/// So many of the trainer's runs fill a row's time, once they have grown to their length.
const RUNS: u32 = 12;

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let (seed, memory) = (options.seed, options.memory);
    let mut cases = Vec::new();
    for (sizes, batch) in networks(options.quick) {
        for method in METHODS {
            let time = move |backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>| {
                let settings = Settings {
                    method,
                    batch_size: batch,
                    // Until it is stopped.
                    steps: u64::MAX / 4,
                    eval_every: Some(u64::MAX / 4),
                    learning_rate: 0.1,
                    seed,
                    memory,
                    run_time: stopwatch.budget / RUNS,
                    ..Settings::default()
                };
                steps(backend, sizes, &settings, stopwatch)
            };
            cases.push(Case::new(Suite::Train, method.name(), shape(sizes, batch), work(sizes, batch, method), time));
        }
    }
    cases
}

/// Trains until there are samples enough; each is one of the runs of steps that the trainer hands to the device.
fn steps(backend: &mut dyn Backend, sizes: &[usize], settings: &Settings, stopwatch: &Stopwatch<'_>) -> Result<Timing> {
    let dataset = digits()?;
    let mut network = network(sizes, settings.seed)?;
    let expected = first_losses(&network, dataset.train(), settings)?;
    stopwatch.check()?;
    let begun = Instant::now();
    let mut steps = Steps { stopwatch, expected, wrong: None, begun, enough: false, arrivals: Vec::new() };
    let trained = train(backend, &dataset, &mut network, settings, &mut steps);
    if let Some((got, expected)) = steps.wrong {
        return Err(wrong(backend, settings.method.name(), got, expected));
    }
    trained?;
    stopwatch.check()?;
    let (repeats, samples) = samples(&steps.arrivals);
    Ok(Timing::new(samples, repeats))
}

/// So many of the embedded digits that batches are drawn from all over them, and no more: a run ends with their evaluation.
fn digits() -> Result<Dataset> {
    const SAMPLES: usize = 1_000;
    let split = |samples| {
        let (pixels, labels) = images(samples)?;
        Split::new(pixels, labels, 28, 28)
    };
    Dataset::new("digits", split(SAMPLES)?, split(SAMPLES / 10)?, None)
}

/// Looks on, and ends the run when it has seen enough.
struct Steps<'a> {
    stopwatch: &'a Stopwatch<'a>,
    /// The losses of the first steps by the reference.
    expected: Vec<f64>,
    /// A loss that is not the expected one, and that.
    wrong: Option<(f64, f64)>,
    begun: Instant,
    enough: bool,
    /// The arrivals of losses before there were enough, and one or two after that.
    arrivals: Vec<Arrival>,
}

/// The losses of one of the runs that the trainer hands to the device.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    steps: usize,
    /// Of training, when they came.
    seconds: f64,
    /// Whether more was under way: what comes when all is done, comes at once.
    steady: bool,
}

/// Steps of a run, and the seconds a step of every run that can be told apart.
///
/// The losses of one run are looked at when the next one is handed over, and some devices do that one first: so it is a run's
/// time only where its neighbours have as many steps. The trainer's first runs are short and find out how long a step takes;
/// the very first is waited for alone.
fn samples(arrivals: &[Arrival]) -> (usize, Vec<f64>) {
    let sample = |before: &Arrival, now: &Arrival| (now.seconds - before.seconds) / now.steps as f64;
    let alike = |run: &&[Arrival]| run.iter().all(|arrival| arrival.steps == run[0].steps) && run[1].steady;
    let later = arrivals.get(1..).unwrap_or_default();
    let mut runs: Vec<&[Arrival]> = later.windows(3).filter(alike).collect();
    if runs.is_empty() {
        runs = later.windows(2).filter(alike).collect();
    }
    let steps = runs.last().map_or(1, |run| run[1].steps);
    (steps, runs.iter().map(|run| sample(&run[0], &run[1])).collect())
}

impl Observer for Steps<'_> {
    fn losses(&mut self, first: u64, losses: &[f32], seconds: f64) -> Result<()> {
        /// Float32's forward passes and updates against float64's: roundings of a loss near 2.3, amplified by two steps.
        const TOLERANCE: f64 = 1e-5;
        for (&got, step) in losses.iter().zip(first as usize - 1..) {
            let Some(&expected) = self.expected.get(step) else { break };
            if (f64::from(got) - expected).abs() > TOLERANCE * expected {
                self.wrong = Some((got.into(), expected));
                return Err(Error::Interrupted);
            }
        }
        self.arrivals.push(Arrival { steps: losses.len(), seconds, steady: !self.enough });
        Ok(())
    }

    fn evaluation(&mut self, _evaluation: &Evaluation) -> Result<()> {
        Ok(())
    }

    fn stop(&mut self) -> bool {
        let elapsed = self.begun.elapsed();
        let least = self.stopwatch.least(elapsed);
        self.enough = elapsed >= self.stopwatch.budget && samples(&self.arrivals).1.len() >= least;
        self.enough || (self.stopwatch.stop)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrivals of runs of these many steps after these many seconds each.
    fn arrivals(runs: &[(usize, f64)]) -> Vec<Arrival> {
        let mut clock = 0.0;
        let arrival = |&(steps, seconds): &(usize, f64)| {
            clock += seconds;
            Arrival { steps, seconds: clock, steady: true }
        };
        runs.iter().map(arrival).collect()
    }

    #[test]
    fn only_runs_among_their_like_are_timed() {
        // A second a step, on a device that does the next run before it hands over the losses of one.
        let seen = arrivals(&[(1, 1.0), (1, 3.0), (2, 4.0), (4, 4.0), (4, 4.0), (4, 2.0), (2, 2.0)]);
        assert_eq!(samples(&seen), (4, vec![1.0]));
        let slow = arrivals(&[(1, 1.0), (1, 2.0), (1, 1.0)]);
        assert_eq!(samples(&slow), (1, vec![1.0]));
        assert_eq!(samples(&slow[..2]), (1, vec![]));
        // The last losses come at once when nothing else is done.
        let mut ended = arrivals(&[(1, 1.0), (1, 2.0), (1, 1.0), (1, 1e-9)]);
        ended[3].steady = false;
        assert_eq!(samples(&ended), (1, vec![1.0]));
    }
}
