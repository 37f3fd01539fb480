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
    let mut steps = Steps {
        stopwatch,
        expected,
        wrong: None,
        begun: Instant::now(),
        last: None,
        enough: false,
        steps: 0,
        samples: Vec::new(),
    };
    let trained = train(backend, &dataset, &mut network, settings, &mut steps);
    if let Some((got, expected)) = steps.wrong {
        return Err(wrong(backend, settings.method.name(), got, expected));
    }
    trained?;
    stopwatch.check()?;
    let each = steps.steps / steps.samples.len().max(1);
    Ok(Timing::new(steps.samples, each.max(1)))
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
    /// How many losses came last, and the seconds of training then.
    last: Option<(usize, f64)>,
    enough: bool,
    /// In all samples.
    steps: usize,
    /// Seconds a step.
    samples: Vec<f64>,
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
        // The trainer's first runs are short and find out how long a step takes. The losses of one run come when the next
        // one is under way or done: only among runs of one length is that a run's time.
        let before = self.last.replace((losses.len(), seconds));
        if let Some((_, last)) = before.filter(|&(length, _)| length == losses.len() && !self.enough) {
            self.samples.push((seconds - last) / losses.len() as f64);
            self.steps += losses.len();
        }
        Ok(())
    }

    fn evaluation(&mut self, _evaluation: &Evaluation) -> Result<()> {
        Ok(())
    }

    fn stop(&mut self) -> bool {
        let elapsed = self.begun.elapsed();
        // The losses that are still on their way then come at once, and are no measure.
        self.enough = self.samples.len() >= self.stopwatch.least(elapsed) && elapsed >= self.stopwatch.budget;
        self.enough || (self.stopwatch.stop)()
    }
}
