//! What each operation reads and writes, and whether its operands fit together.

use super::op::{Directions, MAX_NODES, MAX_PAIRS, MAX_ROUNDS, Op, ProbeChunk, ProbedLayer, ROUNDS_AT_ONCE, Targets};
use super::tensor::{Span, Tensor, Words};
use crate::network::Activation;
use crate::{Error, Result};

/// What an operation touches.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// Ranges that are read only.
    pub(crate) reads: Vec<Span>,
    /// Ranges that are written, and perhaps read as well.
    pub(crate) writes: Vec<Span>,
}

impl Op {
    /// Checks shapes and returns what is touched. No written range may overlap another range of the operation:
    /// both backends rely on it, the CPU one for memory safety.
    pub(crate) fn access(&self) -> Result<Access> {
        let mut check = Check { kernel: self.name(), access: Access::default(), problem: None };
        self.declare(&mut check);
        let Check { kernel, access, mut problem } = check;
        for (index, write) in access.writes.iter().enumerate() {
            let others = access.reads.iter().chain(&access.writes[index + 1..]);
            if problem.is_none() && others.into_iter().any(|other| write.overlaps(other)) {
                problem = Some("an operand overlaps the result".into());
            }
        }
        match problem {
            None => Ok(access),
            Some(problem) => Err(Error::Shape { kernel, problem }),
        }
    }

    fn declare(&self, check: &mut Check) {
        match self {
            Self::Gather(op) => {
                let batch = op.inputs.rows;
                check.that(op.images.columns == op.inputs.columns, || {
                    format!("images of {} bytes for {} inputs", op.images.columns, op.inputs.columns)
                });
                check.that(op.labels.columns == 1 && op.labels.rows == op.images.rows, || {
                    format!("{} labels for {} images", op.labels.rows, op.images.rows)
                });
                check.that(op.targets.len == batch, || format!("{} targets for {batch} rows", op.targets.len));
                check.that(batch > 0 && op.indices.len.is_multiple_of(batch), || {
                    format!("{} indices are no whole number of batches of {batch}", op.indices.len)
                });
                check.counter(op.cursor);
                check.reads(&[op.images.span(), op.labels.span(), op.indices.span(), op.cursor.span()]);
                check.writes(&[op.inputs.span(), op.targets.span()]);
            }
            Self::OneHot(op) => {
                check.that(op.targets.len == op.out.rows, || {
                    format!("{} targets for {} rows", op.targets.len, op.out.rows)
                });
                check.reads(&[op.targets.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Matmul(op) => {
                let [m, k, n] = op.shape();
                let inner = if op.transpose_b { op.b.columns } else { op.b.rows };
                check.that(inner == k, || format!("sums of {k} and of {inner} terms"));
                check.that(k > 0, || "sums of no terms".into());
                check.shape("the result", op.out, m, n);
                check.reads(&[op.a.span(), op.b.span()]);
                if let Some(bias) = op.bias {
                    check.shape("the bias", bias, 1, n);
                    check.reads(&[bias.span()]);
                }
                check.writes(&[op.out.span()]);
            }
            Self::MovedAffine(op) => {
                let (inputs, units, sets) = (op.weight.rows, op.weight.columns, op.places.len);
                check.that(inputs > 0 && units > 0, || "a layer without inputs or units".into());
                check.that(sets > 0 && op.out.rows.is_multiple_of(sets), || {
                    format!("{} rows are no whole number of {sets} sets", op.out.rows)
                });
                check.that(op.inputs.rows == op.out.rows || op.inputs.rows * sets == op.out.rows, || {
                    format!("{} rows of inputs for {sets} sets and {} rows", op.inputs.rows, op.out.rows)
                });
                check.shape("the inputs", op.inputs, op.inputs.rows, inputs);
                check.shape("the bias", op.bias, 1, units);
                check.shape("the values", op.values, 1, sets);
                check.shape("the result", op.out, op.out.rows, units);
                check.reads(&[op.inputs.span(), op.weight.span(), op.bias.span(), op.places.span(), op.values.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Activate(op) => {
                check.shape("the result", op.out, op.x.rows, op.x.columns);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::ActivationGradient(op) => {
                check.shape("the gradient", op.gradient, op.x.rows, op.x.columns);
                check.reads(&[op.x.span()]);
                check.writes(&[op.gradient.span()]);
            }
            Self::Softmax(op) => {
                check.shape("the result", op.out, op.x.rows, op.x.columns);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::CrossEntropy(op) => {
                check.targets(op.targets, op.y);
                check.shape("the result", op.out, op.y.rows, 1);
                check.reads(&[op.y.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::SumOfSquares(op) => {
                check.targets(op.targets, op.y);
                check.shape("the result", op.out, op.y.rows, 1);
                check.reads(&[op.y.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::LossGradient(op) => {
                check.targets(Targets::Classes(op.targets), op.y);
                check.shape("the result", op.out, op.y.rows, op.y.columns);
                check.reads(&[op.y.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Mean(op) => {
                check.that(op.x.columns == 1 && op.out.columns == 1, || "a mean is of one column".into());
                check.counter(op.cursor);
                check.reads(&[op.x.span(), op.cursor.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::ColumnSums(op) => {
                check.shape("the result", op.out, 1, op.x.columns);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Argmax(op) => {
                check.that(op.out.len == op.x.rows, || format!("{} results for {} rows", op.out.len, op.x.rows));
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::CountCorrect(op) => {
                check.that(op.predictions.len == op.targets.len, || {
                    format!("{} predictions for {} targets", op.predictions.len, op.targets.len)
                });
                check.counter(op.out);
                check.reads(&[op.predictions.span(), op.targets.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Update(op) => {
                let len = op.parameters.len();
                check.that(op.gradient.len() == len, || format!("{len} parameters, {} gradients", op.gradient.len()));
                let state = op.state.map_or(0, |state| state.len());
                check
                    .that(state == len * op.rule.state_blocks(), || format!("a state of {state} for {len} parameters"));
                check.counter(op.step);
                check.reads(&[op.gradient.span(), op.step.span()]);
                check.writes(&[op.parameters.span()]);
                check.writes(&op.state.map(|state| state.span()).into_iter().collect::<Vec<_>>());
            }
            Self::Advance(op) => {
                check.counter(op.cursor);
                check.counter(op.step);
                check.writes(&[op.cursor.span(), op.step.span()]);
            }
            Self::Fill(op) => check.writes(&[op.out.span()]),
            Self::MultiplyAdd(op) => {
                check.shape("the result", op.out, op.x.rows, op.x.columns);
                check.that(op.x.len().is_multiple_of(4), || format!("{} elements, no multiple of 4", op.x.len()));
                check.that(op.rounds.is_multiple_of(ROUNDS_AT_ONCE) && op.rounds <= MAX_ROUNDS, || {
                    format!("{} rounds, no multiple of {ROUNDS_AT_ONCE} up to {MAX_ROUNDS}", op.rounds)
                });
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::RowRange(op) => {
                check.shape("the result", op.out, op.x.rows, 1);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::ProbeCurve(op) => {
                let (samples, units) = check.layer(&op.layer);
                check.that((1..=MAX_NODES).contains(&op.nodes), || format!("{} nodes, of 1 to {MAX_NODES}", op.nodes));
                check.shape("the coefficients", op.coefficients, op.nodes * samples, units);
                check.shape("the errors", op.errors, samples, units);
                check.range(op.range, samples);
                check.writes(&[op.coefficients.span(), op.errors.span()]);
            }
            Self::CurveFeatures(op) => {
                let nodes = op.out.rows.checked_div(op.x.rows).unwrap_or(0);
                check.that((1..=MAX_NODES).contains(&nodes), || format!("{nodes} nodes, of 1 to {MAX_NODES}"));
                check.shape("the result", op.out, nodes * op.x.rows, op.x.columns);
                check.range(op.range, op.x.rows);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::ProbeList(op) => {
                if let Some(errors) = op.errors {
                    check.shape("the errors", errors, op.samples, op.units);
                    check.reads(&[errors.span()]);
                }
                check.list(op.list, op.counts, op.samples, op.units);
                check.that(op.totals.len == op.units, || format!("{} totals for {} units", op.totals.len, op.units));
                check.shape("the largest errors", op.largest, 1, op.units);
                check.writes(&[op.list.span(), op.counts.span(), op.totals.span(), op.largest.span()]);
            }
            Self::PreciseAffine(op) => {
                let (samples, inputs, units) = (op.inputs.rows, op.inputs.columns, op.weight.columns);
                check.shape("the weight", op.weight, inputs, units);
                check.shape("the bias", op.bias, 1, units);
                check.shape("the result", op.out, 2 * units, samples);
                check.list(op.list, op.counts, samples, units);
                check.reads(&[op.inputs.span(), op.weight.span(), op.bias.span(), op.list.span(), op.counts.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::ProbeSingle(op) => {
                let (samples, units) = check.layer(&op.layer);
                check.that(op.inputs.rows == samples, || format!("{} rows of inputs for {samples}", op.inputs.rows));
                let relu = op.layer.activation == Activation::Relu;
                check.that(op.precise.is_some() == relu, || "precise pre-activations are for ReLU alone".into());
                if let Some(precise) = op.precise {
                    check.shape("the precise pre-activations", precise, 2 * units, samples);
                    check.reads(&[precise.span()]);
                }
                check.shape("the weight's gradient", op.weight_gradient, op.inputs.columns, units);
                check.shape("the bias's gradient", op.bias_gradient, 1, units);
                check.list(op.list, op.counts, samples, units);
                check.reads(&[op.inputs.span(), op.list.span(), op.counts.span()]);
                check.writes(&[op.weight_gradient.span(), op.bias_gradient.span()]);
            }
            Self::ProbeBehind(op) => {
                let (samples, units) = check.chunk(&op.chunk, op.kinks);
                check.shape("the weight", op.weight, units, op.behind.columns);
                check.that(op.behind.rows == samples, || format!("{} rows behind {samples}", op.behind.rows));
                check.shape("the result", op.out, op.chunk.rows(), op.behind.columns);
                check.reads(&[op.weight.span(), op.behind.span()]);
                check.writes(&[op.out.span(), op.kinks.span()]);
            }
            Self::ProbeThrough(op) => {
                let (samples, _) = check.chunk(&op.chunk, op.kinks);
                check.that(op.behind.rows == samples, || format!("{} rows behind {samples}", op.behind.rows));
                check.shape("the moves", op.x, op.chunk.rows(), op.behind.columns);
                check.reads(&[op.behind.span()]);
                check.writes(&[op.x.span(), op.kinks.span()]);
            }
            Self::ProbeDifference(op) => {
                let (samples, units) = check.chunk(&op.chunk, op.kinks);
                check.targets(Targets::Classes(op.targets), op.y);
                check.that(op.y.rows == samples, || format!("{} rows of outputs for {samples}", op.y.rows));
                check.shape("the moves", op.moves, op.chunk.rows(), op.y.columns);
                check.shape("the coefficients", op.coefficients, op.chunk.nodes * samples, units);
                check.shape("the errors", op.errors, samples, units);
                check.reads(&[op.moves.span(), op.kinks.span(), op.y.span()]);
                check.writes(&[op.coefficients.span(), op.errors.span()]);
            }
            Self::Perturb(op) => {
                let len = op.out.columns;
                let rows = op.parameters.map_or(1, |_| 2) * op.directions.count;
                check.directions(&op.directions, op.offset, len);
                check.shape("the result", op.out, rows, len);
                if let Some(parameters) = op.parameters {
                    check.shape("the parameters", parameters, 1, len);
                    check.reads(&[parameters.span()]);
                }
                check.writes(&[op.out.span()]);
            }
            Self::BatchMatmul(op) => {
                let (batches, terms, columns) = (op.b.rows, op.a.columns, op.out.columns);
                check.that(batches > 0 && op.out.rows.is_multiple_of(batches), || {
                    format!("{} rows are no whole number of {batches} products", op.out.rows)
                });
                check.that(terms > 0, || "sums of no terms".into());
                let rows = op.out.rows.checked_div(if op.shared { batches } else { 1 }).unwrap_or(0);
                check.that(op.a.rows == rows, || format!("{} rows of the left factor, expected {rows}", op.a.rows));
                let ends = [op.weight_at + terms * columns, op.bias_at + columns];
                check.that(ends.into_iter().all(|end| end <= op.b.columns), || {
                    format!("a weight and a bias up to {ends:?} in rows of {}", op.b.columns)
                });
                check.reads(&[op.a.span(), op.b.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Shift(op) => {
                let (rows, columns) = (op.base.rows, op.base.columns);
                check.that(rows > 0 && columns > 0 && op.shift.rows.is_multiple_of(rows), || {
                    format!("{} rows are no whole number of shifts of {rows}", op.shift.rows)
                });
                check.shape("the shifts", op.shift, op.shift.rows, columns);
                check.shape("the result", op.out, 2 * op.shift.rows, columns);
                check.reads(&[op.base.span(), op.shift.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::LossDifferences(op) => {
                let samples = op.targets.len;
                check.that(samples > 0 && op.logits.rows.is_multiple_of(2 * samples), || {
                    format!("{} rows are no whole number of pairs of {samples}", op.logits.rows)
                });
                check.that(op.logits.columns > 0, || "no classes".into());
                let last = op.first + op.logits.rows.checked_div(2 * samples).unwrap_or(0);
                check.that(op.out.columns == 1 && last <= op.out.rows, || {
                    format!("results up to {last} for [{}, {}]", op.out.rows, op.out.columns)
                });
                check.reads(&[op.logits.span(), op.targets.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::DirectionalGradient(op) => {
                check.directions(&op.directions, op.offset, op.out.len());
                check.shape("the coefficients", op.coefficients, op.directions.count, 1);
                check.reads(&[op.coefficients.span()]);
                check.writes(&[op.out.span()]);
            }
            Self::Formula(op) => {
                let variables = op.program.variables();
                check.that(variables > 0, || "a formula without a variable".into());
                check.that((1..=MAX_PAIRS).contains(&op.pairs.len()), || {
                    format!("{} pairs of moves, of 1 to {MAX_PAIRS}", op.pairs.len())
                });
                check.shape("the points", op.x, op.out.rows, variables);
                let columns = if op.out.columns == 1 { 1 } else { 1 + variables };
                check.shape("the result", op.out, op.x.rows, columns);
                check.reads(&[op.x.span()]);
                check.writes(&[op.out.span()]);
            }
        }
    }
}

/// Collects what an operation touches and the first thing that does not fit.
struct Check {
    kernel: &'static str,
    access: Access,
    problem: Option<String>,
}

impl Check {
    fn that(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds && self.problem.is_none() {
            self.problem = Some(problem());
        }
    }

    fn shape(&mut self, what: &str, tensor: Tensor, rows: usize, columns: usize) {
        self.that((tensor.rows, tensor.columns) == (rows, columns), || {
            format!("{what} is [{}, {}], expected [{rows}, {columns}]", tensor.rows, tensor.columns)
        });
    }

    fn counter(&mut self, words: Words) {
        self.that(words.len == 1, || format!("a counter of {} words", words.len));
    }

    fn reads(&mut self, spans: &[Span]) {
        self.access.reads.extend_from_slice(spans);
    }

    fn writes(&mut self, spans: &[Span]) {
        self.access.writes.extend_from_slice(spans);
    }

    fn targets(&mut self, targets: Targets, y: Tensor) {
        match targets {
            Targets::Classes(words) => {
                self.that(words.len == y.rows, || format!("{} targets for {} rows", words.len, y.rows));
                self.reads(&[words.span()]);
            }
            Targets::OneHot(tensor) => {
                self.shape("the targets", tensor, y.rows, y.columns);
                self.reads(&[tensor.span()]);
            }
        }
    }

    fn range(&mut self, range: Option<Tensor>, samples: usize) {
        if let Some(range) = range {
            self.shape("the range", range, samples, 1);
            self.reads(&[range.span()]);
        }
    }

    fn directions(&mut self, directions: &Directions, offset: usize, len: usize) {
        let Directions { step, first, count, .. } = *directions;
        self.counter(step);
        self.reads(&[step.span()]);
        self.that(offset.is_multiple_of(64), || format!("a part of a direction from {offset}, no multiple of 64"));
        // Both are counters of the generator.
        self.that(count > 0 && first + count <= 1 << 31 && offset + len <= 1 << 31, || {
            format!("directions {first} to {} of {} elements", first + count, offset + len)
        });
    }

    fn list(&mut self, list: Words, counts: Words, samples: usize, units: usize) {
        self.that(list.len == samples * units && counts.len == units, || {
            format!("a list of {} and {} counts for {samples} samples of {units} units", list.len, counts.len)
        });
    }

    fn chunk(&mut self, chunk: &ProbeChunk, kinks: Tensor) -> (usize, usize) {
        let (samples, units) = (chunk.pre_activations.rows, chunk.pre_activations.columns);
        self.that((1..=MAX_NODES).contains(&chunk.nodes), || format!("{} nodes, of 1 to {MAX_NODES}", chunk.nodes));
        self.that(chunk.count > 0 && chunk.first + chunk.count <= samples * units, || {
            format!("curves {} to {} of {samples} x {units}", chunk.first, chunk.first + chunk.count)
        });
        self.shape("the kinks", kinks, chunk.count, 1);
        self.range(chunk.range, samples);
        self.reads(&[chunk.pre_activations.span()]);
        (samples, units)
    }

    fn layer(&mut self, layer: &ProbedLayer) -> (usize, usize) {
        let (samples, units) = (layer.pre_activations.rows, layer.pre_activations.columns);
        self.targets(Targets::Classes(layer.targets), layer.y);
        self.that(layer.y.rows == samples, || format!("{} rows of outputs for {samples}", layer.y.rows));
        match layer.next {
            Some(next) => {
                self.shape("the next layer's weight", next, units, layer.y.columns);
                self.reads(&[next.span()]);
            }
            None => self.that(layer.y.columns == units, || format!("{units} units as {} logits", layer.y.columns)),
        }
        self.reads(&[layer.pre_activations.span(), layer.y.span()]);
        (samples, units)
    }
}
