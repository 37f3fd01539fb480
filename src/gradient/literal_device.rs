//! The textbook's loop on a device: full forward passes in float32, thousands of moved parameters at once. It is as
//! exact as float32 losses are, that is, hardly: two losses that differ in their last digits are subtracted. This is
//! what frameworks that batch the loop compute, and what the engine's own gradient is to be compared with.
//!
//! Floor: as the float64 loop's, `2 N sum_l I_l U_l` operations a loss, for each point of each parameter.

use super::batch::bring;
use super::forward::{Forward, NetworkTensors};
use super::literal::{LiteralOptions, LiteralQuotients, check_places};
use super::source::BatchSource;
use crate::backend::{Backend, ColumnSums, MovedAffine, Recording, Scope, Tensor, Words};
use crate::network::Network;
use crate::{Error, Result};

/// The largest tensor of a run, in bytes, where the device allows it.
const LARGEST: u64 = 32 << 20;

/// Parameters of a run: beyond so many it takes longer, but no less for each, and Ctrl-C waits for it.
const MOST_PARAMETERS: usize = 512;

/// A place that is in no layer.
const NOWHERE: u32 = u32::MAX;

/// The quotients of these parameters (places in the block), each from full forward passes in float32 on the device;
/// they are divided by the step that was really taken, which rounding makes of `theta + h` and `theta - h`.
///
/// `watch` is called after each run with the number of parameters done; `false` stops.
///
/// # Errors
/// [`Error::Config`] for a batch that does not fit or a place that is no parameter; [`Error::Interrupted`] when
/// `watch` said so; or when the device fails.
pub fn device_literal_quotients(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    parameters: &[usize],
    options: LiteralOptions,
    watch: &dyn Fn(u64) -> bool,
) -> Result<LiteralQuotients> {
    source.check(network)?;
    check_places(network, parameters)?;
    Scope::with(backend, |backend| run(backend, network, source, parameters, options, watch))
}

fn run(
    backend: &mut dyn Backend,
    network: &Network,
    source: &BatchSource<'_>,
    parameters: &[usize],
    options: LiteralOptions,
    watch: &dyn Fn(u64) -> bool,
) -> Result<LiteralQuotients> {
    let points = options.difference.points();
    let widest = network.architecture.sizes.iter().skip(1).max().copied().unwrap_or(1);
    let each = (source.samples() * widest * points.len() * 4) as u64;
    let room = LARGEST.min(backend.max_buffer_bytes()) / each;
    let count = usize::try_from(room).unwrap_or(usize::MAX).clamp(1, MOST_PARAMETERS).min(parameters.len().max(1));
    let run = Run::new(backend, network, source, count * points.len())?;
    let mut found = LiteralQuotients { loss: f64::NAN, quotients: Vec::new(), loss_evaluations: 1 };
    // Nothing moved: the loss itself.
    let base = run.losses(backend, network, &[(NOWHERE as usize, 0.0)])?;
    found.loss = base.first().copied().unwrap_or(f64::NAN);
    for part in parameters.chunks(count) {
        let mut moves = Vec::with_capacity(part.len() * points.len());
        for &place in part {
            let value = f64::from(network.parameters[place]);
            let h = f64::from(options.step_size);
            moves.extend(points.iter().map(|(offset, _)| (place, (value + offset * h) as f32)));
        }
        let losses = run.losses(backend, network, &moves)?;
        for (losses, moves) in losses.chunks(points.len()).zip(moves.chunks(points.len())) {
            let sum: f64 = losses.iter().zip(points).map(|(loss, (_, weight))| loss * weight).sum();
            found.quotients.push(sum / step_taken(points, moves));
        }
        found.loss_evaluations += moves.len() as u64;
        if !watch(found.quotients.len() as u64) {
            return Err(Error::Interrupted);
        }
    }
    Ok(found)
}

/// The `h` of which the outermost moved values are the multiples that they should be.
fn step_taken(points: &[(f64, f64)], moves: &[(usize, f32)]) -> f64 {
    let ends = points.iter().zip(moves).map(|((offset, _), (_, value))| (*offset, f64::from(*value)));
    let (mut low, mut high) = ((f64::INFINITY, 0.0), (f64::NEG_INFINITY, 0.0));
    for end in ends {
        low = if end.0 < low.0 { end } else { low };
        high = if end.0 > high.0 { end } else { high };
    }
    (high.1 - low.1) / (high.0 - low.0)
}

/// The program that computes the losses of `sets` sets of parameters.
struct Run {
    program: crate::backend::ProgramId,
    sets: usize,
    samples: usize,
    /// `[sets]` for each layer.
    places: Vec<Words>,
    /// `[1, sets]`
    values: Tensor,
    /// `[1, sets]`
    sums: Tensor,
}

impl Run {
    fn new(backend: &mut dyn Backend, network: &Network, source: &BatchSource<'_>, sets: usize) -> Result<Self> {
        let architecture = &network.architecture;
        let samples = source.samples();
        let tensors = NetworkTensors::upload(backend, network)?;
        let cursor = backend.words(1, "cursor")?;
        let mut recording = Recording::new();
        let mut batch = bring(backend, &mut recording, source, architecture.inputs(), cursor)?;
        // The batch's targets are of one set; here each stands for all sets.
        let targets: Vec<u32> = source.targets().iter().flat_map(|&target| std::iter::repeat_n(target, sets)).collect();
        batch.targets = backend.words_from(&targets, "targets of all sets")?;
        let values = backend.tensor(1, sets, "moved values")?;
        let places =
            (0..architecture.layers()).map(|_| backend.words(sets, "moved places")).collect::<Result<Vec<_>>>()?;
        let forward = Forward::new(backend, architecture, samples * sets)?;
        for (layer, &out) in forward.pre_activations.iter().enumerate() {
            recording.push(MovedAffine {
                inputs: forward.layer_inputs(&batch, layer),
                weight: tensors.weight(layer),
                bias: tensors.bias(layer),
                places: places[layer],
                values,
                out,
            })?;
            forward.record_activation(&mut recording, &tensors, layer)?;
        }
        forward.record_sample_losses(&mut recording, &tensors, &batch)?;
        let sums = backend.tensor(1, sets, "sums of losses")?;
        recording.push(ColumnSums { x: forward.sample_losses.reshaped(samples, sets), out: sums })?;
        Ok(Self { program: backend.prepare(&recording)?, sets, samples, places, values, sums })
    }

    /// The mean losses with one parameter each at another value.
    fn losses(&self, backend: &mut dyn Backend, network: &Network, moves: &[(usize, f32)]) -> Result<Vec<f64>> {
        for (layer, &words) in network.layout.layers().iter().zip(&self.places) {
            let in_layer = |place: usize| {
                let len = layer.weight.range().len();
                let weight = place.checked_sub(layer.weight.offset).filter(|&at| at < len);
                let bias = place.checked_sub(layer.bias.offset).filter(|&at| at < layer.bias.columns);
                weight.or(bias.map(|at| len + at)).map_or(NOWHERE, |at| at as u32)
            };
            let mut places: Vec<u32> = moves.iter().map(|&(place, _)| in_layer(place)).collect();
            places.resize(self.sets, NOWHERE);
            backend.write_words(words, &places)?;
        }
        let mut values: Vec<f32> = moves.iter().map(|&(_, value)| value).collect();
        values.resize(self.sets, 0.0);
        backend.write_tensor(self.values, &values)?;
        backend.run(self.program, 1)?;
        let sums = backend.read_tensor(self.sums)?;
        Ok(sums.into_iter().take(moves.len()).map(|sum| f64::from(sum) / self.samples as f64).collect())
    }
}
