//! The gradient of one batch that the caller holds in memory.

use super::ProbeReport;
use super::forward::{Batch, NetworkTensors};
use super::step::{GradientOptions, GradientStep};
use crate::backend::{Backend, Recording};
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
    let mut device = Scope { buffers: Vec::new(), backend };
    let result = device.gradient(network, inputs, targets, options);
    device.release();
    result
}

/// A backend that remembers what was allocated, to give it back.
struct Scope<'a> {
    backend: &'a mut dyn Backend,
    buffers: Vec<crate::backend::BufferId>,
}

impl Scope<'_> {
    fn gradient(
        &mut self,
        network: &Network,
        inputs: &[f32],
        targets: &[u32],
        options: GradientOptions,
    ) -> Result<BatchGradient> {
        let backend: &mut dyn Backend = self;
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

    fn release(&mut self) {
        for buffer in std::mem::take(&mut self.buffers) {
            self.backend.free(buffer);
        }
    }
}

impl Backend for Scope<'_> {
    fn info(&self) -> &crate::device::DeviceInfo {
        self.backend.info()
    }
    fn max_buffer_bytes(&self) -> u64 {
        self.backend.max_buffer_bytes()
    }
    fn allocate(&mut self, bytes: usize, label: &str) -> Result<crate::backend::BufferId> {
        let buffer = self.backend.allocate(bytes, label)?;
        self.buffers.push(buffer);
        Ok(buffer)
    }
    fn free(&mut self, buffer: crate::backend::BufferId) {
        self.buffers.retain(|&held| held != buffer);
        self.backend.free(buffer);
    }
    fn write(&mut self, buffer: crate::backend::BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.backend.write(buffer, offset, bytes)
    }
    fn begin_read(&mut self, span: crate::backend::Span) -> Result<crate::backend::ReadId> {
        self.backend.begin_read(span)
    }
    fn finish_read(&mut self, read: crate::backend::ReadId) -> Result<Vec<u8>> {
        self.backend.finish_read(read)
    }
    fn prepare(&mut self, recording: &Recording) -> Result<crate::backend::ProgramId> {
        self.backend.prepare(recording)
    }
    fn discard(&mut self, program: crate::backend::ProgramId) {
        self.backend.discard(program);
    }
    fn run(&mut self, program: crate::backend::ProgramId, times: usize) -> Result<()> {
        self.backend.run(program, times)
    }
    fn wait(&mut self) -> Result<()> {
        self.backend.wait()
    }
}
