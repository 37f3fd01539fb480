//! Loss and accuracy at many points of a line or plane through a network's parameters.
//!
//! At the point `c` the parameters are `theta + sum_i c_i d_i`. The first layer is linear in its parameters, so that its
//! pre-activations there are the same sum of `X W + b` and of `X D_i + e_i`: large products that are computed once. A
//! point then costs a sum of few terms, the activations, and the layers behind, which are small in most networks.
//!
//! Floor: `2 N (m + 1) U_1` operations for the sum, `N` times the units' activations, and `2 N I_l U_l` for each layer
//! behind the first.

use super::{Samples, Watch, chunk_rows, padded, working_bytes};
use crate::backend::{Argmax, Backend, BatchMatmul, Matmul, ProgramId, Recording, Scope, Tensor, Words};
use crate::gradient::{Forward, NetworkTensors};
use crate::network::Network;
use crate::{Error, Result};

/// Loss and accuracy at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean loss over the samples.
    pub loss: f64,
    /// Share of samples whose largest output, the first of equals, is their class's.
    pub accuracy: f64,
}

/// Loss and accuracy at each point of `points`, `[P, m]` with `m` directions, each laid out like the network's
/// parameters. No more is on the device at a time than `memory` bytes, or what 64 samples at one point take.
///
/// # Errors
/// [`Error::Config`] when samples, directions or points do not fit; [`Error::Interrupted`] when `watch` said so; or when
/// the device fails.
pub fn scores(
    backend: &mut dyn Backend,
    network: &Network,
    directions: &[Vec<f32>],
    points: &[f32],
    samples: Samples<'_>,
    memory: Option<u64>,
    watch: Watch<'_>,
) -> Result<Vec<Score>> {
    samples.check(network)?;
    let dimensions = directions.len();
    if dimensions == 0 || !points.len().is_multiple_of(dimensions) {
        return Err(Error::config(format!("{} coordinates of points in {dimensions} dimensions", points.len())));
    }
    if directions.iter().any(|direction| direction.len() != network.layout.len()) {
        return Err(Error::config("a direction that is not as long as the parameters"));
    }
    let count = points.len() / dimensions;
    let mut sums = vec![(0.0f64, 0u64); count];
    let mut seen = 0;
    let needs = Needs::of(network, 1 + dimensions);
    let rows = chunk_rows(memory, needs.sample + needs.evaluation_sample, needs.parameters + needs.evaluation);
    for chunk in samples.chunks(network.architecture.inputs(), rows) {
        let mut at = |done: usize| {
            let share = (seen * count + chunk.len() * done) / samples.len();
            if watch(share as u64) { Ok(()) } else { Err(Error::Interrupted) }
        };
        Scope::with(backend, |backend| {
            let slice = Slice::new(backend, network, directions, chunk, count, memory)?;
            slice.add(backend, points, chunk, &mut sums, &mut at)
        })?;
        seen += chunk.len();
    }
    let all = samples.len() as f64;
    Ok(sums.into_iter().map(|(loss, correct)| Score { loss: loss / all, accuracy: correct as f64 / all }).collect())
}

/// Bytes on the device.
struct Needs {
    /// Of the parameters and directions.
    parameters: usize,
    /// Of each sample, whatever is evaluated.
    sample: usize,
    /// Of each point that is evaluated at once.
    evaluation: usize,
    /// Of each sample at each of these points.
    evaluation_sample: usize,
}

impl Needs {
    /// For `terms`: the network, and the directions.
    fn of(network: &Network, terms: usize) -> Self {
        let sizes = &network.architecture.sizes;
        let first = network.layout.layers().get(1).map_or(network.layout.len(), |layer| layer.weight.offset);
        let units: usize = sizes[1..].iter().sum::<usize>() + network.architecture.outputs();
        Self {
            parameters: 4 * (1 + terms) * network.layout.len(),
            sample: 4 * (sizes[0] + terms * sizes[1]),
            evaluation: 4 * (network.layout.len() - first),
            // Pre-activations and activations; target, loss and prediction.
            evaluation_sample: 4 * (2 * units + 3),
        }
    }
}

/// What is on the device for one chunk of samples.
struct Slice {
    program: ProgramId,
    /// Points of a run.
    group: usize,
    /// Samples, empty ones included.
    rows: usize,
    /// `[group, 1 + m]`: 1, and the coordinates.
    coordinates: Tensor,
    /// `[group * rows, 1]`
    losses: Tensor,
    /// `[group * rows]`
    predictions: Words,
}

impl Slice {
    fn new(
        backend: &mut dyn Backend,
        network: &Network,
        directions: &[Vec<f32>],
        chunk: Samples<'_>,
        points: usize,
        memory: Option<u64>,
    ) -> Result<Self> {
        let architecture = &network.architecture;
        let layers = network.layout.layers();
        let first = layers.get(1).map_or(network.layout.len(), |layer| layer.weight.offset);
        let rest = network.layout.len() - first;
        let terms = 1 + directions.len();
        let (inputs, rows) = padded(chunk, architecture.inputs());
        let needs = Needs::of(network, terms);
        let each = rows * needs.evaluation_sample + needs.evaluation;
        let room = working_bytes(backend, memory, needs.parameters + rows * needs.sample)
            .min(usize::try_from(backend.max_buffer_bytes()).unwrap_or(usize::MAX));
        let most = (room / each).clamp(1, points.max(1));
        // Runs of one size; of 4 points or a multiple, so that threads get the same, where there is room for so many.
        let group = points.max(1).div_ceil(points.max(1).div_ceil(most));
        let group = if most >= 4 { group.next_multiple_of(4).min(most / 4 * 4) } else { group };

        let blocks = || std::iter::once(&network.parameters).chain(directions);
        let gathered =
            |range: std::ops::Range<usize>| blocks().flat_map(|block| &block[range.clone()]).copied().collect();
        let of_first: Vec<f32> = gathered(0..first);
        let of_first = backend.tensor_from(&of_first, terms, first, "first layers")?;
        let x = backend.tensor_from(&inputs, rows, architecture.inputs(), "inputs")?;
        let columns = rows * architecture.sizes[1];
        let products = backend.tensor(terms, columns, "first layers' products")?;
        let mut once = Recording::new();
        for term in 0..terms {
            let view = |tensor: &crate::network::TensorLayout| Tensor {
                offset: term * first + tensor.offset,
                rows: tensor.rows,
                columns: tensor.columns,
                ..of_first
            };
            let out = Tensor { offset: term * columns, rows, columns: architecture.sizes[1], ..products };
            let (b, bias) = (view(&layers[0].weight), Some(view(&layers[0].bias)));
            once.push(Matmul { a: x, transpose_a: false, b, transpose_b: false, bias, out })?;
        }
        backend.run_once(&once)?;

        let coordinates = backend.tensor(group, terms, "coordinates")?;
        let tensors = NetworkTensors::upload(backend, network)?;
        let forward = Forward::new(backend, architecture, group * rows)?;
        let combination = |b: Tensor, out: Tensor| Matmul {
            a: coordinates,
            transpose_a: false,
            b,
            transpose_b: false,
            bias: None,
            out,
        };
        let mut recording = Recording::new();
        recording.push(combination(products, forward.pre_activations[0].reshaped(group, columns)))?;
        forward.record_activation(&mut recording, &tensors, 0)?;
        if rest > 0 {
            let behind: Vec<f32> = gathered(first..network.layout.len());
            let behind = backend.tensor_from(&behind, terms, rest, "layers behind")?;
            let moved = backend.tensor(group, rest, "layers behind, moved")?;
            recording.push(combination(behind, moved))?;
            for (index, layer) in layers.iter().enumerate().skip(1) {
                recording.push(BatchMatmul {
                    a: forward.activations[index - 1],
                    shared: false,
                    b: moved,
                    weight_at: layer.weight.offset - first,
                    bias_at: layer.bias.offset - first,
                    out: forward.pre_activations[index],
                })?;
                forward.record_activation(&mut recording, &tensors, index)?;
            }
        }
        let mut labels: Vec<u32> = chunk.labels.iter().map(|&label| label.into()).collect();
        labels.resize(rows, 0);
        let targets = backend.words_from(&labels.repeat(group), "targets")?;
        let batch = crate::gradient::Batch { inputs: x, targets, from_bytes: true };
        forward.record_sample_losses(&mut recording, &tensors, &batch)?;
        let predictions = backend.words(group * rows, "predictions")?;
        recording.push(Argmax { x: forward.outputs, out: predictions })?;
        let program = backend.prepare(&recording)?;
        Ok(Self { program, group, rows, coordinates, losses: forward.sample_losses, predictions })
    }

    /// Adds the chunk's losses and right answers at each point.
    fn add(
        &self,
        backend: &mut dyn Backend,
        points: &[f32],
        chunk: Samples<'_>,
        sums: &mut [(f64, u64)],
        at: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let dimensions = self.coordinates.columns - 1;
        let groups = points.chunks(self.group * dimensions).zip(sums.chunks_mut(self.group));
        for (index, (points, sums)) in groups.enumerate() {
            at(index * self.group)?;
            let point = |coordinates: &[f32]| std::iter::once(1.0).chain(coordinates.to_vec());
            let mut rows: Vec<f32> = points.chunks(dimensions).flat_map(point).collect();
            // The last run's spare points are evaluated and not looked at.
            rows.resize(self.coordinates.len(), 0.0);
            backend.write_tensor(self.coordinates, &rows)?;
            backend.run(self.program, 1)?;
            let losses = backend.begin_read(self.losses.span())?;
            let predictions = backend.read_words(self.predictions)?;
            let losses: Vec<f32> = bytemuck::cast_vec(backend.finish_read(losses)?);
            let samples = losses.chunks(self.rows).zip(predictions.chunks(self.rows));
            for ((loss, correct), (losses, predictions)) in sums.iter_mut().zip(samples) {
                *loss += losses[..chunk.len()].iter().map(|&loss| f64::from(loss)).sum::<f64>();
                let right = predictions.iter().zip(chunk.labels).filter(|&(&found, &label)| found == u32::from(label));
                *correct += right.count() as u64;
            }
        }
        Ok(())
    }
}
