//! Of how many weights the derivatives of accuracy and loss are exactly 0.
//!
//! The loss's quotients are the engine's own, which do not cancel. The accuracy's are literal: forward passes with one
//! weight moved to both sides, many weights at once. A moved weight shifts its unit's pre-activations by `h` times its
//! input; what is before it stays.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{CHUNK, Samples, Watch, chunk_rows, padded, working_bytes};
use crate::backend::{Activate, Argmax, Backend, BatchMatmul, Matmul, Recording, Scope, Shift, Tensor, Words};
use crate::gradient::{Batch, BatchSource, Forward, GradientOptions, NetworkTensors, measured_gradient};
use crate::network::{Activation, Network};
use crate::{Error, Result};

/// Most weights that are moved in one submission.
const MOST_AT_ONCE: usize = 64;

/// What was found of the sampled weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// Weights looked at.
    pub weights: usize,
    /// Of these, those whose accuracy quotient is exactly 0.
    pub zero_accuracy: usize,
    /// Those whose loss quotient is exactly 0.
    pub zero_loss: usize,
    /// Those whose input is 0 in every sample: nothing can depend on them.
    pub zero_input: usize,
    /// Those whose loss quotient is exactly 0 although their input is not always 0.
    pub zero_loss_with_input: usize,
}

/// Places of `count` different weights (no biases) in the block, in order; all where there are no more.
#[must_use]
pub fn sampled_weights(network: &Network, count: usize, seed: u64) -> Vec<usize> {
    let layers = network.layout.layers();
    let mut places: Vec<usize> = layers.iter().flat_map(|layer| layer.weight.range()).collect();
    let mut generator = Pcg64::seed_from_u64(seed ^ 0x6c61_6e64_7363_6170);
    let count = count.min(places.len());
    for index in 0..count {
        let other = generator.random_range(index..places.len());
        places.swap(index, other);
    }
    places.truncate(count);
    places.sort_unstable();
    places
}

/// The central difference quotient of the mean loss by every parameter, laid out like these.
///
/// # Errors
/// [`Error::Config`] for samples that do not fit or a step that is none; or when the device fails.
pub fn loss_derivatives(
    backend: &mut dyn Backend,
    network: &Network,
    samples: Samples<'_>,
    options: GradientOptions,
) -> Result<Vec<f64>> {
    samples.check(network)?;
    let mut sums = vec![0.0; network.layout.len()];
    for Samples { images, labels } in samples.chunks(network.architecture.inputs(), CHUNK) {
        let source = BatchSource::Bytes { images, labels };
        let found = measured_gradient(backend, network, &source, options, None)?;
        let share = labels.len() as f64 / samples.len() as f64;
        sums.iter_mut().zip(found.gradient).for_each(|(sum, quotient)| *sum += share * f64::from(quotient));
    }
    Ok(sums)
}

/// Counts the quotients that are exactly 0 among `weights` (places in the block); those of the loss by all parameters are
/// `derivatives`, of [`loss_derivatives`]. No more is on the device at a time than `memory` bytes, or what 64 samples and
/// one weight take.
///
/// # Errors
/// [`Error::Config`] when something does not fit; [`Error::Interrupted`] when `watch` said so; or when the device fails.
pub fn shares(
    backend: &mut dyn Backend,
    network: &Network,
    weights: &[usize],
    derivatives: &[f64],
    samples: Samples<'_>,
    step_size: f32,
    memory: Option<u64>,
    watch: Watch<'_>,
) -> Result<Shares> {
    samples.check(network)?;
    let mut moved = Vec::with_capacity(weights.len());
    for &place in weights {
        moved.push(Moved::at(network, place)?);
    }
    let mut seen = 0;
    let sizes = &network.architecture.sizes;
    let (all, most) = (sizes.iter().sum::<usize>(), sizes[1..].iter().copied().max().unwrap_or(0));
    // Twice as many activations as units, and those of one moved weight.
    let rows = chunk_rows(memory, 4 * (2 * all + 3 * most + 4 * all), 4 * network.layout.len());
    for chunk in samples.chunks(network.architecture.inputs(), rows) {
        let mut at = |done: usize| {
            let done = 2 * (seen * weights.len() + chunk.len() * done) / samples.len();
            if watch(done as u64) { Ok(()) } else { Err(Error::Interrupted) }
        };
        Scope::with(backend, |backend| chunk_shares(backend, network, &mut moved, chunk, step_size, memory, &mut at))?;
        seen += chunk.len();
    }
    let mut found = Shares { weights: weights.len(), ..Shares::default() };
    for (moved, &place) in moved.iter().zip(weights) {
        let zero_loss = derivatives.get(place) == Some(&0.0);
        found.zero_accuracy += usize::from(moved.gained == 0);
        found.zero_loss += usize::from(zero_loss);
        found.zero_input += usize::from(!moved.has_input);
        found.zero_loss_with_input += usize::from(zero_loss && moved.has_input);
    }
    Ok(found)
}

/// A weight that is moved.
#[derive(Debug, Clone, Copy)]
struct Moved {
    layer: usize,
    input: usize,
    unit: usize,
    /// Right answers above, less those below.
    gained: i64,
    /// Whether its input is other than 0 in some sample.
    has_input: bool,
}

impl Moved {
    fn at(network: &Network, place: usize) -> Result<Self> {
        let mut layers = network.layout.layers().iter().enumerate();
        let found = layers.find(|(_, layer)| layer.weight.range().contains(&place)).map(|(index, layer)| {
            let (at, units) = (place - layer.weight.offset, layer.weight.columns);
            Self { layer: index, input: at / units, unit: at % units, gained: 0, has_input: false }
        });
        found.ok_or_else(|| Error::config(format!("there is no weight at {place}")))
    }
}

/// Adds what a chunk of samples says of each weight.
fn chunk_shares(
    backend: &mut dyn Backend,
    network: &Network,
    moved: &mut [Moved],
    chunk: Samples<'_>,
    step_size: f32,
    memory: Option<u64>,
    at: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let architecture = &network.architecture;
    let (inputs, rows) = padded(chunk, architecture.inputs());
    let tensors = NetworkTensors::upload(backend, network)?;
    let x = backend.tensor_from(&inputs, rows, architecture.inputs(), "inputs")?;
    let batch = Batch { inputs: x, targets: backend.words(rows, "targets")?, from_bytes: true };
    let forward = Forward::new(backend, architecture, rows)?;
    let mut recording = Recording::new();
    forward.record_outputs(&mut recording, &tensors, &batch)?;
    backend.run_once(&recording)?;
    let mut done = 0;
    for of_layer in moved.chunk_by_mut(|a, b| a.layer == b.layer) {
        let layer = of_layer[0].layer;
        let values = if layer == 0 { inputs.clone() } else { backend.read_tensor(forward.activations[layer - 1])? };
        let columns = architecture.sizes[layer];
        let real = &values[..chunk.len() * columns];
        for one in of_layer.iter_mut().filter(|one| !one.has_input) {
            one.has_input = real.iter().skip(one.input).step_by(columns).any(|&value| value != 0.0);
        }
        Scope::with(backend, |backend| {
            let moves = Moves::new(backend, &tensors, &forward, &batch, layer, of_layer.len(), step_size, memory)?;
            for part in of_layer.chunks_mut(moves.group) {
                at(done)?;
                moves.count(backend, part, chunk.labels)?;
                done += part.len();
            }
            Ok::<(), Error>(())
        })?;
    }
    Ok(())
}

/// Forward passes with weights of one layer moved to both sides.
struct Moves {
    program: crate::backend::ProgramId,
    group: usize,
    rows: usize,
    /// `[I, G]`: 1 where a weight's input is.
    selection: Tensor,
    /// `[G, G U + U]`: of each weight, 1 where its unit is, and biases of 0.
    units: Tensor,
    /// `[2 G rows]`
    predictions: Words,
}

impl Moves {
    fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        layer: usize,
        weights: usize,
        step_size: f32,
        memory: Option<u64>,
    ) -> Result<Self> {
        let architecture = &network.architecture;
        let rows = batch.inputs.rows;
        let (inputs, units) = (architecture.sizes[layer], architecture.sizes[layer + 1]);
        let behind: usize = architecture.sizes[layer + 2..].iter().sum();
        let each = 4 * rows * (3 * units + 4 * behind);
        let besides = 4 * (network.parameters.len() + rows * 2 * architecture.sizes.iter().sum::<usize>());
        let group = (working_bytes(backend, memory, besides) / each).clamp(1, MOST_AT_ONCE).min(weights);
        let selection = backend.tensor(inputs, group, "selected inputs")?;
        let width = group * units + units;
        let selected_units = backend.tensor(group, width, "selected units")?;
        let columns = backend.tensor(rows, group, "inputs of moved weights")?;
        let shift = backend.tensor(group * rows, units, "shifts")?;
        let mut values = backend.tensor(2 * group * rows, units, "moved activations")?;
        let activation = |layer: usize| {
            if layer + 1 < architecture.layers() { architecture.activation } else { Activation::Identity }
        };
        let mut recording = Recording::new();
        let (a, b) = (forward.layer_inputs(batch, layer), selection);
        recording.push(Matmul { a, transpose_a: false, b, transpose_b: false, bias: None, out: columns })?;
        let (weight_at, bias_at) = (0, group * units);
        recording.push(BatchMatmul { a: columns, shared: true, b: selected_units, weight_at, bias_at, out: shift })?;
        let base = forward.pre_activations[layer];
        recording.push(Shift { activation: activation(layer), base, shift, step_size, out: values })?;
        for next in layer + 1..architecture.layers() {
            let sums = backend.tensor(2 * group * rows, architecture.sizes[next + 1], "moved pre-activations")?;
            let (b, bias) = (network.weight(next), Some(network.bias(next)));
            recording.push(Matmul { a: values, transpose_a: false, b, transpose_b: false, bias, out: sums })?;
            values = sums;
            if activation(next) != Activation::Identity {
                values = backend.tensor(sums.rows, sums.columns, "moved activations")?;
                recording.push(Activate { activation: activation(next), x: sums, out: values })?;
            }
        }
        let predictions = backend.words(2 * group * rows, "predictions")?;
        recording.push(Argmax { x: values, out: predictions })?;
        let program = backend.prepare(&recording)?;
        Ok(Self { program, group, rows, selection, units: selected_units, predictions })
    }

    /// Adds to each weight the right answers above, less those below.
    fn count(&self, backend: &mut dyn Backend, weights: &mut [Moved], labels: &[u8]) -> Result<()> {
        let mut selection = vec![0.0; self.selection.len()];
        let mut units = vec![0.0; self.units.len()];
        let columns = self.units.columns / (self.group + 1);
        for (index, one) in weights.iter().enumerate() {
            selection[one.input * self.group + index] = 1.0;
            units[index * self.units.columns + index * columns + one.unit] = 1.0;
        }
        backend.write_tensor(self.selection, &selection)?;
        backend.write_tensor(self.units, &units)?;
        backend.run(self.program, 1)?;
        let predictions = backend.read_words(self.predictions)?;
        let right =
            |side: &[u32]| side.iter().zip(labels).filter(|&(&found, &label)| found == u32::from(label)).count();
        for (one, both) in weights.iter_mut().zip(predictions.chunks_exact(2 * self.rows)) {
            let (above, below) = both.split_at(self.rows);
            one.gained += right(above) as i64 - right(below) as i64;
        }
        Ok(())
    }
}
