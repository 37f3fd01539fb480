//! Gradients of whole networks, numerical and by back-propagation, from a batch's bytes on.

use super::case::{Case, Work};
use super::draw::images;
use super::kernels::networks;
use super::reference::{EPSILON, hold};
use super::{Options, Suite};
use crate::Result;
use crate::backend::{Backend, Gather, Recording};
use crate::gradient::{
    Batch, BatchSource, Difference, GradientOptions, GradientStep, Method, NetworkTensors, incremental_quotients,
};
use crate::network::{Activation, Architecture, Initialization, Network, OutputLoss};

/// Back-propagation first: what the other is compared with.
pub(super) const METHODS: [Method; 2] = [Method::Backprop, Method::Numerical];

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let (seed, memory) = (options.seed, options.memory);
    let mut cases = Vec::new();
    for (sizes, batch) in networks(options.quick) {
        for method in METHODS {
            let work = work(sizes, batch, method);
            let time = move |backend: &mut dyn Backend, stopwatch: &super::timing::Stopwatch<'_>| {
                let mut gradient = Prepared::new(backend, &network(sizes, seed)?, batch, method, memory)?;
                stopwatch.check()?;
                gradient.run(backend, 1)?;
                gradient.check(backend)?;
                let mut timing = stopwatch.time(backend, &mut |backend, times| gradient.run(backend, times))?;
                if !gradient.step.must_be_refined() {
                    stopwatch.time_on_device(backend, gradient.program, &mut timing)?;
                }
                backend.discard(gradient.program);
                Ok(timing)
            };
            cases.push(Case::new(Suite::Gradient, method.name(), shape(sizes, batch), work, time));
        }
    }
    cases
}

/// Fresh, as at the beginning of a run.
pub(super) fn network(sizes: &[usize], seed: u64) -> Result<Network> {
    let output = OutputLoss::CrossEntropy { epsilon: EPSILON };
    let architecture = Architecture::new(sizes.to_vec(), Activation::Sigmoid, output)?;
    Ok(Network::initialized(architecture, Initialization::Xavier, seed))
}

pub(super) fn shape(sizes: &[usize], batch: usize) -> String {
    let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    format!("{}, batch {batch}", sizes.join("-"))
}

/// The products without which there is no gradient: pixels that are 0 (80 of 100) are left out, since they can be, and
/// functions are not counted.
pub(super) fn work(sizes: &[usize], batch: usize, method: Method) -> Work {
    /// Of the embedded images' pixels.
    const NOT_ZERO: f64 = 0.19;
    let pairs: Vec<f64> = sizes.windows(2).map(|pair| (pair[0] * pair[1]) as f64).collect();
    let inputs = pairs.first().copied().unwrap_or(0.0) * NOT_ZERO;
    let hidden: f64 = pairs.iter().skip(1).sum();
    // Forward and the weights' gradient.
    let both = 2.0 * (inputs + hidden);
    let more = match method {
        Method::Numerical => followed(sizes),
        _ => hidden,
    };
    let parameters: usize = sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
    let bytes = 4 * 2 * parameters + batch * sizes.first().copied().unwrap_or(0);
    Work { flops: Some(2.0 * batch as f64 * (both + more)), bytes: Some(bytes as f64), dispatches: 1 }
}

/// Multiply-adds a sample behind the probed units: two moves of each, through all layers that follow.
fn followed(sizes: &[usize]) -> f64 {
    let behind = |layer: usize| -> usize {
        let products: usize = sizes[layer + 1..].windows(2).map(|pair| pair[0] * pair[1]).sum();
        2 * sizes[layer] * (sizes[layer + 1] + products)
    };
    (1..sizes.len().saturating_sub(2)).map(behind).sum::<usize>() as f64
}

/// A gradient on the device, and what it is the gradient of on the host.
struct Prepared {
    network: Network,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    tensors: NetworkTensors,
    batch: Batch,
    step: GradientStep,
    program: crate::backend::ProgramId,
    options: GradientOptions,
}

impl Prepared {
    fn new(
        backend: &mut dyn Backend,
        network: &Network,
        samples: usize,
        method: Method,
        memory: Option<u64>,
    ) -> Result<Self> {
        let features = network.architecture.inputs();
        let (pixels, labels) = images(samples)?;
        let order: Vec<u32> = (0..samples as u32).collect();
        let tensors = NetworkTensors::upload(backend, network)?;
        let cursor = backend.words(1, "cursor")?;
        let batch = Batch {
            inputs: backend.tensor(samples, features, "inputs")?,
            targets: backend.words(samples, "targets")?,
            from_bytes: true,
        };
        let options = GradientOptions { method, memory, ..GradientOptions::default() };
        let step = GradientStep::new(backend, &tensors, &batch, options)?;
        let mut recording = Recording::new();
        recording.push(Gather {
            images: backend.bytes_from(&pixels, features, "images")?,
            labels: backend.bytes_from(&labels, 1, "labels")?,
            indices: backend.words_from(&order, "indices")?,
            cursor,
            inputs: batch.inputs,
            targets: batch.targets,
        })?;
        let losses = backend.tensor(1, 1, "loss")?;
        step.record(&mut recording, &tensors, &batch, losses, cursor)?;
        let program = backend.prepare(&recording)?;
        Ok(Self { network: network.clone(), pixels, labels, tensors, batch, step, program, options })
    }

    fn run(&mut self, backend: &mut dyn Backend, times: usize) -> Result<()> {
        if self.step.must_be_refined() {
            for _ in 0..times {
                backend.run(self.program, 1)?;
                self.step.refine(backend, &self.tensors, &self.batch)?;
            }
        } else {
            backend.run(self.program, times)?;
        }
        backend.wait()
    }

    /// Holds parameters of every tensor to their quotients in float64.
    fn check(&self, backend: &mut dyn Backend) -> Result<()> {
        /// Of each tensor; the largest is one of them.
        const PARAMETERS: usize = 4;
        /// Of the largest quotient seen in a tensor: float32's sums over a batch err by a few millionths of it.
        const TOLERANCE: f64 = 2e-5;
        let got = backend.read_tensor(self.step.gradient)?;
        let source = BatchSource::Bytes { images: &self.pixels, labels: &self.labels };
        for tensor in self.network.layout.tensors() {
            let size = |&place: &usize| got[place].abs();
            let largest = tensor.range().max_by(|a, b| size(a).total_cmp(&size(b)));
            let step = tensor.range().len().div_ceil(PARAMETERS) | 1;
            let places: Vec<_> = tensor.range().step_by(step).chain(largest).collect();
            let quotients =
                incremental_quotients(&self.network, &source, &places, Difference::Central, self.options.step_size)?;
            let scale = quotients.iter().fold(0.0, |most: f64, quotient| most.max(quotient.abs()));
            for (&place, &quotient) in places.iter().zip(&quotients) {
                hold(backend, self.options.method.name(), got[place].into(), (quotient, TOLERANCE * scale))?;
            }
        }
        Ok(())
    }
}
