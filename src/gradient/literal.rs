//! The textbook's loop in float64: each parameter is moved, the batch's loss computed anew, from the first layer to the
//! last. Nothing is remembered from one evaluation to the next: it is what the fast gradient is measured against.
//!
//! Floor: `2 N sum_l I_l U_l` operations a loss and two losses a parameter (four for the fourth-order quotients). For
//! 784-50-10 and 100 samples that is 0.63 TFLOP. The products go through the CPU path's blocked ones in
//! float64, whole samples' rows at once, and each thread takes parameters of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::Difference;
use super::source::BatchSource;
use super::wide::{Wide, activate, sample_loss};
use crate::backend::cpu::wide_matmul::{Scratch, affine};
use crate::network::{Activation, Network};
use crate::{Error, Result};

/// What a literal run is asked for.
#[derive(Debug, Clone, Copy)]
pub struct LiteralOptions {
    /// Which quotient.
    pub difference: Difference,
    /// `h`
    pub step_size: f32,
    /// Threads; `None`: all cores. They change no bit of the result.
    pub threads: Option<usize>,
}

/// What a literal run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct LiteralQuotients {
    /// The batch's mean loss, unperturbed.
    pub loss: f64,
    /// One quotient for each parameter that was asked for, in that order.
    pub quotients: Vec<f64>,
    /// Evaluations of the whole batch's loss.
    pub loss_evaluations: u64,
}

/// The places of all parameters of a network in its block, in order.
#[must_use]
pub fn all_parameters(network: &Network) -> Vec<usize> {
    network.layout.tensors().flat_map(|tensor| tensor.range()).collect()
}

/// The quotients of these parameters (places in the block), each from full forward passes in float64.
///
/// `watch` is called now and then with the number of parameters done, from any thread; `false` stops the run.
///
/// # Errors
/// [`Error::Config`] for a batch that does not fit or a place that is no parameter; [`Error::Interrupted`] when
/// `watch` said so.
pub fn literal_quotients(
    network: &Network,
    source: &BatchSource<'_>,
    parameters: &[usize],
    options: LiteralOptions,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<LiteralQuotients> {
    source.check(network)?;
    check_places(network, parameters)?;
    let wide = Wide::new(network, source);
    let h = f64::from(options.step_size);
    let points = options.difference.points();
    let loss = Pass::new(&wide).loss(&wide, &wide.parameters);
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = options.threads.unwrap_or_else(cores).clamp(1, parameters.len().max(1));
    let (next, done, stop) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
    // Each thread takes the next parameter that nobody took, so that none waits for another's share.
    let work = || {
        let mut pass = Pass::new(&wide);
        let mut moved = wide.parameters.clone();
        let mut found = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&place) = parameters.get(index) else { break };
            let value = wide.parameters[place];
            let sum: f64 = points
                .iter()
                .map(|(offset, weight)| {
                    moved[place] = value + offset * h;
                    weight * pass.loss(&wide, &moved)
                })
                .sum();
            moved[place] = value;
            found.push((index, sum / h));
            if !watch(done.fetch_add(1, Ordering::Relaxed) + 1) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        found
    };
    let mut quotients = vec![0.0; parameters.len()];
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        for (index, quotient) in found {
            quotients[index] = quotient;
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted);
    }
    let loss_evaluations = 1 + (parameters.len() * points.len()) as u64;
    Ok(LiteralQuotients { loss, quotients, loss_evaluations })
}

/// How many multiply-adds the literal gradient of a whole network takes: what its cost is told by.
#[must_use]
pub fn literal_cost(network: &Network, samples: usize, difference: Difference) -> f64 {
    let pass: usize = network.architecture.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let parameters = network.architecture.parameter_count();
    (parameters * difference.points().len()) as f64 * samples as f64 * pass as f64
}

/// What float64 itself may get wrong in each literal quotient: the losses are sums rounded a few times by up to
/// `2^-53 |L|`, and are divided by `h`.
#[must_use]
pub fn literal_floor(loss: f64, step_size: f32) -> f64 {
    4.0 * f64::EPSILON * loss.abs().max(1.0) / f64::from(step_size)
}

/// Whether each place is a parameter's.
pub(super) fn check_places(network: &Network, parameters: &[usize]) -> Result<()> {
    let is_there = |place: usize| network.layout.tensors().any(|tensor| tensor.range().contains(&place));
    match parameters.iter().find(|&&place| !is_there(place)) {
        Some(place) => Err(Error::config(format!("there is no parameter at {place}"))),
        None => Ok(()),
    }
}

/// The buffers of a forward pass of the whole batch.
struct Pass {
    /// `[N, U]` of each layer.
    values: Vec<Vec<f64>>,
    scratch: Vec<f64>,
    products: Scratch,
}

impl Pass {
    fn new(wide: &Wide<'_>) -> Self {
        let samples = wide.targets.len();
        let values = wide.layers().iter().map(|layer| vec![0.0; samples * layer.weight.columns]).collect();
        Self { values, scratch: Vec::new(), products: Scratch::default() }
    }

    /// The batch's mean loss under these parameters.
    fn loss(&mut self, wide: &Wide<'_>, parameters: &[f64]) -> f64 {
        for (index, layer) in wide.layers().iter().enumerate() {
            let (before, at) = self.values.split_at_mut(index);
            let inputs = before.last().unwrap_or(&wide.inputs);
            let Some(out) = at.first_mut() else { continue };
            let (weight, bias) = (&parameters[layer.weight.range()], &parameters[layer.bias.range()]);
            affine(inputs, weight, bias, out, &mut self.products);
            let activation = wide.activation(index);
            if activation != Activation::Identity {
                out.iter_mut().for_each(|a| *a = activate(activation, *a));
            }
        }
        let Some(logits) = self.values.last() else { return f64::NAN };
        let output = wide.network.architecture.output;
        let rows = logits.chunks_exact(wide.network.architecture.outputs());
        let losses =
            rows.zip(&wide.targets).map(|(logits, &target)| sample_loss(output, logits, target, &mut self.scratch));
        losses.sum::<f64>() / wide.targets.len() as f64
    }
}
