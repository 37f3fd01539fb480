//! What an operation must leave in memory: reads its operands from the host's copy and asks the reference.

use gpu_train::backend::{Op, Targets, Tensor, Words};
use gpu_train::network::{Activation, OutputLoss};

use super::deep_oracle;
use super::directional_oracle;
use super::formula_oracle;
use super::memory::Contents;
use super::probe_oracle;
use super::reference::{self, Factor};
use super::tolerance::Tolerance;

/// Where a result stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Floats(Tensor),
    Words(Words),
}

/// What is written to one operand, and how near a device must come.
pub(crate) struct Expected {
    pub(crate) operand: &'static str,
    pub(crate) place: Place,
    /// NaN where any value of words will do; words are exact.
    pub(crate) values: Vec<f64>,
    pub(crate) tolerance: Tolerance,
}

impl Expected {
    pub(crate) fn floats(operand: &'static str, tensor: Tensor, values: Vec<f64>, tolerance: Tolerance) -> Self {
        Self { operand, place: Place::Floats(tensor), values, tolerance }
    }

    fn words(operand: &'static str, words: Words, values: impl IntoIterator<Item = u32>) -> Self {
        let values = values.into_iter().map(f64::from).collect();
        Self { operand, place: Place::Words(words), values, tolerance: Tolerance::Exact }
    }
}

/// What an operation writes, the most telling operand first.
pub(crate) fn outputs(op: &Op) -> Vec<Place> {
    use Place::{Floats, Words};
    match op {
        Op::Gather(op) => vec![Floats(op.inputs), Words(op.targets)],
        Op::OneHot(op) => vec![Floats(op.out)],
        Op::Matmul(op) => vec![Floats(op.out)],
        Op::MovedAffine(op) => vec![Floats(op.out)],
        Op::Activate(op) => vec![Floats(op.out)],
        Op::ActivationGradient(op) => vec![Floats(op.gradient)],
        Op::Softmax(op) => vec![Floats(op.out)],
        Op::CrossEntropy(op) => vec![Floats(op.out)],
        Op::SumOfSquares(op) => vec![Floats(op.out)],
        Op::LossGradient(op) => vec![Floats(op.out)],
        Op::Mean(op) => vec![Floats(op.out)],
        Op::ColumnSums(op) => vec![Floats(op.out)],
        Op::Argmax(op) => vec![Words(op.out)],
        Op::CountCorrect(op) => vec![Words(op.out)],
        Op::Update(op) => std::iter::once(op.parameters).chain(op.state).map(Floats).collect(),
        Op::Advance(op) => vec![Words(op.cursor), Words(op.step)],
        Op::Fill(op) => vec![Floats(op.out)],
        Op::MultiplyAdd(op) => vec![Floats(op.out)],
        Op::RowRange(op) => vec![Floats(op.out)],
        Op::ProbeCurve(op) => vec![Floats(op.coefficients), Floats(op.errors)],
        Op::CurveFeatures(op) => vec![Floats(op.out)],
        Op::ProbeList(op) => vec![Words(op.counts), Words(op.list), Words(op.totals), Floats(op.largest)],
        Op::PreciseAffine(op) => vec![Floats(op.out)],
        Op::ProbeSingle(op) => vec![Floats(op.weight_gradient), Floats(op.bias_gradient)],
        Op::ProbeBehind(op) => vec![Floats(op.out), Floats(op.kinks)],
        Op::ProbeThrough(op) => vec![Floats(op.x), Floats(op.kinks)],
        Op::ProbeDifference(op) => vec![Floats(op.coefficients), Floats(op.errors)],
        Op::Perturb(op) => vec![Floats(op.out)],
        Op::BatchMatmul(op) => vec![Floats(op.out)],
        Op::Shift(op) => vec![Floats(op.out)],
        Op::LossDifferences(op) => vec![Floats(op.out)],
        Op::DirectionalGradient(op) => vec![Floats(op.out)],
        Op::Formula(op) => vec![Floats(op.out)],
    }
}

/// What `op` must write, given memory before it. `after` is memory as the device left it, for the one kernel whose
/// own estimate decides what it writes.
pub(crate) fn expect(op: &Op, before: &Contents, after: &Contents) -> Vec<Expected> {
    let floats = |tensor: Tensor| before.floats(tensor);
    match op {
        Op::Formula(op) => vec![formula_oracle::expect(op, &floats(op.x))],
        Op::Gather(op) => {
            let cursor = before.words(op.cursor)[0] as usize;
            let rows = &before.words(op.indices)[cursor * op.inputs.rows..(cursor + 1) * op.inputs.rows];
            let columns = op.images.columns;
            let (inputs, targets) =
                reference::gather(&before.bytes(op.images), &before.bytes(op.labels), columns, rows);
            vec![
                Expected::floats("inputs", op.inputs, inputs, Tolerance::Rounded),
                Expected::words("targets", op.targets, targets),
            ]
        }
        Op::OneHot(op) => {
            let rows = reference::one_hot(&before.words(op.targets), op.out.columns);
            vec![Expected::floats("out", op.out, rows, Tolerance::Exact)]
        }
        Op::Matmul(op) => {
            let shape @ [_, terms, columns] = op.shape();
            let (a, b) = (floats(op.a), floats(op.b));
            let bias = op.bias.map_or_else(|| vec![0.0; columns], floats);
            let product = |a: &[f64], b: &[f64], bias: &[f64]| {
                let a = Factor { values: a, columns: op.a.columns, transposed: op.transpose_a };
                let b = Factor { values: b, columns: op.b.columns, transposed: op.transpose_b };
                reference::matmul(shape, a, b, Some(bias))
            };
            let values = product(&a, &b, &bias);
            let magnitudes = product(&absolute(&a), &absolute(&b), &absolute(&bias));
            vec![Expected::floats("out", op.out, values, sum(terms, magnitudes, [&a, &b, &bias]))]
        }
        Op::MovedAffine(op) => {
            let (inputs, units, sets) = (op.weight.rows, op.weight.columns, op.places.len);
            let (x, weight, bias, moved) = (floats(op.inputs), floats(op.weight), floats(op.bias), floats(op.values));
            let places = before.words(op.places);
            let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
            for row in 0..op.out.rows {
                let sample = if op.inputs.rows == op.out.rows { row } else { row / sets };
                let mut parameters = [weight.clone(), bias.clone()].concat();
                if let Some(parameter) = parameters.get_mut(places[row % sets] as usize) {
                    *parameter = moved[row % sets];
                }
                for unit in 0..units {
                    let terms = (0..inputs).map(|i| x[sample * inputs + i] * parameters[i * units + unit]);
                    let terms: Vec<f64> = terms.chain([parameters[inputs * units + unit]]).collect();
                    values.push(terms.iter().sum());
                    magnitudes.push(absolute(&terms).iter().sum());
                }
            }
            vec![Expected::floats("out", op.out, values, sum(inputs, magnitudes, [&x, &weight, &bias]))]
        }
        Op::Activate(op) => {
            let values = floats(op.x).into_iter().map(|a| reference::activate(op.activation, a)).collect();
            vec![Expected::floats("out", op.out, values, function_of(op.activation))]
        }
        Op::ActivationGradient(op) => {
            let (x, gradient) = (floats(op.x), floats(op.gradient));
            let pairs = x.iter().copied().zip(gradient.iter().copied());
            let values = pairs.clone().map(|(a, g)| g * reference::slope(op.activation, a)).collect();
            let tolerance = match op.activation {
                // Its slope is a difference that passes through 0.
                Activation::Gelu => Tolerance::Scaled {
                    ulps: 8.0,
                    magnitudes: pairs.map(|(a, g)| (g * reference::slope_scale(op.activation, a)).abs()).collect(),
                    reason: "a sum whose parts cancel",
                },
                other => function_of(other),
            };
            vec![Expected::floats("gradient", op.gradient, values, tolerance)]
        }
        Op::Softmax(op) => softmax(op.x, op.logarithm, op.out, before),
        Op::CrossEntropy(op) => {
            let targets = target_rows(op.targets, op.y.columns, before);
            let epsilon = f64::from(op.epsilon);
            let mut magnitudes = Vec::new();
            let y = floats(op.y);
            let losses = rows(&y, op.y.columns).zip(&targets).map(|(y, t)| {
                let Some(t) = t else {
                    magnitudes.push(0.0);
                    return f64::NAN;
                };
                // Near 1 a logarithm is as small as its argument's rounding.
                let weight: f64 = t.iter().map(|t| t.abs()).sum();
                let loss = reference::cross_entropy(y, op.logarithm, t, epsilon);
                magnitudes.push(if op.logarithm { loss.abs() } else { weight + loss.abs() });
                loss
            });
            let losses = losses.collect();
            let reason = "the logarithm of a rounded sum";
            vec![Expected::floats("out", op.out, losses, Tolerance::Scaled { ulps: 4.0, magnitudes, reason })]
        }
        Op::SumOfSquares(op) => {
            let targets = target_rows(op.targets, op.y.columns, before);
            let losses: Vec<f64> = rows(&floats(op.y), op.y.columns)
                .zip(&targets)
                .map(|(y, t)| t.as_ref().map_or(f64::NAN, |t| reference::sum_of_squares(y, t)))
                .collect();
            let tolerance = Tolerance::Sum { terms: op.y.columns, magnitudes: losses.clone() };
            vec![Expected::floats("out", op.out, losses, tolerance)]
        }
        Op::LossGradient(op) => {
            let samples = op.y.rows as f64;
            let mut values = Vec::new();
            let mut magnitudes = Vec::new();
            for (y, &target) in rows(&floats(op.y), op.y.columns).zip(&before.words(op.targets)) {
                let gradient = reference::loss_gradient(op.output, y, target);
                // y_t - 1 may be formed as minus the sum of the others: they differ by the outputs' own rounding.
                let reach = if op.output == OutputLoss::SumOfSquares { 0.0 } else { 1.0 };
                for (g, y) in gradient.iter().zip(y) {
                    let share = if op.output == OutputLoss::SoftmaxSumOfSquares { *y } else { 1.0 };
                    magnitudes.push((g.abs() + reach * share) / samples);
                    values.push(g / samples);
                }
            }
            let reason = "outputs that add up to 1 only to rounding";
            vec![Expected::floats("out", op.out, values, Tolerance::Scaled { ulps: 8.0, magnitudes, reason })]
        }
        Op::Mean(op) => {
            let x = floats(op.x);
            let samples = op.x.rows as f64;
            let cursor = before.words(op.cursor)[0] as usize;
            let mut values = floats(op.out);
            let mut magnitudes = vec![0.0; values.len()];
            values[cursor] = x.iter().sum::<f64>() / samples;
            magnitudes[cursor] = absolute(&x).iter().sum::<f64>() / samples;
            let tolerance =
                if whole(&x) { Tolerance::Rounded } else { Tolerance::Sum { terms: op.x.rows, magnitudes } };
            vec![Expected::floats("out", op.out, values, tolerance)]
        }
        Op::ColumnSums(op) => {
            let x = floats(op.x);
            let values = reference::column_sums(&x, op.x.columns);
            let magnitudes = reference::column_sums(&absolute(&x), op.x.columns);
            vec![Expected::floats("out", op.out, values, sum(op.x.rows, magnitudes, [&x, &[], &[]]))]
        }
        Op::Argmax(op) => {
            let columns = rows(&floats(op.x), op.x.columns).map(reference::argmax).collect::<Vec<_>>();
            vec![Expected::words("out", op.out, columns)]
        }
        Op::CountCorrect(op) => {
            let predictions = before.words(op.predictions);
            let correct = predictions.iter().zip(before.words(op.targets)).filter(|(p, t)| **p == *t).count();
            vec![Expected::words("out", op.out, [before.words(op.out)[0] + correct as u32])]
        }
        Op::Update(op) => {
            let (parameters, gradients) = (floats(op.parameters), floats(op.gradient));
            let old = op.state.map(floats).unwrap_or_default();
            let count = parameters.len();
            let blocks = op.rule.state_blocks();
            let step = before.words(op.step)[0];
            let mut state = vec![0.0; old.len()];
            let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
            for index in 0..count {
                let own: Vec<f64> = (0..blocks).map(|block| old[block * count + index]).collect();
                let rate = f64::from(op.learning_rate);
                let moved = reference::update(op.rule, rate, parameters[index], gradients[index], &own, step);
                values.push(moved.parameter);
                // Eight roundings of the shift against one of the parameter.
                magnitudes.push(parameters[index].abs() + 8.0 * moved.shift.abs());
                for (block, value) in moved.state.into_iter().enumerate() {
                    state[block * count + index] = value;
                }
            }
            let state_magnitudes = (0..old.len()).map(|i| old[i].abs() + state[i].abs() + gradients[i % count].abs());
            let state_tolerance = Tolerance::Scaled {
                ulps: 2.0,
                magnitudes: state_magnitudes.collect(),
                reason: "a decayed value and a new one",
            };
            let tolerance = Tolerance::Scaled { ulps: 2.0, magnitudes, reason: "a parameter and its shift" };
            let mut expected = vec![Expected::floats("parameters", op.parameters, values, tolerance)];
            expected.extend(op.state.map(|place| Expected::floats("state", place, state, state_tolerance)));
            expected
        }
        Op::Advance(op) => vec![
            Expected::words("cursor", op.cursor, [before.words(op.cursor)[0] + 1]),
            Expected::words("step", op.step, [before.words(op.step)[0] + 1]),
        ],
        Op::Fill(op) => {
            vec![Expected::floats("out", op.out, vec![f64::from(op.value); op.out.len()], Tolerance::Exact)]
        }
        Op::MultiplyAdd(op) => {
            let (factor, addend) = (f64::from(op.factor), f64::from(op.addend));
            let result = |x: &f64| (0..op.rounds).fold(*x, |v, _| v * factor + addend);
            let values: Vec<f64> = floats(op.x).iter().map(result).collect();
            let tolerance = match op.rounds {
                0 => Tolerance::Exact,
                _ => Tolerance::Scaled {
                    ulps: 2.0 / (1.0 - factor.abs()),
                    magnitudes: floats(op.x).iter().map(|x| x.abs().max(addend.abs() / (1.0 - factor.abs()))).collect(),
                    reason: "two roundings a round, each shrunk by the factor in the rounds after it",
                },
            };
            vec![Expected::floats("out", op.out, values, tolerance)]
        }
        Op::RowRange(op) => {
            let x = floats(op.x);
            let ranges = rows(&x, op.x.columns).map(|row| row.iter().fold(1.0, |most: f64, x| most.max(x.abs())));
            vec![Expected::floats("out", op.out, ranges.collect(), Tolerance::Exact)]
        }
        Op::ProbeCurve(op) => probe_oracle::curve(op, before, after),
        Op::CurveFeatures(op) => {
            let nodes = op.out.rows / op.x.rows;
            let range = op.range.map_or_else(|| vec![1.0; op.x.rows], floats);
            let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
            for m in (0..nodes).rev() {
                for (row, range) in rows(&floats(op.x), op.x.columns).zip(&range) {
                    for x in row {
                        let place = 2.0 * (x / range) * (x / range) - 1.0;
                        values.push(x * reference::chebyshev(m, place));
                        // The slope of T_m reaches m^2, by which it enlarges the rounding of its argument.
                        magnitudes.push(x.abs() * (1 + m * m) as f64);
                    }
                }
            }
            let reason = "a polynomial of degree m, whose slope reaches m^2";
            vec![Expected::floats("out", op.out, values, Tolerance::Scaled { ulps: 4.0, magnitudes, reason })]
        }
        Op::ProbeList(op) => {
            let errors = op.errors.map_or_else(|| vec![f64::INFINITY; op.samples * op.units], floats);
            let tolerance = f64::from(op.tolerance);
            let mut largest = floats(op.largest);
            let mut totals = before.words(op.totals);
            let mut list = vec![f64::NAN; op.samples * op.units];
            let mut counts = vec![0; op.units];
            for (index, &error) in errors.iter().enumerate() {
                let (sample, unit) = (index / op.units, index % op.units);
                if error <= tolerance {
                    largest[unit] = largest[unit].max(error);
                } else {
                    list[unit * op.samples + counts[unit] as usize] = sample as f64;
                    counts[unit] += 1;
                    totals[unit] += 1;
                }
            }
            vec![
                Expected::words("counts", op.counts, counts),
                Expected { operand: "list", place: Place::Words(op.list), values: list, tolerance: Tolerance::Exact },
                Expected::words("totals", op.totals, totals),
                Expected::floats("largest", op.largest, largest, Tolerance::Exact),
            ]
        }
        Op::PreciseAffine(op) => probe_oracle::precise(op, before),
        Op::ProbeSingle(op) => probe_oracle::single(op, before),
        Op::ProbeBehind(op) => deep_oracle::behind(op, before, after),
        Op::ProbeThrough(op) => deep_oracle::through(op, before, after),
        Op::ProbeDifference(op) => deep_oracle::difference(op, before, after),
        Op::Perturb(op) => directional_oracle::perturb(op, before),
        Op::BatchMatmul(op) => directional_oracle::batch_matmul(op, before),
        Op::Shift(op) => directional_oracle::shift(op, before),
        Op::LossDifferences(op) => directional_oracle::loss_differences(op, before),
        Op::DirectionalGradient(op) => directional_oracle::gradient(op, before),
    }
}

pub(crate) fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}

fn whole(values: &[f64]) -> bool {
    values.iter().all(|value| value.fract() == 0.0)
}

/// Sums of whole numbers below 2^24 are exact in float32 in any order, so that one term lost among 70,000 shows.
pub(crate) fn sum(terms: usize, magnitudes: Vec<f64>, operands: [&[f64]; 3]) -> Tolerance {
    let exact = operands.iter().all(|operand| whole(operand)) && magnitudes.iter().all(|&sum| sum < f64::from(1 << 24));
    if exact { Tolerance::Exact } else { Tolerance::Sum { terms, magnitudes } }
}

fn function_of(activation: Activation) -> Tolerance {
    match activation {
        Activation::Relu | Activation::Identity => Tolerance::Exact,
        Activation::Sigmoid | Activation::Tanh | Activation::Gelu | Activation::Softplus => Tolerance::Function,
    }
}

fn rows(values: &[f64], columns: usize) -> std::slice::ChunksExact<'_, f64> {
    values.chunks_exact(columns)
}

/// One-hot rows; `None` for a target that is no class.
fn target_rows(targets: Targets, classes: usize, before: &Contents) -> Vec<Option<Vec<f64>>> {
    match targets {
        Targets::OneHot(tensor) => rows(&before.floats(tensor), classes).map(|row| Some(row.to_vec())).collect(),
        Targets::Classes(words) => {
            let row = |&class: &u32| ((class as usize) < classes).then(|| reference::one_hot(&[class], classes));
            before.words(words).iter().map(row).collect()
        }
    }
}

fn softmax(x: Tensor, logarithm: bool, out: Tensor, before: &Contents) -> Vec<Expected> {
    let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
    for logits in rows(&before.floats(x), x.columns) {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let result = if logarithm { reference::log_softmax(logits) } else { reference::softmax(logits) };
        for (value, logit) in result.into_iter().zip(logits) {
            // The distance to the largest logit is rounded before it becomes an exponent.
            let distance = largest - logit;
            magnitudes.push(if logarithm { 1.0 + value.abs() } else { value * (1.0 + distance / 8.0) });
            values.push(value);
        }
    }
    let reason = "the exponent's rounding";
    vec![Expected::floats("out", out, values, Tolerance::Scaled { ulps: 8.0, magnitudes, reason })]
}
