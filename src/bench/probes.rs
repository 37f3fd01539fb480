//! The kernels of the numerical gradient: loss curves of units, near the outputs and behind a hidden layer.

use super::case::{Case, Prepared, Work};
use super::draw::{Draw, targets};
use super::kernels::networks;
use super::reference::{EPSILON, cross_entropy, hold, row, sigmoid, softmax};
use super::{Options, Suite};
use crate::Result;
use crate::backend::{
    Backend, Matmul, ProbeBehind, ProbeChunk, ProbeCurve, ProbeDifference, ProbedLayer, Recording, Tensor,
};
use crate::network::{Activation, OutputLoss};

/// `h`
pub(super) const STEP_SIZE: f32 = 1e-4;
pub(super) const CLASSES: usize = 10;
/// Larger than any check of a curve: all are accepted.
const ANY: f32 = 1e30;
const OUTPUT: OutputLoss = OutputLoss::CrossEntropy { epsilon: EPSILON };
/// Curves that are held to the reference, at most.
const CHECKED: usize = 4_096;

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for (sizes, batch) in networks(options.quick) {
        let units = sizes[sizes.len() - 2];
        cases.push(near(batch, units, options.seed));
        if let [_, probed, behind, _] = *sizes {
            // As many curves as are followed at once where memory is no matter; some samples' are enough to time.
            let samples = if options.quick { 16 } else { 64 };
            cases.push(deep(samples.min(batch), probed, behind, options.seed));
        }
    }
    cases.dedup_by(|a, b| a.label() == b.label());
    cases
}

/// `(C(s) - C(-s)) / (2 N s)` at the one node of one pair, `s = h / sqrt(2)`, and how large such a coefficient may be:
/// float32 is a few roundings of that away.
fn coefficient(samples: usize, loss: impl Fn(f64) -> f64) -> f64 {
    let s = f64::from(STEP_SIZE) * 0.5_f64.sqrt();
    (loss(s) - loss(-s)) / (2.0 * samples as f64 * s)
}

/// Holds coefficients to the reference, curves from all over the layer.
pub(super) fn check(
    backend: &mut dyn Backend,
    kernel: &'static str,
    coefficients: Tensor,
    most: usize,
    expected: impl Fn(usize) -> f64,
) -> Result<()> {
    let got = backend.read_tensor(coefficients)?;
    let step = got.len().div_ceil(most) | 1;
    let wanted: Vec<_> = (0..got.len()).step_by(step).map(|index| (index, expected(index))).collect();
    // Each is a sum over classes (and units) that cancels in part: the largest stands for the size of the terms.
    let scale = wanted.iter().fold(0.0, |most: f64, (_, value)| most.max(value.abs()));
    wanted.iter().try_for_each(|&(index, value)| hold(backend, kernel, got[index].into(), (value, 2e-5 * scale)))
}

/// Sigmoids with these pre-activations, which lead to the logits through `next`.
pub(super) fn layer(
    backend: &mut dyn Backend,
    pre_activations: Tensor,
    next: Tensor,
    logits: &[f32],
    classes: &[u32],
) -> Result<ProbedLayer> {
    Ok(ProbedLayer {
        activation: Activation::Sigmoid,
        pre_activations,
        next: Some(next),
        y: outputs(backend, logits)?,
        targets: backend.words_from(classes, "targets")?,
        output: OUTPUT,
        step_size: STEP_SIZE,
    })
}

/// Curves of the units that lead to the logits.
fn near(samples: usize, units: usize, seed: u64) -> Case {
    let shape = format!("{samples}x{units}x{CLASSES}");
    let curves = samples * units;
    let bytes = 4 * (3 * curves + units * CLASSES + samples * (CLASSES + 1));
    let work = Work { flops: None, bytes: Some(bytes as f64), dispatches: 1 };
    Case::kernel(Suite::Kernels, "probe curve", shape, work, move |backend| {
        let mut draw = Draw::new(seed);
        let (pre_activations, a) = draw.tensor(backend, [samples, units], 1.0)?;
        let (next, weights) = draw.tensor(backend, [units, CLASSES], 0.3)?;
        let logits = draw.normals(samples * CLASSES, 1.0);
        let classes = targets(samples);
        let coefficients = backend.tensor(samples, units, "coefficients")?;
        let layer = layer(backend, pre_activations, next, &logits, &classes)?;
        let errors = backend.tensor(samples, units, "errors")?;
        let mut recording = Recording::new();
        recording.push(ProbeCurve { layer, range: None, nodes: 1, tolerance: ANY, coefficients, errors })?;
        let check = move |backend: &mut dyn Backend| {
            check(backend, "probe_curve", coefficients, CHECKED, |curve| {
                let (n, unit, a) = (curve / units, curve % units, f64::from(a[curve]));
                let base = row(&logits, n, CLASSES);
                coefficient(samples, |s| {
                    let change = sigmoid(a + s) - sigmoid(a);
                    let moved = base.iter().zip(row(&weights, unit, CLASSES)).map(|(base, w)| base + change * w);
                    cross_entropy(&moved.collect::<Vec<_>>(), classes[n])
                })
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

/// Curves of units with one hidden layer behind them: moves of its units, their product with the weights that lead to the
/// logits, and the loss's changes; where the device does it in one, in one.
pub(super) fn deep(samples: usize, units: usize, behind: usize, seed: u64) -> Case {
    let shape = format!("{samples}x{units}x{behind}x{CLASSES}");
    let curves = samples * units;
    // Two moves of a curve, each through all units behind: the change of a pre-activation and a row of the product.
    let flops = (2 * curves * behind * (1 + 2 * CLASSES)) as f64;
    let bytes = 4 * (3 * curves + units * behind + samples * (behind + CLASSES + 1) + behind * CLASSES);
    let work = Work { flops: Some(flops), bytes: Some(bytes as f64), dispatches: 1 };
    Case::kernel(Suite::Kernels, "probe deep", shape, work, move |backend| {
        let mut draw = Draw::new(seed);
        let (pre_activations, a) = draw.tensor(backend, [samples, units], 1.0)?;
        let (weight, weights) = draw.tensor(backend, [units, behind], 0.1)?;
        let (pre_behind, b) = draw.tensor(backend, [samples, behind], 1.0)?;
        let (next, last) = draw.tensor(backend, [behind, CLASSES], 0.3)?;
        let logits = draw.normals(samples * CLASSES, 1.0);
        let classes = targets(samples);
        let chunk = ProbeChunk {
            activation: Activation::Sigmoid,
            pre_activations,
            range: None,
            step_size: STEP_SIZE,
            nodes: 1,
            first: 0,
            count: curves,
        };
        let out = backend.tensor(chunk.rows(), behind, "moves behind")?;
        let moves = backend.tensor(chunk.rows(), CLASSES, "moves of logits")?;
        let kinks = backend.tensor(curves, 1, "kinks")?;
        let coefficients = backend.tensor(samples, units, "coefficients")?;
        let mut recording = Recording::new();
        recording.push(ProbeBehind { chunk, weight, behind: pre_behind, out, kinks })?;
        recording.push(Matmul { a: out, transpose_a: false, b: next, transpose_b: false, bias: None, out: moves })?;
        recording.push(ProbeDifference {
            chunk,
            moves,
            kinks,
            y: outputs(backend, &logits)?,
            targets: backend.words_from(&classes, "targets")?,
            output: OUTPUT,
            tolerance: ANY,
            coefficients,
            errors: backend.tensor(samples, units, "errors")?,
        })?;
        let check = move |backend: &mut dyn Backend| {
            check(backend, "probe_difference", coefficients, CHECKED / 16, |curve| {
                let (n, unit, a) = (curve / units, curve % units, f64::from(a[curve]));
                let (base, behind_it) = (row(&logits, n, CLASSES), row(&b, n, behind));
                let into = row(&weights, unit, behind);
                coefficient(samples, |s| {
                    let change = sigmoid(a + s) - sigmoid(a);
                    let mut moved = base.clone();
                    for (k, (b, w)) in behind_it.iter().zip(&into).enumerate() {
                        let change = sigmoid(b + change * w) - sigmoid(*b);
                        for (logit, last) in moved.iter_mut().zip(&last[k * CLASSES..]) {
                            *logit += change * f64::from(*last);
                        }
                    }
                    cross_entropy(&moved, classes[n])
                })
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

/// Probabilities of these logits, on the device.
fn outputs(backend: &mut dyn Backend, logits: &[f32]) -> Result<Tensor> {
    let samples = logits.len() / CLASSES;
    let y: Vec<f32> = (0..samples).flat_map(|n| softmax(&row(logits, n, CLASSES))).map(|y| y as f32).collect();
    backend.tensor_from(&y, samples, CLASSES, "outputs")
}
