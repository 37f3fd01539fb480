//! The kernels of the numerical gradient: curves of the units before the outputs, and of units with a layer behind.

use criterion::{Criterion, Throughput};
use gpu_train::backend::{Matmul, ProbeBehind, ProbeChunk, ProbeCurve, ProbeDifference, ProbedLayer, Recording};
use gpu_train::network::{Activation, OutputLoss};

use super::support::{CLASSES, Device, NETWORKS, classes, measure, probabilities, report, tensor};

/// `h`
const STEP_SIZE: f32 = 1e-4;
const OUTPUT: OutputLoss = OutputLoss::CrossEntropy { epsilon: 1e-7 };
/// Larger than any check of a curve: all are accepted.
const ANY: f32 = 1e30;
/// Samples whose curves through a hidden layer are followed.
const DEEP_SAMPLES: usize = 16;

pub(crate) fn bench(criterion: &mut Criterion, device: &mut Device) {
    for (sizes, batch) in NETWORKS {
        report("probe curve", curve(criterion, device, batch, sizes[sizes.len() - 2]));
        if let [_, probed, behind, _] = *sizes {
            report("probe deep", deep(criterion, device, probed, behind));
        }
    }
}

fn curve(criterion: &mut Criterion, device: &mut Device, samples: usize, units: usize) -> gpu_train::Result<()> {
    let (shape, curves) = (format!("{samples}x{units}x{CLASSES}"), Throughput::Elements((samples * units) as u64));
    measure(criterion, device, "probe curve", &shape, Some(curves), |backend| {
        let layer = ProbedLayer {
            activation: Activation::Sigmoid,
            pre_activations: tensor(backend, samples, units, 1.0)?,
            next: Some(tensor(backend, units, CLASSES, 0.3)?),
            y: probabilities(backend, samples)?,
            targets: backend.words_from(&classes(samples), "targets")?,
            output: OUTPUT,
            step_size: STEP_SIZE,
        };
        let coefficients = backend.tensor(samples, units, "coefficients")?;
        let errors = backend.tensor(samples, units, "errors")?;
        let mut recording = Recording::new();
        recording.push(ProbeCurve { layer, range: None, nodes: 1, tolerance: ANY, coefficients, errors })?;
        Ok(recording)
    })
}

/// Moves of the units behind, their product with the weights that lead to the logits, and the loss's changes; where the
/// device does it in one, in one.
fn deep(criterion: &mut Criterion, device: &mut Device, units: usize, behind: usize) -> gpu_train::Result<()> {
    let curves = DEEP_SAMPLES * units;
    let shape = format!("{DEEP_SAMPLES}x{units}x{behind}x{CLASSES}");
    measure(criterion, device, "probe deep", &shape, Some(Throughput::Elements(curves as u64)), |backend| {
        let chunk = ProbeChunk {
            activation: Activation::Sigmoid,
            pre_activations: tensor(backend, DEEP_SAMPLES, units, 1.0)?,
            range: None,
            step_size: STEP_SIZE,
            nodes: 1,
            first: 0,
            count: curves,
        };
        let (weight, next) = (tensor(backend, units, behind, 0.1)?, tensor(backend, behind, CLASSES, 0.3)?);
        let pre_behind = tensor(backend, DEEP_SAMPLES, behind, 1.0)?;
        let out = backend.tensor(chunk.rows(), behind, "moves behind")?;
        let moves = backend.tensor(chunk.rows(), CLASSES, "moves of logits")?;
        let kinks = backend.tensor(curves, 1, "kinks")?;
        let mut recording = Recording::new();
        recording.push(ProbeBehind { chunk, weight, behind: pre_behind, out, kinks })?;
        recording.push(Matmul { a: out, transpose_a: false, b: next, transpose_b: false, bias: None, out: moves })?;
        recording.push(ProbeDifference {
            chunk,
            moves,
            kinks,
            y: probabilities(backend, DEEP_SAMPLES)?,
            targets: backend.words_from(&classes(DEEP_SAMPLES), "targets")?,
            output: OUTPUT,
            tolerance: ANY,
            coefficients: backend.tensor(DEEP_SAMPLES, units, "coefficients")?,
            errors: backend.tensor(DEEP_SAMPLES, units, "errors")?,
        })?;
        Ok(recording)
    })
}
