//! Every operation as plain data: which kernel, on which tensors. Backends execute them; nothing here computes.
//!
//! Sizes are called `N` (samples of the batch), `I` (inputs), `U` (units of the layer at hand), `C` (classes).

use std::sync::Arc;

use super::tensor::{Bytes, Tensor, Words};
use crate::formula::Program;
use crate::network::{Activation, OutputLoss};

/// Draws a mini-batch out of bytes on the device: `inputs[n, i] = images[k, i] / 255`, `targets[n] = labels[k]`
/// with `k = indices[cursor * N + n]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gather {
    /// `[samples, I]`
    pub images: Bytes,
    /// `[samples, 1]`
    pub labels: Bytes,
    /// Rows of `images`, batch after batch.
    pub indices: Words,
    /// One word: which batch of `indices` is meant; moved by [`Advance`].
    pub cursor: Words,
    /// `[N, I]`
    pub inputs: Tensor,
    /// `[N]`
    pub targets: Words,
}

/// `out[n, k] = 1` where `k == targets[n]`, else 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneHot {
    /// `[N]`
    pub targets: Words,
    /// `[N, C]`
    pub out: Tensor,
}

/// `out = A B`, plus `bias` in every row where there is one (an *affine* map), with either factor transposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matmul {
    /// `[M, K]`, or `[K, M]` when transposed.
    pub a: Tensor,
    /// Whether `a` is read transposed.
    pub transpose_a: bool,
    /// `[K, N]`, or `[N, K]` when transposed.
    pub b: Tensor,
    /// Whether `b` is read transposed.
    pub transpose_b: bool,
    /// `[1, N]`, added to every row.
    pub bias: Option<Tensor>,
    /// `[M, N]`
    pub out: Tensor,
}

impl Matmul {
    /// `[M, K, N]`: rows of the result, length of the sums, columns of the result.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        let (m, k) = if self.transpose_a { (self.a.columns, self.a.rows) } else { (self.a.rows, self.a.columns) };
        let n = if self.transpose_b { self.b.rows } else { self.b.columns };
        [m, k, n]
    }
}

/// A layer of many literal forward passes: `out[n * M + k] = b + x W`, where of the parameters one element has another
/// value in set `k`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MovedAffine {
    /// `[N, I]`, the same for all sets of a sample, or `[N * M, I]`.
    pub inputs: Tensor,
    /// `[I, U]`
    pub weight: Tensor,
    /// `[1, U]`
    pub bias: Tensor,
    /// `[M]`: the moved element of each set, `i * U + j` of the weight, `I * U + j` of the bias, and no element of this
    /// layer beyond.
    pub places: Words,
    /// `[1, M]`: its value.
    pub values: Tensor,
    /// `[N * M, U]`
    pub out: Tensor,
}

/// `out = phi(x)`, element by element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activate {
    /// phi
    pub activation: Activation,
    /// Pre-activations.
    pub x: Tensor,
    /// The same shape.
    pub out: Tensor,
}

/// `gradient = gradient * phi'(x)`, element by element, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivationGradient {
    /// phi
    pub activation: Activation,
    /// Pre-activations.
    pub x: Tensor,
    /// The loss's gradient by `phi(x)`, replaced by the one by `x`.
    pub gradient: Tensor,
}

/// The softmax of each row, or its logarithm; no overflow for any finite logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softmax {
    /// `[N, C]` logits.
    pub x: Tensor,
    /// Whether `out` is the logarithm (log-softmax).
    pub logarithm: bool,
    /// `[N, C]`
    pub out: Tensor,
}

/// What a loss compares outputs with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Targets {
    /// `[N]` class indices. One that is not below `C` makes the loss NaN.
    Classes(Words),
    /// `[N, C]` one-hot rows (or any weights).
    OneHot(Tensor),
}

/// `out[n] = -sum_k t[n, k] ln(y[n, k] + epsilon)`; a term whose `t` is 0 is 0 even where the logarithm is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropy {
    /// `[N, C]` probabilities, or their logarithms.
    pub y: Tensor,
    /// Whether `y` holds log-probabilities; then `epsilon` is not used.
    pub logarithm: bool,
    /// One target a row.
    pub targets: Targets,
    /// Keeps the logarithm from 0.
    pub epsilon: f32,
    /// `[N, 1]`
    pub out: Tensor,
}

/// `out[n] = 1/2 sum_k (y[n, k] - t[n, k])^2`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SumOfSquares {
    /// `[N, C]`
    pub y: Tensor,
    /// One target a row.
    pub targets: Targets,
    /// `[N, 1]`
    pub out: Tensor,
}

/// The gradient of the batch's mean loss by the logits: where back-propagation begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossGradient {
    /// Which output activation and loss.
    pub output: OutputLoss,
    /// `[N, C]`: softmax probabilities, or the raw outputs.
    pub y: Tensor,
    /// `[N]`
    pub targets: Words,
    /// `[N, C]`
    pub out: Tensor,
}

/// `out[cursor] = 1/N sum_n x[n]`, added in one fixed order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// `[N, 1]`
    pub x: Tensor,
    /// A column of results `[steps, 1]`.
    pub out: Tensor,
    /// One word: the row of `out` that is written.
    pub cursor: Words,
}

/// `out[j] = sum_n x[n, j]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnSums {
    /// `[N, U]`
    pub x: Tensor,
    /// `[1, U]`
    pub out: Tensor,
}

/// `out[n]` = the column of row `n`'s largest element; the first of equals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Argmax {
    /// `[N, C]`
    pub x: Tensor,
    /// `[N]`
    pub out: Words,
}

/// `out[0]` += how many of the first `len` predictions equal their target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountCorrect {
    /// `[N]`
    pub predictions: Words,
    /// `[N]`
    pub targets: Words,
    /// One word.
    pub out: Words,
}

/// How a gradient moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// `theta -= rate * g`
    Sgd,
    /// `v = momentum * v + g; theta -= rate * v` (Sutskever et al., 2013, in PyTorch's form)
    Momentum {
        /// 0.9, usually.
        momentum: f32,
    },
    /// Adam (Kingma and Ba, 2015, algorithm 1); the number of the step comes from the device's own counter.
    Adam {
        /// Decay of the first moment, 0.9.
        beta1: f32,
        /// Decay of the second moment, 0.999.
        beta2: f32,
        /// Added to the denominator, 1e-8.
        epsilon: f32,
    },
}

impl Rule {
    /// How many blocks of the parameters' size it keeps from step to step.
    #[must_use]
    pub fn state_blocks(&self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum { .. } => 1,
            Self::Adam { .. } => 2,
        }
    }
}

/// One step of gradient descent on a whole block of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// SGD, momentum or Adam.
    pub rule: Rule,
    /// Learning rate.
    pub learning_rate: f32,
    /// `[1, P]`
    pub parameters: Tensor,
    /// `[1, P]`
    pub gradient: Tensor,
    /// `[state_blocks, P]`: velocity, or first and second moment. `None` for SGD.
    pub state: Option<Tensor>,
    /// One word: steps done so far in the whole run, which Adam's bias correction needs.
    pub step: Words,
}

/// Adds 1 to `counters[0]` and `counters[1]`: the place in the block of batches, and the steps done in the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Advance {
    /// One word: the place in the block, reset by the host.
    pub cursor: Words,
    /// One word: steps done in the run.
    pub step: Words,
}

/// `out[..] = value`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// What is written.
    pub value: f32,
    /// Where.
    pub out: Tensor,
}

/// `out[i]` is what `rounds` rounds of `v = v * factor + addend` make of `x[i]`: a copy where there are none, and nothing but
/// multiply-adds in registers where there are many. What a device can do at most is measured by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiplyAdd {
    /// A multiple of 4 elements.
    pub x: Tensor,
    /// Of each round.
    pub factor: f32,
    /// Of each round.
    pub addend: f32,
    /// A multiple of [`ROUNDS_AT_ONCE`], [`MAX_ROUNDS`] at most.
    pub rounds: usize,
    /// The same shape.
    pub out: Tensor,
}

/// Rounds of a [`MultiplyAdd`] that come together, so that the loop around them costs little.
pub const ROUNDS_AT_ONCE: usize = 8;

/// Most rounds of a [`MultiplyAdd`].
pub const MAX_ROUNDS: usize = 1 << 16;

/// `out[n] = max(1, max_i |x[n, i]|)`: how far `h x` reaches in row `n`, the bias (`x = 1`) included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowRange {
    /// `[N, I]`
    pub x: Tensor,
    /// `[N, 1]`
    pub out: Tensor,
}

/// The layer whose units are probed, and what a change of one of them does to the loss.
///
/// All weights into unit `j` move sample `n`'s loss along one function of one variable,
/// `C(s) = L_n(a[n, j] + s) - L_n(a[n, j])`. A change of a hidden unit reaches the logits through one row of
/// `next`; a probed unit that is itself a logit moves that logit alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbedLayer {
    /// The probed units' activation; [`Activation::Identity`] where they are the logits.
    pub activation: Activation,
    /// `[N, U]` their pre-activations.
    pub pre_activations: Tensor,
    /// `[U, C]`, the weights that lead to the logits; `None` where the units are the logits (`U = C`).
    pub next: Option<Tensor>,
    /// `[N, C]`: softmax probabilities, or the raw outputs, of the unperturbed network.
    pub y: Tensor,
    /// `[N]` classes.
    pub targets: Words,
    /// Output activation and loss.
    pub output: OutputLoss,
    /// `h`: how far each parameter is moved.
    pub step_size: f32,
}

/// Samples every unit's loss curve at `nodes` pairs of points and writes the quotient as a polynomial.
///
/// `E(s) = (C(s) - C(-s)) / s` is even in `s`. It is measured at `s_m = s_max sqrt((1 + cos(pi (2m + 1) / 2q)) / 2)`,
/// `s_max = h range[n]`, and written as Chebyshev coefficients in `2 (s / s_max)^2 - 1`, times `1 / 2N`:
/// `coefficients[(q - 1 - m) * N + n, j]`. With `features` (see [`CurveFeatures`]) one matrix product gives the gradient.
/// The highest order comes first, since its terms are the smallest: added to a finished sum of order 0 they would be
/// rounded away, all of them in the same direction.
///
/// `errors[n, j]` is the check: an estimate of what the polynomial misses, as a share of the curve's own scale
/// (`sum_k |dL/da_k| |next[j, k]|` times the slope of the activation; GELU's is `Phi(a) + a density(a)` and passes
/// through 0, so that its two parts count by size); infinite at a kink. With one pair it is a bound
/// from the largest derivatives; with several, spare pairs ([`spare_pairs`]) see it. Where it exceeds
/// `tolerance` the coefficients are 0 and [`ProbeSingle`] takes over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeCurve {
    /// What is probed.
    pub layer: ProbedLayer,
    /// `[N, 1]` from [`RowRange`]; `None` where no input exceeds 1.
    pub range: Option<Tensor>,
    /// `q`, 1 to [`MAX_NODES`].
    pub nodes: usize,
    /// The largest check error that is accepted.
    pub tolerance: f32,
    /// `[q * N, U]`
    pub coefficients: Tensor,
    /// `[N, U]`
    pub errors: Tensor,
}

/// Most pairs of points at which a curve is sampled.
pub const MAX_NODES: usize = 8;

/// Pairs of points beyond `nodes` at which [`ProbeCurve`] compares polynomial and curve: none for one pair, which has
/// a bound; more than one where the steps are so large that one alone may see a miss pass through 0.
#[must_use]
pub fn spare_pairs(nodes: usize) -> usize {
    match nodes {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 3,
    }
}

/// `out[(q - 1 - m) * N + n, i] = x T_m(2 (x / range[n])^2 - 1)` with `x = x[n, i]` and `T_m` the Chebyshev polynomials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveFeatures {
    /// `[N, I]`
    pub x: Tensor,
    /// `[N, 1]`; `None` for 1.
    pub range: Option<Tensor>,
    /// `[q * N, I]`
    pub out: Tensor,
}

/// Lists, unit by unit, the samples whose curve failed its check, and keeps count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeList {
    /// `[N, U]` from [`ProbeCurve`]; `None` lists every sample (no curve is trusted).
    pub errors: Option<Tensor>,
    /// What [`ProbeCurve`] was given.
    pub tolerance: f32,
    /// Samples of the batch.
    pub samples: usize,
    /// Units of the layer.
    pub units: usize,
    /// `[U * N]`: row `j` holds the listed samples of unit `j`, in order.
    pub list: Words,
    /// `[U]`: how many of them.
    pub counts: Words,
    /// `[U]`: += `counts`, over all steps since the host cleared it.
    pub totals: Words,
    /// `[1, U]`: the largest accepted error so far.
    pub largest: Tensor,
}

/// The pre-activations of the listed samples once more, each as the sum of two floats: `out[j, k]` is the high part of
/// `bias[j] + sum_i x[n, i] W[i, j]` with `n` the `k`-th listed sample of unit `j`, `out[U + j, k]` the low part, and 0
/// stands behind the last listed sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreciseAffine {
    /// `[N, I]`
    pub inputs: Tensor,
    /// `[I, U]`
    pub weight: Tensor,
    /// `[1, U]`
    pub bias: Tensor,
    /// From [`ProbeList`].
    pub list: Words,
    /// From [`ProbeList`].
    pub counts: Words,
    /// `[2 U, N]`
    pub out: Tensor,
}

/// Adds to the gradient what the listed samples contribute, each parameter probed at its own shift:
/// `weight_gradient[i, j] += 1/(2hN) sum_n (C(h x[n, i]) - C(-h x[n, i]))`, and the bias with `x = 1`.
///
/// At a kink the rounding of the pre-activation is all that counts, so a ReLU's comes in twice the precision.
///
/// With `one_sided` it is the forward quotient's part, `1/(hN) sum_n C(h x[n, i])`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeSingle {
    /// What is probed.
    pub layer: ProbedLayer,
    /// `[N, I]` the layer's inputs.
    pub inputs: Tensor,
    /// `[2 U, N]` from [`PreciseAffine`], for ReLU and nothing else.
    pub precise: Option<Tensor>,
    /// From [`ProbeList`].
    pub list: Words,
    /// From [`ProbeList`].
    pub counts: Words,
    /// `[I, U]`, added to.
    pub weight_gradient: Tensor,
    /// `[1, U]`, added to.
    pub bias_gradient: Tensor,
    /// Whether parameters are moved up only.
    pub one_sided: bool,
}

/// Some of the curves of a layer with hidden layers behind it: those with the numbers `first..first + count` in the
/// order `[N, U]` of the pre-activations.
///
/// A layer behind them is followed in rows: row `2 (p * count + c) + side` belongs to pair of points `p`
/// ([`ProbeChunk::pairs`], the nodes and then the spare ones), to curve `first + c`, and to `s` (side 0) or `-s` (side 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeChunk {
    /// The probed units' activation.
    pub activation: Activation,
    /// `[N, U]` their pre-activations.
    pub pre_activations: Tensor,
    /// As in [`ProbeCurve`].
    pub range: Option<Tensor>,
    /// `h`
    pub step_size: f32,
    /// `q`, 1 to [`MAX_NODES`].
    pub nodes: usize,
    /// The first curve.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl ProbeChunk {
    /// Pairs of points at which each curve is measured.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.nodes + spare_pairs(self.nodes)
    }

    /// Rows that the layers behind are followed in.
    #[must_use]
    pub fn rows(&self) -> usize {
        2 * self.pairs() * self.count
    }
}

/// What moved units make of the activations of the layer behind: with `d` the unit's own change,
/// `out[row, k] = phi(b + x) - phi(b)`, `x = d weight[j, k]`, `b = behind[n, k]`.
///
/// `kinks[c]` becomes infinite where a ReLU of the curve's own unit or of the layer behind may change its sign between
/// `-s_max` and `s_max`, and 0 elsewhere. A device may also refuse a curve so, one whose moves are larger than its short
/// forms hold for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeBehind {
    /// Which curves.
    pub chunk: ProbeChunk,
    /// `[U, V]`
    pub weight: Tensor,
    /// `[N, V]`: pre-activations of the layer behind.
    pub behind: Tensor,
    /// `[rows, V]`
    pub out: Tensor,
    /// `[count, 1]`
    pub kinks: Tensor,
}

/// What moved pre-activations make of a layer's activations, in place: `x[row, k] = phi(b + x) - phi(b)`, `b = behind[n, k]`.
/// `kinks[c]` becomes infinite where a ReLU may change its sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeThrough {
    /// Which curves.
    pub chunk: ProbeChunk,
    /// `[N, V]`: pre-activations of the layer.
    pub behind: Tensor,
    /// `[rows, V]`
    pub x: Tensor,
    /// `[count, 1]`
    pub kinks: Tensor,
}

/// From the logits' moves to the curves: writes rows of the coefficients and of the errors of [`ProbeCurve`].
///
/// With one pair there is no spare one, and the error is 0 where the curve has no kink: whether one pair is enough for all
/// curves of the layer is decided before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeDifference {
    /// Which curves.
    pub chunk: ProbeChunk,
    /// `[rows, C]`: how each logit moves.
    pub moves: Tensor,
    /// `[count, 1]`
    pub kinks: Tensor,
    /// `[N, C]`: probabilities, or raw outputs, of the unperturbed network.
    pub y: Tensor,
    /// `[N]` classes.
    pub targets: Words,
    /// Output activation and loss.
    pub output: OutputLoss,
    /// The largest check error that is accepted.
    pub tolerance: f32,
    /// `[q * N, U]`: those of the chunk's curves are written.
    pub coefficients: Tensor,
    /// `[N, U]`, likewise.
    pub errors: Tensor,
}

/// Random directions `u_k` of elements -1 and 1 (Rademacher's distribution), as long as the parameter block. Nothing of
/// them is stored: wherever one is needed it is made again, the same bits on every device.
///
/// Element `i` of direction `k` is -1 where bit `i % 64` of `threefry(key, (i / 64, 0))` is 1, with
/// `key = threefry(seed, (step, k))` and Threefry-2x32 of 13 rounds; the first word has the first 32 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Directions {
    /// Of the run; its low word first.
    pub seed: u64,
    /// One word: the step, moved by [`Advance`].
    pub step: Words,
    /// The first direction that is meant.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// Directions themselves, `out[k] = u_k`, or parameters moved along each to both sides:
/// `out[2 k] = theta + h u_k`, `out[2 k + 1] = theta - h u_k`. Of a part of the block: elements `offset..offset + L`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturb {
    /// Which.
    pub directions: Directions,
    /// Where the part begins in the block; a multiple of 64.
    pub offset: usize,
    /// `[1, L]`; `None` for the directions themselves.
    pub parameters: Option<Tensor>,
    /// `h`
    pub step_size: f32,
    /// `[count, L]`, or `[2 count, L]` with parameters.
    pub out: Tensor,
}

/// `out_b = A_b W_b + bias_b` for many matrices of one shape, stacked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchMatmul {
    /// `[N, I]` where it is shared, else `[B * N, I]`.
    pub a: Tensor,
    /// Whether all products have the same left factor.
    pub shared: bool,
    /// `[B, L]`: each row holds a weight and a bias.
    pub b: Tensor,
    /// Where in a row the weight `[I, U]` begins.
    pub weight_at: usize,
    /// Where in a row the bias `[U]` begins.
    pub bias_at: usize,
    /// `[B * N, U]`
    pub out: Tensor,
}

/// A layer's activations when its pre-activations are moved along directions to both sides:
/// `out[2 k] = phi(base + h shift[k])`, `out[2 k + 1] = phi(base - h shift[k])`, of blocks of `N` rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// phi
    pub activation: Activation,
    /// `[N, U]` pre-activations where nothing is moved.
    pub base: Tensor,
    /// `[K * N, U]`
    pub shift: Tensor,
    /// `h`
    pub step_size: f32,
    /// `[2 K * N, U]`
    pub out: Tensor,
}

/// What is measured of a batch's outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// The mean loss.
    Loss(OutputLoss),
    /// The share of samples whose largest logit, the first of equals, is not the target's.
    ErrorRate,
}

/// Central difference quotients along directions:
/// `out[first + k] = (L(logits[2 k]) - L(logits[2 k + 1])) / 2h`, of blocks of `N` rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossDifferences {
    /// `L`
    pub measure: Measure,
    /// `[2 K * N, C]`
    pub logits: Tensor,
    /// `[N]`
    pub targets: Words,
    /// `h`
    pub step_size: f32,
    /// The first row that is written.
    pub first: usize,
    /// `[.., 1]`
    pub out: Tensor,
}

/// A part of the gradient estimate: `out = 1/K sum_k coefficients[k] u_k`, elements `offset..offset + out.len()`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectionalGradient {
    /// All of them.
    pub directions: Directions,
    /// Where the part begins in the block; a multiple of 64.
    pub offset: usize,
    /// `[K, 1]`, the derivatives along them.
    pub coefficients: Tensor,
    /// Any shape.
    pub out: Tensor,
}

/// Two moves of a difference quotient and their weights: `plus f(x + multiple h) + minus f(x - multiple h)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotientPair {
    /// In steps.
    pub multiple: f32,
    /// The weight of the move up.
    pub plus: f32,
    /// The weight of the move down; where it is 0, no move down is looked at.
    pub minus: f32,
}

/// Most pairs of moves of a quotient.
pub const MAX_PAIRS: usize = 2;

/// A formula at many points, `out[n, 0] = f(x[n])`, and its difference quotient by each variable,
/// `out[n, 1 + v] = 1/h sum_pairs (plus C(multiple h) + minus C(-multiple h))`, where `C(s) = f(.., x[n, v] + s, ..) - f(x[n])`
/// is made of changes and never of a difference of two values.
///
/// One thing still cancels: a denominator or a factor of which a move takes nearly all. Where a step makes it a thousandth
/// of what it was, three digits are gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    /// f
    pub program: Arc<Program>,
    /// `[N, V]`
    pub x: Tensor,
    /// `h`, which is taken exactly.
    pub step_size: f32,
    /// The quotient, [`MAX_PAIRS`] pairs at most.
    pub pairs: Vec<QuotientPair>,
    /// `[N, 1 + V]`, or `[N, 1]` where only values are wanted.
    pub out: Tensor,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident => $label:literal),* $(,)?) => {
        /// One operation.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Self {
                Self::$name(op)
            }
        })*

        impl Op {
            /// The kernel's name: of its shader, its files, its labels and its row in the parity suite.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $label,)*
                }
            }
        }

        /// The names of all kernels.
        pub const KERNELS: &[&str] = &[$($label),*];
    };
}

operations! {
    Gather => "gather",
    OneHot => "one_hot",
    Matmul => "matmul",
    MovedAffine => "moved_affine",
    Activate => "activate",
    ActivationGradient => "activation_gradient",
    Softmax => "softmax",
    CrossEntropy => "cross_entropy",
    SumOfSquares => "sum_of_squares",
    LossGradient => "loss_gradient",
    Mean => "mean",
    ColumnSums => "column_sums",
    Argmax => "argmax",
    CountCorrect => "count_correct",
    Update => "update",
    Advance => "advance",
    Fill => "fill",
    MultiplyAdd => "multiply_add",
    RowRange => "row_range",
    ProbeCurve => "probe_curve",
    CurveFeatures => "curve_features",
    ProbeList => "probe_list",
    PreciseAffine => "precise_affine",
    ProbeSingle => "probe_single",
    ProbeBehind => "probe_behind",
    ProbeThrough => "probe_through",
    ProbeDifference => "probe_difference",
    Perturb => "perturb",
    BatchMatmul => "batch_matmul",
    Shift => "shift",
    LossDifferences => "loss_differences",
    DirectionalGradient => "directional_gradient",
    Formula => "formula",
}
