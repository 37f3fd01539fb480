//! A network and a batch in float64: what the oracles compute with. Plain functions from the definitions, apart from
//! the engine's kernels, so that a mistake in one is not in the other.

use super::source::BatchSource;
use crate::network::{Activation, LayerLayout, Network, OutputLoss};

/// A network and a batch, widened.
pub(super) struct Wide<'a> {
    pub(super) network: &'a Network,
    /// Laid out as the network's.
    pub(super) parameters: Vec<f64>,
    /// `[N, I]`
    pub(super) inputs: Vec<f64>,
    /// `[N]`
    pub(super) targets: Vec<usize>,
}

impl<'a> Wide<'a> {
    pub(super) fn new(network: &'a Network, source: &BatchSource<'_>) -> Self {
        Self {
            network,
            parameters: network.parameters.iter().map(|&value| value.into()).collect(),
            inputs: source.inputs().into_iter().map(f64::from).collect(),
            targets: source.targets().into_iter().map(|target| target as usize).collect(),
        }
    }

    pub(super) fn layers(&self) -> &'a [LayerLayout] {
        self.network.layout.layers()
    }

    /// The activation behind a layer; the logits' is none.
    pub(super) fn activation(&self, layer: usize) -> Activation {
        if layer + 1 < self.layers().len() { self.network.architecture.activation } else { Activation::Identity }
    }
}

/// `phi(a)`
pub(super) fn activate(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        Activation::Tanh => a.tanh(),
        Activation::Relu => a.max(0.0),
        Activation::Gelu => a * normal_cdf(a),
        Activation::Softplus => a.max(0.0) + (-a.abs()).exp().ln_1p(),
        Activation::Identity => a,
    }
}

/// The share of the normal distribution below `a`.
fn normal_cdf(a: f64) -> f64 {
    0.5 * libm::erfc(-a * std::f64::consts::FRAC_1_SQRT_2)
}

/// `Phi(a + s) - Phi(a)`: the density's mean between them where the difference would cancel.
fn normal_between(a: f64, s: f64) -> f64 {
    /// Nodes and weights of Gauss and Legendre on -1..1, on one side of the middle.
    const RULE: [(f64, f64); 5] = [
        (0.148_874_338_981_631_22, 0.295_524_224_714_752_87),
        (0.433_395_394_129_247_2, 0.269_266_719_309_996_35),
        (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
        (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
        (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
    ];
    if s.abs() > 0.5 {
        // On the side where the tail is small, nothing but the larger of the two tails counts.
        let side = if a + s.min(0.0) > 0.0 { -1.0 } else { 1.0 };
        return side * (normal_cdf(side * (a + s)) - normal_cdf(side * a));
    }
    let (middle, half) = (a + 0.5 * s, 0.5 * s);
    let density =
        |x: f64| (-0.5 * x * x).exp() * 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let both = |&(node, weight): &(f64, f64)| weight * (density(middle - half * node) + density(middle + half * node));
    half * RULE.iter().map(both).sum::<f64>()
}

/// `phi(a + s) - phi(a)` without cancellation.
pub(super) fn activation_change(activation: Activation, a: f64, s: f64) -> f64 {
    match activation {
        Activation::Sigmoid => {
            // With c = 1 - z: z c expm1(s) / (c + z exp(s)).
            let (z, c) = (1.0 / (1.0 + (-a).exp()), 1.0 / (1.0 + a.exp()));
            z * c * s.exp_m1() / (c + z * s.exp())
        }
        Activation::Tanh => {
            // sinh(s) / (cosh(a) cosh(a + s)), which is 0 to float64 long before a cosine overflows.
            let bounded = a.clamp(-300.0, 300.0);
            s.sinh() / (bounded.cosh() * (bounded + s).cosh())
        }
        Activation::Relu => match (a > 0.0, a + s > 0.0) {
            (true, true) => s,
            (true, false) => -a,
            (false, true) => a + s,
            (false, false) => 0.0,
        },
        Activation::Gelu => s * normal_cdf(a + s) + a * normal_between(a, s),
        Activation::Softplus => {
            // ln(1 + z expm1(s)), from the end where the sum does not cancel.
            if s < -0.5 {
                activate(activation, a + s) - activate(activation, a)
            } else {
                (s.exp_m1() / (1.0 + (-a).exp())).ln_1p()
            }
        }
        Activation::Identity => s,
    }
}

/// The log-softmax of one sample's logits.
fn log_softmax(logits: &[f64], out: &mut Vec<f64>) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    out.clear();
    out.extend(logits.iter().map(|logit| logit - largest - sum.ln()));
}

/// One sample's loss, from its logits; `scratch` is overwritten.
pub(super) fn sample_loss(output: OutputLoss, logits: &[f64], target: usize, scratch: &mut Vec<f64>) -> f64 {
    let squares = |y: &mut dyn Iterator<Item = f64>| -> f64 {
        y.enumerate().map(|(k, y)| if k == target { y - 1.0 } else { y }).map(|off| 0.5 * off * off).sum()
    };
    if output != OutputLoss::SumOfSquares {
        log_softmax(logits, scratch);
    }
    match output {
        OutputLoss::CrossEntropy { epsilon: 0.0 } => -scratch[target],
        OutputLoss::CrossEntropy { epsilon } => -(scratch[target].exp() + f64::from(epsilon)).ln(),
        OutputLoss::SoftmaxSumOfSquares => squares(&mut scratch.iter().map(|logarithm| logarithm.exp())),
        OutputLoss::SumOfSquares => squares(&mut logits.iter().copied()),
    }
}

/// Moves of logits against each other beyond which their exponentials might overflow, and nothing cancels any more.
const FAR: f64 = 300.0;

/// What moving the logits by `moves` does to one sample's loss, without cancellation. `y` are the unperturbed outputs:
/// probabilities, or the raw logits.
pub(super) fn loss_change(output: OutputLoss, y: &[f64], moves: &[f64], target: usize) -> f64 {
    let others = || y.iter().zip(moves).enumerate().filter(|&(k, _)| k != target).map(|(_, pair)| pair);
    // y_t - 1, from the other probabilities.
    let miss = -others().map(|(y, _)| y).sum::<f64>();
    // Of ln(sum_k y_k exp(D_k - D_t)), from the largest output: against it no sum comes near -1.
    let reference = (0..y.len()).fold(0, |most, k| if y[k] > y[most] { k } else { most });
    let growth = || {
        let against = || y.iter().zip(moves).map(|(y, moved)| (y, moved - moves[reference]));
        let farthest = against().fold(0.0, |most: f64, (_, moved)| most.max(moved));
        let sum = if farthest < FAR {
            against().map(|(y, moved)| y * moved.exp_m1()).sum::<f64>().ln_1p()
        } else {
            farthest + against().map(|(y, moved)| y * (moved - farthest).exp()).sum::<f64>().ln()
        };
        sum + (moves[reference] - moves[target])
    };
    match output {
        OutputLoss::CrossEntropy { epsilon: 0.0 } => growth(),
        OutputLoss::CrossEntropy { epsilon } => {
            let share = y[target] / (y[target] + f64::from(epsilon));
            -(share * (-growth()).exp_m1()).ln_1p()
        }
        OutputLoss::SoftmaxSumOfSquares => {
            let growth = growth();
            let terms = y.iter().zip(moves).enumerate().map(|(k, (y, moved))| {
                let change = y * (moved - moves[target] - growth).exp_m1();
                change * (if k == target { miss } else { *y } + 0.5 * change)
            });
            terms.sum()
        }
        OutputLoss::SumOfSquares => {
            let terms = y
                .iter()
                .zip(moves)
                .enumerate()
                .map(|(k, (y, moved))| moved * (if k == target { y - 1.0 } else { *y } + 0.5 * moved));
            terms.sum()
        }
    }
}

/// The outputs of one sample: probabilities, or the raw logits.
pub(super) fn outputs(output: OutputLoss, logits: &[f64]) -> Vec<f64> {
    if output == OutputLoss::SumOfSquares {
        return logits.to_vec();
    }
    let mut logarithms = Vec::new();
    log_softmax(logits, &mut logarithms);
    logarithms.into_iter().map(f64::exp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes are differences of values, where those do not cancel.
    #[test]
    fn changes_are_differences() {
        for activation in Activation::ALL {
            for a in [-3.0, -0.4, 0.0, 0.7, 5.0] {
                for s in [-4.5, -0.3, 0.2, 1.7] {
                    let expected = activate(activation, a + s) - activate(activation, a);
                    let got = activation_change(activation, a, s);
                    assert!((got - expected).abs() < 1e-14, "{activation:?} at {a} by {s}: {got}, {expected}");
                }
            }
        }
        let (logits, moves) = ([0.3, -1.2, 2.0], [0.4, 0.9, -0.5]);
        let moved: Vec<f64> = logits.iter().zip(moves).map(|(logit, moved)| logit + moved).collect();
        for output in [
            OutputLoss::CrossEntropy { epsilon: 0.0 },
            OutputLoss::CrossEntropy { epsilon: 0.01 },
            OutputLoss::SoftmaxSumOfSquares,
            OutputLoss::SumOfSquares,
        ] {
            for target in 0..3 {
                let loss = |logits: &[f64]| sample_loss(output, logits, target, &mut Vec::new());
                let expected = loss(&moved) - loss(&logits);
                let got = loss_change(output, &outputs(output, &logits), &moves, target);
                assert!((got - expected).abs() < 1e-14, "{output:?}, class {target}: {got}, {expected}");
            }
        }
    }

    /// And where they do: the change of a saturated unit keeps its digits.
    #[test]
    fn changes_keep_their_digits() {
        for (activation, slope) in [(Activation::Sigmoid, (-40f64).exp()), (Activation::Tanh, 4.0 * (-80f64).exp())] {
            let got = activation_change(activation, 40.0, 1e-6);
            assert!((got / (slope * 1e-6) - 1.0).abs() < 3e-6, "{activation:?}: {got:e}, {:e}", slope * 1e-6);
            let naive = activate(activation, 40.0 + 1e-6) - activate(activation, 40.0);
            assert_eq!(naive, 0.0, "the naive difference has none left");
        }
    }
}
