//! The gradient of one batch that the caller holds in memory.

use std::time::Instant;

use super::ProbeReport;
use super::forward::{Batch, NetworkTensors};
use super::source::BatchSource;
use super::step::{GradientOptions, GradientStep};
use crate::backend::{Backend, Gather, Recording, Scope};
use crate::network::Network;
use crate::{Error, Result};

/// A batch's mean loss and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchGradient {
    /// Mean loss.
    pub loss: f32,
    /// One number a parameter, laid out as [`Network::layout`] says.
    pub gradient: Vec<f32>,
    /// For numerical gradients.
    pub probes: Option<ProbeReport>,
    /// Loss evaluations made, of the whole batch each.
    pub loss_evaluations: f64,
    /// From the bytes or floats on the device to the gradient there: of the only run, or the median of several.
    pub seconds: f64,
}

/// The gradient of the mean loss of `inputs` `[N, I]`, row-major, with class indices `targets` `[N]`.
///
/// ```
/// use gpu_train::backend::cpu::CpuBackend;
/// use gpu_train::gradient::{GradientOptions, batch_gradient};
/// use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
///
/// let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
/// let architecture = Architecture::new(vec![3, 4, 2], Activation::Tanh, output)?;
/// let network = Network::initialized(architecture, Initialization::Xavier, 1);
/// let mut device = CpuBackend::new(None);
/// let batch = batch_gradient(&mut device, &network, &[0.1, -2.0, 3.0], &[1], GradientOptions::default())?;
/// assert!(batch.loss.is_finite() && batch.gradient.iter().any(|&g| g != 0.0));
/// # Ok::<(), gpu_train::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) for a gradient that is not finite where the loss is, for inputs and targets that do not fit the network; or when the device fails.
pub fn batch_gradient(
    backend: &mut dyn Backend,
    network: &Network,
    inputs: &[f32],
    targets: &[u32],
    options: GradientOptions,
) -> Result<BatchGradient> {
    measured_gradient(backend, network, &BatchSource::Floats { inputs, targets }, options, None)
}

/// The same of any source; with `repeat` it is computed once to warm up and then so many times, and
/// [`BatchGradient::seconds`] is the median.
///
/// # Errors
/// As [`batch_gradient`].
pub fn measured_gradient(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    repeat: Option<usize>,
) -> Result<BatchGradient> {
    source.check(network)?;
    Scope::with(backend, |backend| gradient(backend, network, source, options, repeat))
}

/// The same, once everything is known to fit.
fn gradient(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    options: GradientOptions,
    repeat: Option<usize>,
) -> Result<BatchGradient> {
    let tensors = NetworkTensors::upload(backend, network)?;
    let cursor = backend.words(1, "cursor")?;
    let mut recording = Recording::new();
    let batch = bring(backend, &mut recording, source, network.architecture.inputs(), cursor)?;
    let losses = backend.tensor(1, 1, "loss")?;
    let mut step = GradientStep::new(backend, &tensors, &batch, options)?;
    step.record(&mut recording, &tensors, &batch, losses, cursor)?;
    let program = backend.prepare(&recording)?;
    let run = |backend: &mut dyn Backend, step: &mut GradientStep| {
        backend.wait()?;
        let begun = Instant::now();
        backend.run(program, 1)?;
        if step.must_be_refined() {
            step.refine(backend, &tensors, &batch)?;
        }
        backend.wait()?;
        Ok::<_, crate::Error>(begun.elapsed().as_secs_f64())
    };
    let mut seconds = run(backend, &mut step)?;
    let (probes, loss_evaluations) = step.report(backend, 1)?;
    if let Some(repeat) = repeat {
        let times = (0..repeat.max(1)).map(|_| run(backend, &mut step)).collect::<Result<Vec<_>>>()?;
        seconds = median(times);
    }
    let loss = backend.read_tensor(losses)?[0];
    let gradient = backend.read_tensor(step.gradient)?;
    backend.discard(program);
    let is_infinite = |range: std::ops::Range<usize>| gradient[range].iter().any(|value| !value.is_finite());
    let culprit = network.layout.tensors().find(|tensor| is_infinite(tensor.range())).filter(|_| loss.is_finite());
    if let Some(tensor) = culprit {
        let problem = format!("the gradient of {} is not finite, though the loss is {loss}", tensor.name);
        return Err(Error::config_hint(
            problem,
            "a smaller --step-size: moves this large overflow float32's exponential",
        ));
    }
    Ok(BatchGradient { loss, gradient, probes, loss_evaluations, seconds })
}

/// Brings a batch to the device; bytes become floats there, as the recording's first operation.
pub(super) fn bring(
    backend: &mut dyn Backend,
    recording: &mut Recording,
    source: &BatchSource<'_>,
    features: usize,
    cursor: crate::backend::Words,
) -> Result<Batch> {
    let samples = source.samples();
    match *source {
        BatchSource::Floats { inputs, targets } => Ok(Batch {
            inputs: backend.tensor_from(inputs, samples, features, "inputs")?,
            targets: backend.words_from(targets, "targets")?,
            from_bytes: inputs.iter().all(|x| (-1.0..=1.0).contains(x)),
        }),
        BatchSource::Bytes { images, labels } => {
            let order: Vec<u32> = (0..samples as u32).collect();
            let batch = Batch {
                inputs: backend.tensor(samples, features, "inputs")?,
                targets: backend.words(samples, "targets")?,
                from_bytes: true,
            };
            recording.push(Gather {
                images: backend.bytes_from(images, features, "images")?,
                labels: backend.bytes_from(labels, 1, "labels")?,
                indices: backend.words_from(&order, "indices")?,
                cursor,
                inputs: batch.inputs,
                targets: batch.targets,
            })?;
            Ok(batch)
        }
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len().is_multiple_of(2) { 0.5 * (times[middle - 1] + times[middle]) } else { times[middle] }
}
