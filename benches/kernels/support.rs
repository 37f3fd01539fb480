//! Devices, operands, and how a recording is measured.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use gpu_train::Result;
use gpu_train::backend::{Backend, OpenOptions, Recording, Tensor, open};
use gpu_train::device::Selector;

/// The networks of the work and their batches.
pub(crate) const NETWORKS: [(&[usize], usize); 2] = [(&[784, 50, 10], 100), (&[784, 512, 256, 10], 128)];

/// Classes of the data.
pub(crate) const CLASSES: usize = 10;

/// A device under the name that its figures bear.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) backend: Box<dyn Backend>,
}

/// The CPU path, and an adapter where there is the one that is asked for.
pub(crate) fn devices() -> Vec<Device> {
    let asked = std::env::var("GPU_TRAIN_BENCH_DEVICE").unwrap_or_else(|_| "software".into());
    let selectors = [("cpu", Selector::Cpu), (asked.as_str(), asked.parse().unwrap_or(Selector::Software))];
    let opened = selectors.iter().filter_map(|(name, selector)| match open(selector, OpenOptions::default()) {
        Ok(opened) => Some(Device { name: (*name).into(), backend: opened.backend }),
        Err(error) => {
            eprintln!("{name}: not measured: {error}");
            None
        }
    });
    opened.collect()
}

/// Executions that are handed to a device at once.
const AT_ONCE: u64 = 256;

/// Measures what `lay_out` records, under `group/device/shape`.
///
/// # Errors
/// What the device has against it.
pub(crate) fn measure(
    criterion: &mut Criterion,
    device: &mut Device,
    group: &str,
    shape: &str,
    throughput: Option<Throughput>,
    lay_out: impl FnOnce(&mut dyn Backend) -> Result<Recording>,
) -> Result<()> {
    let backend = device.backend.as_mut();
    let program = lay_out(backend).and_then(|recording| backend.prepare(&recording))?;
    let mut group = criterion.benchmark_group(group);
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    if let Some(throughput) = throughput {
        group.throughput(throughput);
    }
    let mut fault = None;
    group.bench_function(BenchmarkId::new(&device.name, shape), |bencher| {
        bencher.iter_custom(|executions| {
            let start = Instant::now();
            for first in (0..executions).step_by(AT_ONCE as usize) {
                let times = AT_ONCE.min(executions - first) as usize;
                fault = fault.take().or(backend.run(program, times).err());
            }
            fault = fault.take().or(backend.wait().err());
            start.elapsed()
        });
    });
    group.finish();
    backend.discard(program);
    fault.map_or(Ok(()), Err)
}

/// Says what could not be measured.
pub(crate) fn report(what: &str, outcome: Result<()>) {
    if let Err(error) = outcome {
        eprintln!("{what}: not measured: {error}");
    }
}

/// Numbers without a pattern that matters, between `-size` and `size`.
pub(crate) fn numbers(count: usize, size: f32) -> Vec<f32> {
    (0..count as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .map(|x| size * x)
        .collect()
}

/// A tensor of them.
pub(crate) fn tensor(backend: &mut dyn Backend, rows: usize, columns: usize, size: f32) -> Result<Tensor> {
    backend.tensor_from(&numbers(rows * columns, size), rows, columns, "an operand")
}

/// Probabilities, `[rows, CLASSES]`.
pub(crate) fn probabilities(backend: &mut dyn Backend, rows: usize) -> Result<Tensor> {
    let mut y: Vec<f32> = numbers(rows * CLASSES, 1.0).iter().map(|x| 1.5 + x).collect();
    for row in y.chunks_exact_mut(CLASSES) {
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|y| *y /= sum);
    }
    backend.tensor_from(&y, rows, CLASSES, "outputs")
}

/// A class for each of so many samples.
pub(crate) fn classes(rows: usize) -> Vec<u32> {
    (0..rows as u32).map(|n| (n * 7 + n / 10) % CLASSES as u32).collect()
}
