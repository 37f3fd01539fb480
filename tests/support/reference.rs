//! Every kernel once more in plain float64, from its definition and as obvious as it can be. What the devices
//! compute is held to this; nothing here is shared with them.

use gpu_train::network::{Activation, OutputLoss};

/// Pixels divided by 255, and labels, of the samples `rows`.
pub(crate) fn gather(images: &[u8], labels: &[u8], columns: usize, rows: &[u32]) -> (Vec<f64>, Vec<u32>) {
    let mut inputs = Vec::new();
    let mut targets = Vec::new();
    for &row in rows {
        let row = row as usize;
        inputs.extend(images[row * columns..(row + 1) * columns].iter().map(|&byte| f64::from(byte) / 255.0));
        targets.push(u32::from(labels[row]));
    }
    (inputs, targets)
}

/// `[targets, classes]`, 1 at each target; a target that is no class has a row of 0.
pub(crate) fn one_hot(targets: &[u32], classes: usize) -> Vec<f64> {
    let mut rows = vec![0.0; targets.len() * classes];
    for (n, &target) in targets.iter().enumerate() {
        if (target as usize) < classes {
            rows[n * classes + target as usize] = 1.0;
        }
    }
    rows
}

/// A factor of a product as it lies in memory.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    pub(crate) values: &'a [f64],
    /// Columns in memory.
    pub(crate) columns: usize,
    pub(crate) transposed: bool,
}

impl Factor<'_> {
    fn at(&self, row: usize, column: usize) -> f64 {
        let (row, column) = if self.transposed { (column, row) } else { (row, column) };
        self.values[row * self.columns + column]
    }
}

/// `[m, n]`: the sums of `k` products, and the bias.
pub(crate) fn matmul([m, k, n]: [usize; 3], a: Factor, b: Factor, bias: Option<&[f64]>) -> Vec<f64> {
    let mut out = Vec::with_capacity(m * n);
    for row in 0..m {
        for column in 0..n {
            let sum: f64 = (0..k).map(|inner| a.at(row, inner) * b.at(inner, column)).sum();
            out.push(sum + bias.map_or(0.0, |bias| bias[column]));
        }
    }
    out
}

/// `phi(a)`
pub(crate) fn activate(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        Activation::Tanh => a.tanh(),
        Activation::Relu => a.max(0.0),
        Activation::Gelu => a * normal_cdf(a),
        Activation::Softplus => a.max(0.0) + (-a.abs()).exp().ln_1p(),
        Activation::Identity => a,
    }
}

/// `phi'(a)`; the sigmoid's is `sigmoid(a) sigmoid(-a)`, which stays precise where it saturates.
pub(crate) fn slope(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sigmoid => activate(activation, a) * activate(activation, -a),
        Activation::Tanh => a.cosh().powi(-2),
        Activation::Relu => f64::from(u8::from(a > 0.0)),
        Activation::Gelu => normal_cdf(a) + a * normal_density(a),
        Activation::Softplus => activate(Activation::Sigmoid, a),
        Activation::Identity => 1.0,
    }
}

/// [`slope`] before anything in it cancels: GELU's two parts by size.
pub(crate) fn slope_scale(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Gelu => normal_cdf(a) + a.abs() * normal_density(a),
        _ => slope(activation, a),
    }
}

/// `exp(-x^2 / 2) / sqrt(2 pi)`
pub(crate) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The share of the normal distribution below `a`: by the Taylor series of its odd part, all of whose terms have one
/// sign, and in the tails by Laplace's continued fraction.
pub(crate) fn normal_cdf(a: f64) -> f64 {
    let x = a.abs();
    let beyond = if x > 3.0 {
        normal_density(x) / (1..200).rev().fold(x, |below, k| x + f64::from(k) / below)
    } else {
        let (mut term, mut sum) = (x, x);
        for k in 1..100 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        0.5 - normal_density(x) * sum
    };
    if a < 0.0 { beyond } else { 1.0 - beyond }
}

/// The logarithm of one row's softmax.
pub(crate) fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits.iter().map(|logit| logit - largest - sum.ln()).collect()
}

/// One row's softmax.
pub(crate) fn softmax(logits: &[f64]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// `-sum_k t_k ln(y_k + epsilon)`, or of log-probabilities `y`. Terms with `t_k = 0` are 0.
pub(crate) fn cross_entropy(y: &[f64], logarithm: bool, t: &[f64], epsilon: f64) -> f64 {
    let terms = y.iter().zip(t).filter(|&(_, &t)| t != 0.0);
    -terms.map(|(&y, &t)| t * if logarithm { y } else { (y + epsilon).ln() }).sum::<f64>()
}

/// `1/2 sum_k (y_k - t_k)^2`
pub(crate) fn sum_of_squares(y: &[f64], t: &[f64]) -> f64 {
    0.5 * y.iter().zip(t).map(|(y, t)| (y - t) * (y - t)).sum::<f64>()
}

/// One sample's loss, from its logits.
pub(crate) fn sample_loss(output: OutputLoss, logits: &[f64], target: u32) -> f64 {
    let t = one_hot(&[target], logits.len());
    match output {
        OutputLoss::CrossEntropy { epsilon: 0.0 } => -log_softmax(logits)[target as usize],
        OutputLoss::CrossEntropy { epsilon } => cross_entropy(&softmax(logits), false, &t, f64::from(epsilon)),
        OutputLoss::SoftmaxSumOfSquares => sum_of_squares(&softmax(logits), &t),
        OutputLoss::SumOfSquares => sum_of_squares(logits, &t),
    }
}

/// One sample's loss differentiated by its logits; `y` are the outputs.
pub(crate) fn loss_gradient(output: OutputLoss, y: &[f64], target: u32) -> Vec<f64> {
    let t = one_hot(&[target], y.len());
    let error: Vec<f64> = y.iter().zip(&t).map(|(y, t)| y - t).collect();
    match output {
        // -ln(y_t + eps) by a_k is -y_t (t_k - y_k) / (y_t + eps); with eps = 0 that is the log-softmax's, for any y_t.
        OutputLoss::CrossEntropy { epsilon: 0.0 } => error,
        OutputLoss::CrossEntropy { epsilon } => {
            let y_t = y[target as usize];
            error.iter().map(|error| error * y_t / (y_t + f64::from(epsilon))).collect()
        }
        OutputLoss::SoftmaxSumOfSquares => {
            let mean: f64 = y.iter().zip(&error).map(|(y, error)| y * error).sum();
            y.iter().zip(&error).map(|(y, error)| y * (error - mean)).collect()
        }
        OutputLoss::SumOfSquares => error,
    }
}

/// `sum_b weights[b] sum_n x[b * N + n, j]` for each column `j`.
pub(crate) fn column_sums(x: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).map(|j| x[j..].iter().step_by(columns).sum()).collect()
}

/// The first largest element's column.
pub(crate) fn argmax(row: &[f64]) -> u32 {
    (1..row.len()).fold(0, |best, column| if row[column] > row[best] { column } else { best }) as u32
}

/// Parameters and state after one step of an optimiser.
pub(crate) struct Moved {
    pub(crate) parameter: f64,
    pub(crate) state: Vec<f64>,
    /// What was subtracted from the parameter.
    pub(crate) shift: f64,
}

/// One step of the rule on one parameter; `state` is the parameter's own; `step` is the number of steps done before.
pub(crate) fn update(
    rule: gpu_train::backend::Rule,
    learning_rate: f64,
    parameter: f64,
    gradient: f64,
    state: &[f64],
    step: u32,
) -> Moved {
    use gpu_train::backend::Rule;
    let (shift, state) = match rule {
        Rule::Sgd => (learning_rate * gradient, vec![]),
        Rule::Momentum { momentum } => {
            let velocity = f64::from(momentum) * state[0] + gradient;
            (learning_rate * velocity, vec![velocity])
        }
        Rule::Adam { beta1, beta2, epsilon } => {
            let (beta1, beta2) = (f64::from(beta1), f64::from(beta2));
            let first = beta1 * state[0] + (1.0 - beta1) * gradient;
            let second = beta2 * state[1] + (1.0 - beta2) * gradient * gradient;
            let time = f64::from(step) + 1.0;
            let first_unbiased = first / (1.0 - beta1.powf(time));
            let second_unbiased = second / (1.0 - beta2.powf(time));
            let shift = learning_rate * first_unbiased / (second_unbiased.sqrt() + f64::from(epsilon));
            (shift, vec![first, second])
        }
    };
    Moved { parameter: parameter - shift, state, shift }
}

/// The Chebyshev polynomial `T_m(x)`, by its recurrence.
pub(crate) fn chebyshev(m: usize, x: f64) -> f64 {
    let (mut before, mut value) = (1.0, x);
    if m == 0 {
        return before;
    }
    for _ in 1..m {
        (before, value) = (value, 2.0 * x * value - before);
    }
    value
}

/// What a change of one unit does to one sample's loss.
pub(crate) struct Probe<'a> {
    /// The unit's activation.
    pub(crate) activation: Activation,
    /// Its pre-activation.
    pub(crate) a: f64,
    /// What the unit's value is multiplied by on its way to each logit.
    pub(crate) to_logits: Vec<f64>,
    /// The sample's outputs; softmax outputs are rounded, and are made to add up to 1 again here.
    pub(crate) y: &'a [f64],
    pub(crate) target: u32,
    pub(crate) output: OutputLoss,
}

impl Probe<'_> {
    /// `C(s) = L(a + s) - L(a)`, the literal subtraction.
    pub(crate) fn change(&self, s: f64) -> f64 {
        let moved = activate(self.activation, self.a + s) - activate(self.activation, self.a);
        let shifts: Vec<f64> = self.to_logits.iter().map(|weight| moved * weight).collect();
        let target = self.target as usize;
        if self.output == OutputLoss::SumOfSquares {
            let after: Vec<f64> = self.y.iter().zip(&shifts).map(|(y, shift)| y + shift).collect();
            return sample_loss(self.output, &after, self.target) - sample_loss(self.output, self.y, self.target);
        }
        let total: f64 = self.y.iter().sum();
        let p: Vec<f64> = self.y.iter().map(|y| y / total).collect();
        let weights: Vec<f64> = p.iter().zip(&shifts).map(|(p, shift)| p * shift.exp()).collect();
        let sum: f64 = weights.iter().sum();
        let after: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
        let t = one_hot(&[self.target], p.len());
        match self.output {
            // ln p_t cancels, so that p_t may be 0.
            OutputLoss::CrossEntropy { epsilon: 0.0 } => sum.ln() - shifts[target],
            OutputLoss::CrossEntropy { epsilon } => {
                let epsilon = f64::from(epsilon);
                cross_entropy(&after, false, &t, epsilon) - cross_entropy(&p, false, &t, epsilon)
            }
            _ => sum_of_squares(&after, &t) - sum_of_squares(&p, &t),
        }
    }

    /// `E(s) = (C(s) - C(-s)) / s`
    pub(crate) fn quotient(&self, s: f64) -> f64 {
        (self.change(s) - self.change(-s)) / s
    }

    /// The curve's own scale, of which its check error is a share: `2 phi' sum_k |dL/da_k| |to_logits[k]|`.
    pub(crate) fn curve_scale(&self) -> f64 {
        let gradient = loss_gradient(self.output, self.y, self.target);
        let sum: f64 = gradient.iter().zip(&self.to_logits).map(|(g, weight)| (g * weight).abs()).sum();
        2.0 * slope_scale(self.activation, self.a) * sum
    }

    /// How large `E` is before anything in it cancels: the curve's scale with every subtraction made an addition.
    pub(crate) fn scale(&self) -> f64 {
        let gradient = loss_gradient_magnitude(self.output, self.y, self.target);
        let sum: f64 = gradient.iter().zip(&self.to_logits).map(|(g, weight)| g * weight.abs()).sum();
        2.0 * slope_scale(self.activation, self.a) * sum
    }

    /// How large the terms are that cancel in `E(s)`: the scale, and for raw outputs the parabola's even part, which
    /// is all there is where an output meets its target.
    pub(crate) fn scale_at(&self, s: f64) -> f64 {
        if self.output != OutputLoss::SumOfSquares {
            return self.scale();
        }
        let squares: f64 = self.to_logits.iter().map(|weight| weight * weight).sum();
        self.scale() + s * slope_scale(self.activation, self.a).powi(2) * squares
    }
}

/// [`loss_gradient`] with every subtraction made an addition, but for `y_t - 1`, which is minus the sum of the others.
fn loss_gradient_magnitude(output: OutputLoss, y: &[f64], target: u32) -> Vec<f64> {
    if output == OutputLoss::SumOfSquares {
        return loss_gradient(output, y, target).into_iter().map(f64::abs).collect();
    }
    let others: f64 = y.iter().enumerate().filter(|&(k, _)| k != target as usize).map(|(_, y)| y).sum();
    let error: Vec<f64> = (0..y.len()).map(|k| if k == target as usize { others } else { y[k] }).collect();
    match output {
        OutputLoss::CrossEntropy { epsilon } if epsilon > 0.0 => {
            let y_t = y[target as usize];
            error.iter().map(|error| error * y_t / (y_t + f64::from(epsilon))).collect()
        }
        OutputLoss::SoftmaxSumOfSquares => {
            let mean: f64 = y.iter().zip(&error).map(|(y, error)| y * error).sum();
            y.iter().zip(&error).map(|(y, error)| y * (error + mean)).collect()
        }
        _ => error,
    }
}

/// The points at which a curve is sampled, as shares of the largest one, and their place in `-1..1`.
pub(crate) fn nodes(count: usize) -> Vec<(f64, f64)> {
    (0..count)
        .map(|m| {
            let place = (std::f64::consts::PI * (2 * m + 1) as f64 / (2 * count) as f64).cos();
            (((1.0 + place) / 2.0).sqrt(), place)
        })
        .collect()
}

/// The Chebyshev coefficients, in `2 (s / s_max)^2 - 1`, of the polynomial that equals `E` at the nodes.
pub(crate) fn curve_coefficients(probe: &Probe, s_max: f64, count: usize) -> Vec<f64> {
    let nodes = nodes(count);
    (0..count)
        .map(|m| {
            let sum: f64 = nodes.iter().map(|&(s, place)| probe.quotient(s_max * s) * chebyshev(m, place)).sum();
            sum * if m == 0 { 1.0 } else { 2.0 } / count as f64
        })
        .collect()
}

/// Threefry-2x32 with 13 rounds, from its definition (Salmon et al., 2011), on 64 bits.
pub(crate) fn threefry(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
    let word = |value: u64| (value % (1 << 32)) as u32;
    let keys = [key[0], key[1], 0x1bd1_1bda ^ key[0] ^ key[1]];
    let mut x = word(u64::from(counter[0]) + u64::from(keys[0]));
    let mut y = word(u64::from(counter[1]) + u64::from(keys[1]));
    for round in 0..13 {
        x = word(u64::from(x) + u64::from(y));
        let rotation = ROTATIONS[round % 8];
        y = (word(u64::from(y) << rotation) | (y >> (32 - rotation))) ^ x;
        if round % 4 == 3 {
            let number = (round + 1) / 4;
            x = word(u64::from(x) + u64::from(keys[number % 3]));
            y = word(u64::from(y) + u64::from(keys[(number + 1) % 3]) + number as u64);
        }
    }
    [x, y]
}

/// Elements `elements` of a random direction, each -1 or 1.
pub(crate) fn direction(seed: u64, step: u32, index: u32, elements: std::ops::Range<usize>) -> Vec<f64> {
    let key = threefry([(seed % (1 << 32)) as u32, (seed >> 32) as u32], [step, index]);
    let element = |i: usize| {
        let bits = threefry(key, [(i / 64) as u32, 0])[i % 64 / 32];
        if bits & (1 << (i % 32)) == 0 { 1.0 } else { -1.0 }
    };
    elements.map(element).collect()
}
