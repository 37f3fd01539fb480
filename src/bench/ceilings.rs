//! What a device can do at most, measured: multiply-adds in registers, copies, and the cost of handing work over.

use std::time::Duration;

use serde::Serialize;

use super::case::Work;
use super::timing::Stopwatch;
use crate::Result;
use crate::backend::{Advance, Backend, MAX_ROUNDS, MultiplyAdd, ROUNDS_AT_ONCE, Recording, Scope, Span};
use crate::device::DeviceKind;

/// Of the fastest executions that were seen: a ceiling is no average.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ceilings {
    /// Multiplications and additions of float32 in registers, 10^9 a second.
    pub multiply_add_gflops: f64,
    /// Of the largest copy, which no cache holds: bytes read and bytes written, 10^9 a second.
    pub copy_gbytes_per_second: f64,
    /// Copies of several sizes, from caches to memory.
    pub copies: Vec<CopyRate>,
    /// One more operation in a program that runs.
    pub dispatch_seconds: f64,
    /// Handing a program over and waiting for it, the program aside.
    pub submission_seconds: f64,
    /// Bringing 4 bytes back from an idle device.
    pub read_back_seconds: f64,
}

/// How fast copies of one size are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CopyRate {
    /// Read and written, together.
    pub bytes: usize,
    /// 10^9 a second.
    pub gbytes_per_second: f64,
}

/// Floats of the copies: first-level caches, second, third, memory.
const COPIED: [usize; 5] = [4 << 10, 64 << 10, 512 << 10, 4 << 20, 16 << 20];
const COPIED_QUICK: [usize; 4] = [16 << 10, 64 << 10, 512 << 10, 8 << 20];

impl Ceilings {
    pub(super) fn measure(backend: &mut dyn Backend, quick: bool, stop: &dyn Fn() -> bool) -> Result<Self> {
        let milliseconds = |normal, fast| Duration::from_millis(if quick { fast } else { normal });
        let (budget, sample) = (milliseconds(400, 80), milliseconds(10, 3));
        let stopwatch = Stopwatch { budget, sample, least: 5, stop };
        Scope::with(backend, |backend| {
            let dispatch_seconds = dispatch(backend, &stopwatch)?;
            let sizes = if quick { COPIED_QUICK.as_slice() } else { &COPIED };
            let copies = sizes.iter().map(|&floats| copy(backend, &stopwatch, floats)).collect::<Result<Vec<_>>>()?;
            Ok(Self {
                multiply_add_gflops: multiply_add(backend, &stopwatch)?,
                copy_gbytes_per_second: copies.last().map_or(f64::NAN, |copy| copy.gbytes_per_second),
                copies,
                dispatch_seconds,
                submission_seconds: (submission(backend, &stopwatch)? - dispatch_seconds).max(0.0),
                read_back_seconds: read_back(backend, &stopwatch)?,
            })
        })
    }

    /// Takes the better of each.
    pub(super) fn improve(&mut self, other: Self) {
        self.multiply_add_gflops = self.multiply_add_gflops.max(other.multiply_add_gflops);
        for (copy, other) in self.copies.iter_mut().zip(other.copies) {
            copy.gbytes_per_second = copy.gbytes_per_second.max(other.gbytes_per_second);
        }
        self.copy_gbytes_per_second = self.copy_gbytes_per_second.max(other.copy_gbytes_per_second);
        self.dispatch_seconds = self.dispatch_seconds.min(other.dispatch_seconds);
        self.submission_seconds = self.submission_seconds.min(other.submission_seconds);
        self.read_back_seconds = self.read_back_seconds.min(other.read_back_seconds);
    }

    /// The least time that this work takes here, and which ceiling says so.
    pub(super) fn bound(&self, work: &Work) -> Option<(f64, &'static str)> {
        let candidates = [
            (work.flops.map(|flops| flops * 1e-9 / self.multiply_add_gflops), "multiply-adds"),
            (work.bytes.map(|bytes| bytes * 1e-9 / self.copy_rate(bytes)), "copies"),
            (Some(work.dispatches as f64 * self.dispatch_seconds), "dispatches"),
        ];
        let known = candidates.into_iter().filter_map(|(seconds, name)| Some((seconds?, name)));
        // What has neither floats nor bytes to its name is bound by nothing that is measured here.
        known.filter(|_| work.flops.is_some() || work.bytes.is_some()).max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The best rate of the copies from the size that is nearest on: what fits a cache is not bound by memory, and what is
    /// small is not bound by what copies cost that are too small to be fast.
    fn copy_rate(&self, bytes: f64) -> f64 {
        let distance = |copy: &CopyRate| (copy.bytes as f64 / bytes.max(1.0)).ln().abs();
        let nearest =
            self.copies.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(0, |copy| copy.bytes);
        let larger = self.copies.iter().filter(|copy| copy.bytes >= nearest);
        larger.map(|copy| copy.gbytes_per_second).fold(self.copy_gbytes_per_second, f64::max)
    }
}

/// Seconds of one execution of these operations, the fastest seen.
fn fastest(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>, recording: &Recording) -> Result<f64> {
    let program = backend.prepare(recording)?;
    backend.run(program, 1)?;
    backend.wait()?;
    let timing = stopwatch.time(backend, &mut |backend, times| {
        backend.run(program, times)?;
        backend.wait()
    });
    backend.discard(program);
    Ok(timing?.least())
}

/// An operation that does next to nothing, and waits for the one before it.
fn little(backend: &mut dyn Backend) -> Result<Recording> {
    let (cursor, step) = (backend.words(1, "counter")?, backend.words(1, "counter")?);
    let mut recording = Recording::new();
    recording.push(Advance { cursor, step })?;
    Ok(recording)
}

fn dispatch(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>) -> Result<f64> {
    let recording = little(backend)?;
    fastest(backend, stopwatch, &recording)
}

fn submission(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>) -> Result<f64> {
    let recording = little(backend)?;
    let program = backend.prepare(&recording)?;
    let timing = stopwatch.time(backend, &mut |backend, times| {
        for _ in 0..times {
            backend.run(program, 1)?;
            backend.wait()?;
        }
        Ok(())
    });
    backend.discard(program);
    Ok(timing?.least())
}

fn read_back(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>) -> Result<f64> {
    let span = Span { buffer: backend.words(1, "read back")?.buffer, start: 0, end: 4 };
    let timing = stopwatch.time(backend, &mut |backend, times| {
        for _ in 0..times {
            let read = backend.begin_read(span)?;
            backend.finish_read(read)?;
        }
        Ok(())
    });
    Ok(timing?.least())
}

fn copy(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>, floats: usize) -> Result<CopyRate> {
    let largest = usize::try_from(backend.max_buffer_bytes()).unwrap_or(usize::MAX) / 4;
    let floats = floats.min(largest / 4 * 4);
    // Memory that is given back at once: the largest are larger than all that is measured later.
    Scope::with(backend, |backend| {
        let (x, out) = (backend.tensor(1, floats, "copied")?, backend.tensor(1, floats, "copy")?);
        let mut recording = Recording::new();
        recording.push(MultiplyAdd { x, factor: 1.0, addend: 0.0, rounds: 0, out })?;
        let seconds = fastest(backend, stopwatch, &recording)?;
        let bytes = 2 * 4 * floats;
        Ok(CopyRate { bytes, gbytes_per_second: bytes as f64 * 1e-9 / seconds })
    })
}

/// Floats enough for every core of a large GPU; on a CPU, some for every thread.
fn multiply_add(backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>) -> Result<f64> {
    let floats = if backend.info().kind == DeviceKind::Gpu { 12 << 18 } else { 12 << 12 };
    let rounds = (MAX_ROUNDS / 64).next_multiple_of(ROUNDS_AT_ONCE);
    let (x, out) = (backend.tensor(1, floats, "factors")?, backend.tensor(1, floats, "results")?);
    let mut recording = Recording::new();
    // No result leaves the normal numbers: the sum of the series is 2.
    recording.push(MultiplyAdd { x, factor: 0.5, addend: 1.0, rounds, out })?;
    let seconds = fastest(backend, stopwatch, &recording)?;
    Ok(2.0 * (floats * rounds) as f64 * 1e-9 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceilings() -> Ceilings {
        let copy = |bytes, gbytes_per_second| CopyRate { bytes, gbytes_per_second };
        Ceilings {
            multiply_add_gflops: 100.0,
            copy_gbytes_per_second: 10.0,
            copies: vec![copy(1_000, 50.0), copy(1_000_000_000, 10.0)],
            dispatch_seconds: 1e-6,
            submission_seconds: 1e-5,
            read_back_seconds: 1e-5,
        }
    }

    #[test]
    fn the_ceiling_that_takes_longest_is_the_one_that_binds() {
        let bound = |flops, bytes| ceilings().bound(&Work { flops, bytes, dispatches: 1 });
        assert_eq!(bound(Some(1e9), Some(1e3)), Some((0.01, "multiply-adds")));
        assert_eq!(bound(Some(1e6), Some(1e9)), Some((0.1, "copies")));
        assert_eq!(bound(Some(10.0), Some(10.0)), Some((1e-6, "dispatches")));
        // What fits a cache is held to copies that do.
        assert_eq!(bound(None, Some(1e6)), Some((1e-3 / 50.0, "copies")));
        assert_eq!(bound(None, None), None);
    }

    #[test]
    fn of_two_measurements_the_better_counts() {
        let mut first = ceilings();
        let second = Ceilings { multiply_add_gflops: 200.0, dispatch_seconds: 2e-6, ..ceilings() };
        first.improve(second);
        assert_eq!((first.multiply_add_gflops, first.dispatch_seconds), (200.0, 1e-6));
    }
}
