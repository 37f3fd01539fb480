//! Every shader with every set of constants that the engine gives it: found by asking the kernels themselves, for
//! operations of every kind, so that no list has to be kept.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::kernel::Dispatch;
use super::probe_sums::ProbeSums;
use super::{DeviceClass, dispatches, head, matmul, probe_fused};
use crate::backend::fusion::{Head, Layer, ProbedBehind};
use crate::backend::op::{
    Activate, ActivationGradient, Advance, Argmax, BatchMatmul, ColumnSums, CountCorrect, CrossEntropy, CurveFeatures,
    DirectionalGradient, Directions, Fill, Formula, Gather, LossDifferences, LossGradient, MAX_NODES, Matmul, Mean,
    Measure, MovedAffine, MultiplyAdd, OneHot, Op, Perturb, PreciseAffine, ProbeBehind, ProbeChunk, ProbeCurve,
    ProbeDifference, ProbeList, ProbeSingle, ProbeThrough, ProbedLayer, QuotientPair, RowRange, Rule, Shift, Softmax,
    SumOfSquares, Targets, Update,
};
use crate::backend::tensor::{BufferId, Bytes, Tensor, Words};
use crate::formula::Formula as ParsedFormula;
use crate::network::{Activation, OutputLoss};

/// A shader with values for its constants.
#[derive(Debug, Clone, PartialEq)]
pub struct ShaderVariant {
    /// The shader's name.
    pub name: &'static str,
    /// Its WGSL.
    pub source: Cow<'static, str>,
    /// Its `override` constants.
    pub constants: Vec<(&'static str, f64)>,
}

/// All variants of all shaders, for both classes of devices.
#[must_use]
pub fn shader_catalogue() -> Vec<ShaderVariant> {
    let mut seen = HashSet::new();
    let mut variants = Vec::new();
    let mut add = |dispatch: Dispatch| {
        let bits = dispatch.constants.iter().map(|&(name, value)| (name, value.to_bits()));
        if seen.insert((dispatch.source.clone(), bits.collect::<Vec<_>>())) {
            let (name, source, constants) = (dispatch.name, dispatch.source, dispatch.constants);
            variants.push(ShaderVariant { name, source, constants });
        }
    };
    for op in every_operation() {
        for class in [DeviceClass::Gpu, DeviceClass::Software] {
            dispatches(&op, class).into_iter().for_each(&mut add);
        }
    }
    // What is done together, by numbers of classes on either side of the limits.
    for (activation, output) in deep_networks() {
        for chunk in chunks(activation) {
            for (classes, class) in [(2, DeviceClass::Gpu), (10, DeviceClass::Gpu), (13, DeviceClass::Software)] {
                let probes = probed_behind(chunk, output, classes);
                ProbeSums(probes).dispatches(class).into_iter().for_each(&mut add);
                probe_fused::dispatches(&probes, class).into_iter().for_each(&mut add);
            }
        }
    }
    heads().iter().map(head::dispatch).for_each(&mut add);
    layers().iter().filter_map(|layer| matmul::with_activation(layer, DeviceClass::Gpu)).for_each(&mut add);
    variants
}

/// A tensor that is nowhere: only its shape counts here.
fn tensor(rows: usize, columns: usize) -> Tensor {
    Tensor { buffer: BufferId(0), offset: 0, rows, columns }
}

fn words(len: usize) -> Words {
    Words { buffer: BufferId(0), offset: 0, len }
}

/// Lengths of rows and sums on both sides of every limit at which kernels change their ways.
const LENGTHS: [usize; 3] = [10, 2_000, 100_000];

const OUTPUTS: [OutputLoss; 3] =
    [OutputLoss::CrossEntropy { epsilon: 1e-7 }, OutputLoss::SoftmaxSumOfSquares, OutputLoss::SumOfSquares];

fn every_operation() -> Vec<Op> {
    let one = words(1);
    let bytes = |columns| Bytes { buffer: BufferId(0), rows: 3, columns };
    let mut ops: Vec<Op> = vec![
        OneHot { targets: words(2), out: tensor(2, 10) }.into(),
        CountCorrect { predictions: words(2), targets: words(2), out: one }.into(),
        Advance { cursor: one, step: one }.into(),
        Fill { value: 1.0, out: tensor(2, 2) }.into(),
        MultiplyAdd { x: tensor(2, 2), factor: 0.5, addend: 1.0, rounds: 8, out: tensor(2, 2) }.into(),
    ];
    for features in [783, 784] {
        ops.push(
            Gather {
                images: bytes(features),
                labels: bytes(1),
                indices: words(2),
                cursor: one,
                inputs: tensor(2, features),
                targets: words(2),
            }
            .into(),
        );
    }
    for activation in Activation::ALL {
        for x in [tensor(1, 3), tensor(2, 2)] {
            ops.push(Activate { activation, x, out: x }.into());
            ops.push(ActivationGradient { activation, x, gradient: x }.into());
        }
    }
    for rule in [Rule::Sgd, Rule::Momentum { momentum: 0.9 }, Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }] {
        for len in [3, 4] {
            let (parameters, state) = (tensor(1, len), Some(tensor(rule.state_blocks(), len)));
            ops.push(Update { rule, learning_rate: 0.1, parameters, gradient: parameters, state, step: one }.into());
        }
    }
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        // So large that software drivers take large tiles, with rows and columns that are no multiples of four.
        let (m, k, n) = (501, 100, 503);
        let a = if transpose_a { tensor(k, m) } else { tensor(m, k) };
        let b = if transpose_b { tensor(n, k) } else { tensor(k, n) };
        ops.push(Matmul { a, transpose_a, b, transpose_b, bias: None, out: tensor(m, n) }.into());
    }
    let large = tensor(1_024, 1_024);
    ops.push(Matmul { a: large, transpose_a: false, b: large, transpose_b: false, bias: None, out: large }.into());
    for len in LENGTHS {
        let (x, column) = (tensor(2, len), tensor(2, 1));
        // Outputs so few that GPUs cut long sums, and more.
        for rows in [2, 200] {
            let (a, b, out) = (tensor(rows, len), tensor(len, rows), tensor(rows, rows));
            ops.push(Matmul { a, transpose_a: false, b, transpose_b: false, bias: None, out }.into());
        }
        for inputs in [x, tensor(6, len)] {
            let (weight, places) = (tensor(len, 2), words(3));
            let (bias, values) = (tensor(1, 2), tensor(1, 3));
            ops.push(MovedAffine { inputs, weight, bias, places, values, out: tensor(6, 2) }.into());
        }
        for logarithm in [false, true] {
            ops.push(Softmax { x, logarithm, out: x }.into());
            for targets in [Targets::Classes(words(2)), Targets::OneHot(x)] {
                ops.push(CrossEntropy { y: x, logarithm, targets, epsilon: 1e-7, out: column }.into());
                ops.push(SumOfSquares { y: x, targets, out: column }.into());
            }
        }
        for output in OUTPUTS {
            ops.push(LossGradient { output, y: x, targets: words(2), out: x }.into());
        }
        ops.push(Mean { x: tensor(len, 1), out: tensor(5, 1), cursor: one }.into());
        ops.push(ColumnSums { x: tensor(len, 2), out: tensor(1, 2) }.into());
        ops.push(Argmax { x, out: words(2) }.into());
        ops.push(RowRange { x, out: column }.into());
        for errors in [None, Some(tensor(len, 2))] {
            let (list, counts) = (words(2 * len), words(2));
            let largest = tensor(1, 2);
            ops.push(
                ProbeList { errors, tolerance: 1e-6, samples: len, units: 2, list, counts, totals: counts, largest }
                    .into(),
            );
        }
    }
    for activation in Activation::ALL {
        for output in OUTPUTS {
            ops.extend(probes(activation, output, Some(tensor(2, 10))));
        }
    }
    for output in OUTPUTS {
        ops.extend(probes(Activation::Identity, output, None));
    }
    ops.extend(deep_networks().flat_map(|(activation, output)| deep_probes(activation, output)));
    ops.extend(directional());
    ops.extend(formulas());
    ops
}

/// A formula of everything that there is.
const EVERYTHING: &str = "x + y - 3*x/y + x^y + min(x, y) + max(x, 1) - abs(-x) + sqrt(x) + exp(x) + ln(y) + sin(x) \
                          + cos(x) + tan(x) + tanh(x) + 1e30*y + 1e300";

/// A formula, with and without its quotients.
fn formulas() -> Vec<Op> {
    let everything = ParsedFormula::parse(EVERYTHING);
    let pair = QuotientPair { multiple: 1.0, plus: 0.5, minus: -0.5 };
    let op = |columns: usize| {
        let program = Arc::clone(everything.as_ref().ok()?.program());
        Some(Formula { program, x: tensor(3, 2), step_size: 1e-4, pairs: vec![pair], out: tensor(3, columns) }.into())
    };
    [1, 3].into_iter().filter_map(op).collect()
}

/// Every operation of gradients along random directions.
fn directional() -> Vec<Op> {
    let directions = Directions { seed: 1, step: words(1), first: 0, count: 2 };
    let mut ops: Vec<Op> = Vec::new();
    for (parameters, rows) in [(None, 2), (Some(tensor(1, 4)), 4)] {
        ops.push(Perturb { directions, offset: 0, parameters, step_size: 0.1, out: tensor(rows, 4) }.into());
    }
    for len in LENGTHS {
        let (a, b, out) = (tensor(3, len), tensor(2, 4 * (len + 1)), tensor(6, 4));
        ops.push(BatchMatmul { a, shared: true, b, weight_at: 0, bias_at: 4 * len, out }.into());
    }
    for activation in Activation::ALL {
        let (base, shift, out) = (tensor(3, 4), tensor(6, 4), tensor(12, 4));
        ops.push(Shift { activation, base, shift, step_size: 0.1, out }.into());
    }
    for measure in OUTPUTS.map(Measure::Loss).into_iter().chain([Measure::ErrorRate]) {
        let (logits, targets, out) = (tensor(12, 4), words(3), tensor(2, 1));
        ops.push(LossDifferences { measure, logits, targets, step_size: 0.1, first: 0, out }.into());
    }
    ops.push(DirectionalGradient { directions, offset: 0, coefficients: tensor(2, 1), out: tensor(1, 4) }.into());
    ops
}

/// Products with every activation, in every form that GPUs have for them: long sums, and tiles of either size.
fn layers() -> Vec<Layer> {
    let mut layers = Vec::new();
    for activation in Activation::ALL {
        for [m, k, n] in [[100, 784, 50], [100, 50, 50], [1_024, 784, 512]] {
            let (a, b, bias) = (tensor(m, k), tensor(k, n), Some(tensor(1, n)));
            let [x, out] = [tensor(m, n); 2];
            let product = Matmul { a, transpose_a: false, b, transpose_b: false, bias, out: x };
            layers.push(Layer { product, activate: Activate { activation, x, out } });
        }
    }
    layers
}

/// The end of a forward pass, with and without the begin of a backward pass.
fn heads() -> [Head; 2] {
    let (epsilon, output, targets) = (1e-7, OUTPUTS[0], words(2));
    let [x, y, deltas] = [tensor(2, 10); 3];
    let softmax = Softmax { x, logarithm: false, out: y };
    let loss = CrossEntropy { y, logarithm: false, targets: Targets::Classes(targets), epsilon, out: tensor(2, 1) };
    let gradient = LossGradient { output, y, targets, out: deltas };
    let head = Head { softmax, targets, loss, gradient: None, mean: None };
    [head, Head { gradient: Some(gradient), ..head }]
}

/// Every activation, and every loss.
fn deep_networks() -> impl Iterator<Item = (Activation, OutputLoss)> {
    let losses = OUTPUTS.into_iter().map(|output| (Activation::Sigmoid, output));
    losses.chain(Activation::ALL.into_iter().map(|activation| (activation, OUTPUTS[0])))
}

/// Every operation of the numerical gradient of such a layer.
fn probes(activation: Activation, output: OutputLoss, next: Option<Tensor>) -> Vec<Op> {
    let (samples, units, inputs) = (3, if next.is_some() { 2 } else { 10 }, 784);
    let (x, weight, bias) = (tensor(samples, inputs), tensor(inputs, units), tensor(1, units));
    let (list, counts) = (words(samples * units), words(units));
    let layer = ProbedLayer {
        activation,
        pre_activations: tensor(samples, units),
        next,
        y: tensor(samples, 10),
        targets: words(samples),
        output,
        step_size: 1e-4,
    };
    let mut ops = Vec::new();
    for nodes in 1..=MAX_NODES {
        for range in [None, Some(tensor(samples, 1))] {
            let (coefficients, errors) = (tensor(nodes * samples, units), tensor(samples, units));
            ops.push(ProbeCurve { layer, range, nodes, tolerance: 1e-6, coefficients, errors }.into());
            ops.push(CurveFeatures { x, range, out: tensor(nodes * samples, inputs) }.into());
        }
    }
    let precise = (activation == Activation::Relu).then(|| tensor(2 * units, samples));
    if let Some(out) = precise {
        ops.push(PreciseAffine { inputs: x, weight, bias, list, counts, out }.into());
    }
    let (weight_gradient, bias_gradient) = (weight, bias);
    for one_sided in [false, true] {
        ops.push(
            ProbeSingle { layer, inputs: x, precise, list, counts, weight_gradient, bias_gradient, one_sided }.into(),
        );
    }
    ops
}

/// Curves of units with hidden layers behind them, at every number of points.
fn chunks(activation: Activation) -> Vec<ProbeChunk> {
    let (samples, units) = (3, 2);
    let mut chunks = Vec::new();
    for nodes in 1..=MAX_NODES {
        for (range, step_size) in
            [(None, 1e-4), (None, 0.01), (Some(tensor(samples, 1)), 1e-4), (Some(tensor(samples, 1)), 0.01)]
        {
            let pre_activations = tensor(samples, units);
            let count = samples * units;
            chunks.push(ProbeChunk { activation, pre_activations, range, step_size, nodes, first: 0, count });
        }
    }
    chunks
}

/// Operations that follow such curves to the logits, with one hidden layer between.
fn probed_behind(chunk: ProbeChunk, output: OutputLoss, classes: usize) -> ProbedBehind {
    let (width, [samples, units]) = (5, [chunk.pre_activations.rows, chunk.pre_activations.columns]);
    let (kinks, out, moves) = (tensor(chunk.count, 1), tensor(chunk.rows(), width), tensor(chunk.rows(), classes));
    let (y, targets, tolerance) = (tensor(samples, classes), words(samples), 1e-6);
    let (coefficients, errors) = (tensor(chunk.nodes * samples, units), tensor(samples, units));
    ProbedBehind {
        behind: ProbeBehind { chunk, weight: tensor(units, width), behind: tensor(samples, width), out, kinks },
        next: tensor(width, classes),
        difference: ProbeDifference { chunk, moves, kinks, y, targets, output, tolerance, coefficients, errors },
        ops: 3,
    }
}

/// Every operation that follows probes through hidden layers.
fn deep_probes(activation: Activation, output: OutputLoss) -> Vec<Op> {
    let follow = |chunk: ProbeChunk| {
        let ProbedBehind { behind, difference, .. } = probed_behind(chunk, output, 10);
        let through = ProbeThrough { chunk, behind: behind.behind, x: behind.out, kinks: behind.kinks };
        [behind.into(), through.into(), difference.into()]
    };
    chunks(activation).into_iter().flat_map(follow).collect()
}
