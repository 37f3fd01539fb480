//! The gradient of one batch that the caller holds in memory.

use super::ProbeReport;
use super::forward::{Batch, NetworkTensors};
use super::step::{GradientOptions, GradientStep};
use crate::backend::{Backend, Recording, Scope};
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
/// [`Error::Config`] for inputs and targets that do not fit the network; or when the device fails.
pub fn batch_gradient(
    backend: &mut dyn Backend,
    network: &Network,
    inputs: &[f32],
    targets: &[u32],
    options: GradientOptions,
) -> Result<BatchGradient> {
    let (features, samples) = (network.architecture.inputs(), targets.len());
    if samples == 0 || inputs.len() != samples * features {
        return Err(Error::config(format!("{} inputs for {samples} samples of {features}", inputs.len())));
    }
    if let Some(target) = targets.iter().find(|&&target| target as usize >= network.architecture.outputs()) {
        return Err(Error::config(format!(
            "class {target} of a network of {} outputs",
            network.architecture.outputs()
        )));
    }
    Scope::with(backend, |backend| gradient(backend, network, inputs, targets, options))
}

/// The same, once everything is known to fit.
fn gradient(
    backend: &mut dyn Backend,
    network: &Network,
    inputs: &[f32],
    targets: &[u32],
    options: GradientOptions,
) -> Result<BatchGradient> {
    let samples = targets.len();
    let tensors = NetworkTensors::upload(backend, network)?;
    let batch = Batch {
        inputs: backend.tensor_from(inputs, samples, network.architecture.inputs(), "inputs")?,
        targets: backend.words_from(targets, "targets")?,
        from_bytes: inputs.iter().all(|x| (-1.0..=1.0).contains(x)),
    };
    let (losses, cursor) = (backend.tensor(1, 1, "loss")?, backend.words(1, "cursor")?);
    let step = GradientStep::new(backend, &tensors, &batch, options)?;
    let mut recording = Recording::new();
    step.record(&mut recording, &tensors, &batch, losses, cursor)?;
    backend.run_once(&recording)?;
    let loss = backend.read_tensor(losses)?[0];
    let gradient = backend.read_tensor(step.gradient)?;
    let (probes, loss_evaluations) = step.report(backend, 1)?;
    Ok(BatchGradient { loss, gradient, probes, loss_evaluations })
}
