//! Which tiles are the fastest on an adapter: each family of kernels with those of either class, held to a reference and
//! timed in turns.

use std::time::Duration;

use super::Watch;
use super::case::Case;
use super::timing::Stopwatch;
use super::tuned;
use crate::backend::gpu::{DeviceClass, Family, Tiles};
use crate::backend::{Backend, FamilyTuning, OpenOptions, Tuning, open};
use crate::device::{AdapterSummary, Selector};
use crate::{Error, Result};

/// Either class is timed so many times, in turns: a loud moment of the machine meets both or is outdone.
const ROUNDS: usize = 3;
/// For one shape in one round, once it was compiled and checked.
const EACH: Duration = Duration::from_millis(40);
const SAMPLE: Duration = Duration::from_millis(3);
/// The other class's tiles must take less than this share of what those of the device's own take. Less is noise, and
/// would make the same seed give other bits for nothing.
const WORTH: f64 = 0.9;

/// What a tuning run found.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// To be kept.
    pub tuning: Tuning,
    /// Tiles that do not run on this adapter or compute wrongly there, a line each.
    pub warnings: Vec<String>,
}

/// Measures the tiles of either class on an adapter, in a few seconds. Nothing is kept.
///
/// # Errors
/// [`Error::Interrupted`] where `watch` says so; what keeps the adapter from working; the error of a family that works
/// with no tiles.
pub fn tune(adapter: &AdapterSummary, watch: &mut dyn Watch) -> Result<Tuned> {
    let suited = DeviceClass::suited(adapter.info.kind);
    let mut warnings = Vec::new();
    // Opening includes the self-test.
    let mut opened = Vec::new();
    let mut failed = None;
    for class in DeviceClass::ALL {
        watch.begins(&format!("opening it with {} tiles", class.name()), 0, Family::ALL.len());
        let options = OpenOptions { tiles: Some(Tiles::of(class)), ..OpenOptions::default() };
        match open(&Selector::Index(adapter.index), options) {
            Ok(device) => opened.push((class, device.backend)),
            Err(error) => {
                warnings.push(format!("{} tiles: {error}", class.name()));
                failed = Some(error);
            }
        }
    }
    if let Some(error) = failed.filter(|_| opened.is_empty()) {
        return Err(error);
    }
    let mut families = Vec::new();
    for (index, family) in Family::ALL.into_iter().enumerate() {
        watch.begins(family.name(), index + 1, Family::ALL.len());
        families.push(measure(family, suited, &mut opened, &mut warnings, &|| watch.stop())?);
    }
    let incomplete = || Error::config("a tuning without all families");
    Ok(Tuned { tuning: Tuning::new(families).ok_or_else(incomplete)?, warnings })
}

/// Times one family with the tiles of each class.
fn measure(
    family: Family,
    suited: DeviceClass,
    opened: &mut [(DeviceClass, Box<dyn Backend>)],
    warnings: &mut Vec<String>,
    stop: &dyn Fn() -> bool,
) -> Result<FamilyTuning> {
    let cases = tuned::cases(family);
    let mut seconds = [f64::INFINITY; DeviceClass::ALL.len()];
    let mut refused: Vec<DeviceClass> = Vec::new();
    let mut last = None;
    for _ in 0..ROUNDS {
        for (class, backend) in opened.iter_mut() {
            if refused.contains(class) {
                continue;
            }
            match time(&cases, backend.as_mut(), stop) {
                Ok(time) => seconds[*class as usize] = seconds[*class as usize].min(time),
                Err(error @ (Error::Interrupted | Error::DeviceLost { .. })) => return Err(error),
                Err(error) => {
                    warnings.push(format!("{} with {} tiles: {error}", family.name(), class.name()));
                    seconds[*class as usize] = f64::INFINITY;
                    refused.push(*class);
                    last = Some(error);
                }
            }
        }
    }
    let [gpu_seconds, software_seconds] = seconds.map(|seconds| seconds.is_finite().then_some(seconds));
    match choose(suited, gpu_seconds, software_seconds) {
        Some(tiles) => Ok(FamilyTuning { family, tiles, gpu_seconds, software_seconds }),
        None => Err(last.unwrap_or_else(|| Error::config(format!("{} works with no tiles", family.name())))),
    }
}

/// Seconds for all of these, each once: the least that was seen, since noise makes things slower and never faster.
fn time(cases: &[Case], backend: &mut dyn Backend, stop: &dyn Fn() -> bool) -> Result<f64> {
    let stopwatch = Stopwatch { budget: EACH, sample: SAMPLE, least: 3, stop };
    let times = cases.iter().map(|case| case.time(backend, &stopwatch).map(|timing| timing.least()));
    times.sum()
}

/// The faster class, and the device's own where the difference is small.
fn choose(suited: DeviceClass, gpu_seconds: Option<f64>, software_seconds: Option<f64>) -> Option<DeviceClass> {
    let (own, other) = match suited {
        DeviceClass::Gpu => ((suited, gpu_seconds), (DeviceClass::Software, software_seconds)),
        DeviceClass::Software => ((suited, software_seconds), (DeviceClass::Gpu, gpu_seconds)),
    };
    match (own.1, other.1) {
        (Some(own_seconds), Some(seconds)) if seconds < WORTH * own_seconds => Some(other.0),
        (Some(_), _) => Some(own.0),
        (None, Some(_)) => Some(other.0),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeviceClass::{Gpu, Software};

    #[test]
    fn the_faster_tiles_win_and_small_differences_change_nothing() {
        for (suited, gpu, software, expected) in [
            (Software, Some(1.0), Some(2.0), Some(Gpu)),
            (Gpu, Some(1.0), Some(2.0), Some(Gpu)),
            (Gpu, Some(2.0), Some(1.0), Some(Software)),
            (Software, Some(0.93), Some(1.0), Some(Software)),
            (Gpu, Some(1.0), Some(0.93), Some(Gpu)),
            // Tiles that compute wrongly are out of the question.
            (Software, Some(9.0), None, Some(Gpu)),
            (Gpu, None, Some(9.0), Some(Software)),
            (Gpu, None, None, None),
        ] {
            assert_eq!(choose(suited, gpu, software), expected, "{suited:?} {gpu:?} {software:?}");
        }
    }

    #[test]
    fn tiles_that_compute_wrongly_are_refused_and_told() {
        use crate::backend::cpu::CpuBackend;
        use crate::backend::silent::Silent;
        let sound: Box<dyn Backend> = Box::new(CpuBackend::new(Some(1)));
        let broken: Box<dyn Backend> = Box::new(Silent::without("matmul"));
        let (mut warnings, mut devices) = (Vec::new(), [(Gpu, broken), (Software, sound)]);
        let found = measure(Family::SmallProducts, Gpu, &mut devices, &mut warnings, &|| false).unwrap();
        assert_eq!((found.tiles, found.gpu_seconds), (Software, None));
        assert!(found.software_seconds.is_some_and(|seconds| seconds > 0.0));
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("small-products with gpu tiles: ") && warnings[0].contains("wrongly"));
        let refused = measure(Family::SmallProducts, Gpu, &mut devices[..1], &mut warnings, &|| false);
        assert!(matches!(refused, Err(Error::SelfTest { kernel: "matmul", .. })));
    }
}
