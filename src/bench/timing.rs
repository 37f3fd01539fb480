//! Warm-up, samples, and what is made of them.

use std::time::{Duration, Instant};

use crate::backend::{Backend, ProgramId};
use crate::{Error, Result};

/// How something is timed.
pub(super) struct Stopwatch<'a> {
    /// For warm-up and samples.
    pub(super) budget: Duration,
    /// A sample is as many executions as take this long.
    pub(super) sample: Duration,
    /// At least so many samples, whatever they take.
    pub(super) least: usize,
    /// Whether to stop.
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// Most samples: more say nothing new.
const MOST: usize = 200;

impl Stopwatch<'_> {
    /// Whether somebody wants it to end: an error then.
    pub(super) fn check(&self) -> Result<()> {
        if (self.stop)() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// How many samples there must be after so much time: where one takes more than all should, two, and where it takes many
    /// times that, one.
    pub(super) fn least(&self, elapsed: Duration) -> usize {
        match () {
            () if elapsed > self.budget * 4 => 1,
            () if elapsed > self.budget => self.least.min(2),
            () => self.least,
        }
    }

    /// Times `run`, which does something so many times over and waits until that is done. It was done once before, so that
    /// all is compiled and memory was touched.
    pub(super) fn time(
        &self,
        backend: &mut dyn Backend,
        run: &mut dyn FnMut(&mut dyn Backend, usize) -> Result<()>,
    ) -> Result<Timing> {
        let mut once = |times: usize| {
            self.check()?;
            let begun = Instant::now();
            run(backend, times)?;
            Ok::<_, Error>(begun.elapsed())
        };
        let begun = Instant::now();
        let (times, first) = self.repeats(&mut once)?;
        let mut samples = vec![first];
        while samples.len() < self.least(begun.elapsed()) || (samples.len() < MOST && begun.elapsed() < self.budget) {
            samples.push(once(times)?.as_secs_f64() / times as f64);
        }
        Ok(Timing::new(samples, times))
    }

    /// How many executions make a sample, and the seconds of one of them in the first.
    ///
    /// What a sample costs whatever is in it (calling threads, on a busy machine milliseconds) must not be most of it: a
    /// sample is long enough where four times as many executions take three times as long.
    fn repeats(&self, once: &mut dyn FnMut(usize) -> Result<Duration>) -> Result<(usize, f64)> {
        let begun = Instant::now();
        // What takes longer is not tried four times over.
        let short = (self.sample * 4).min(self.budget / 8);
        let (mut times, mut elapsed) = (1, once(1)?);
        while begun.elapsed() <= self.budget / 3 {
            let factor = self.sample.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
            let enough = factor <= 1.2;
            if enough && elapsed > short {
                break;
            }
            let more = if enough { times * 4 } else { (times as f64 * factor.clamp(1.2, 10.0)).ceil() as usize };
            let longer = once(more)?;
            if enough && longer >= elapsed * 3 {
                break;
            }
            (times, elapsed) = (more, longer);
        }
        Ok((times, elapsed.as_secs_f64() / times as f64))
    }

    /// Times executions of a program by the device's own clock as well, where it has one.
    pub(super) fn time_on_device(
        &self,
        backend: &mut dyn Backend,
        program: ProgramId,
        timing: &mut Timing,
    ) -> Result<()> {
        const MOST: usize = 25;
        let begun = Instant::now();
        let mut samples = Vec::new();
        while samples.is_empty() || (samples.len() < MOST && begun.elapsed() < self.budget / 4) {
            self.check()?;
            match backend.device_seconds(program, timing.repeats)? {
                Some(seconds) => samples.push(seconds / timing.repeats as f64),
                None => return Ok(()),
            }
        }
        samples.sort_by(f64::total_cmp);
        timing.device_seconds = Some(median(&samples));
        Ok(())
    }
}

/// The seconds of one execution, as often as they were measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timing {
    /// In ascending order, at least one.
    sorted: Vec<f64>,
    /// Executions of each sample.
    pub(super) repeats: usize,
    /// Of one execution by the device's own clock, in the middle of several; `None` where it has none.
    pub(super) device_seconds: Option<f64>,
}

impl Timing {
    pub(super) fn new(mut samples: Vec<f64>, repeats: usize) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { sorted: samples, repeats, device_seconds: None }
    }

    pub(super) fn runs(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.sorted)
    }

    pub(super) fn least(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(f64::NAN)
    }

    /// How far samples are from the median, as a share of it: their median distance, times 1.4826, which for normally
    /// distributed ones is the standard deviation. Single outliers do not move it.
    pub(super) fn spread(&self) -> f64 {
        let middle = self.median();
        let mut distances: Vec<f64> = self.sorted.iter().map(|sample| (sample - middle).abs()).collect();
        distances.sort_by(f64::total_cmp);
        1.4826 * median(&distances) / middle
    }

    /// Samples that took longer than the spread can explain: by more than five times the spread and a tenth of the median.
    pub(super) fn outliers(&self) -> usize {
        let limit = self.median() * (1.0 + (5.0 * self.spread()).max(0.1));
        self.sorted.iter().filter(|&&sample| sample > limit).count()
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => 0.5 * (sorted[middle - 1] + sorted[middle]),
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;

    #[test]
    fn medians_spreads_and_outliers_are_those_of_the_samples() {
        let timing = Timing::new(vec![1.2, 1.0, 0.9, 1.1, 9.0, 1.0, 1.0], 1);
        assert_eq!((timing.median(), timing.least(), timing.outliers(), timing.runs()), (1.0, 0.9, 1, 7));
        // Distances 0, 0, 0, 0.1, 0.1, 0.2, 8: the middle one is 0.1.
        assert!((timing.spread() - 0.148_26).abs() < 1e-6, "{}", timing.spread());
        let even = Timing::new(vec![4.0, 1.0, 2.0, 3.0], 5);
        assert_eq!((even.median(), even.outliers(), even.repeats), (2.5, 0, 5));
    }

    #[test]
    fn a_sample_is_long_enough_to_hide_what_it_costs_whatever_is_in_it() {
        let watch =
            Stopwatch { budget: Duration::from_secs(60), sample: Duration::from_millis(3), least: 3, stop: &|| false };
        let repeats = |each: u64| {
            let nanos = |times: usize| Duration::from_nanos(each + 1_000 * times as u64);
            watch.repeats(&mut |times| Ok(nanos(times))).unwrap()
        };
        let (times, first) = repeats(0);
        assert!((2_500..4_000).contains(&times) && (first - 1e-6).abs() < 1e-12, "{times} {first}");
        // As long as a sample should be, for nothing.
        let (times, first) = repeats(4_000_000);
        assert!(times >= 8_000 && first < 1.5e-6, "{times} {first}");
    }

    #[test]
    fn a_stopwatch_takes_its_least_samples_and_stops_when_asked() {
        let mut device = CpuBackend::new(Some(1));
        let mut watch =
            Stopwatch { budget: Duration::from_secs(60), sample: Duration::ZERO, least: 4, stop: &|| false };
        let mut executions = 0;
        let timing = watch.time(&mut device, &mut |_, times| {
            executions += times;
            Ok(())
        });
        let timing = timing.unwrap();
        // Nothing takes no time: as many samples as say something.
        assert_eq!((timing.runs(), executions), (MOST, MOST * timing.repeats));
        // Where a single execution takes many times all the time there is, it must do.
        watch.budget = Duration::from_micros(1);
        let timing = watch.time(&mut device, &mut |_, _| {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        });
        assert_eq!(timing.unwrap().runs(), 1);
        watch.stop = &|| true;
        let stopped = watch.time(&mut device, &mut |_, _| Ok(()));
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}
