//! What a change of one unit does to one sample's loss, as a difference that does not cancel.
//!
//! Everything works on lanes: sixteen units moved at once (curves), or one unit moved by sixteen shifts (single
//! probes). Why, is told in `src/gradient/numerical.rs`.

use super::argmax::largest;
use super::math::{self, LANES, Lanes, map};
use super::normal;
use super::simd::Float;
use crate::network::{Activation, OutputLoss};

/// Pre-activations of the units that are moved, and what their changes need.
pub(super) struct Units {
    activation: Activation,
    a: Lanes,
    /// `phi(a)` for sigmoid and tanh, the sigmoid of `a` for softplus, `Phi(a)` for GELU.
    value: Lanes,
    /// `1 - phi(a)` for sigmoid, `1 - |phi(a)|` for tanh, to full relative precision; the same of the sigmoid for
    /// softplus; the normal density at `a` for GELU.
    rest: Lanes,
    /// `phi'(a)`
    pub(super) slope: Lanes,
}

impl Units {
    #[inline(always)]
    pub(super) fn new<F: Float>(activation: Activation, a: Lanes) -> Self {
        let (mut value, mut rest, mut slope) = ([0.0; LANES], [0.0; LANES], [1.0; LANES]);
        match activation {
            Activation::Sigmoid => {
                for lane in 0..LANES {
                    let (z, complement) = math::sigmoid::<F>(a[lane]);
                    (value[lane], rest[lane], slope[lane]) = (z, complement, z * complement);
                }
            }
            Activation::Tanh => {
                for lane in 0..LANES {
                    (value[lane], slope[lane]) = math::tanh::<F>(a[lane]);
                    rest[lane] = slope[lane] / (1.0 + value[lane].abs());
                }
            }
            Activation::Relu => slope = map(&a, |a| if a > 0.0 { 1.0 } else { 0.0 }),
            Activation::Gelu => {
                for lane in 0..LANES {
                    let (cdf, density) = normal::normal::<F>(a[lane]);
                    (value[lane], rest[lane], slope[lane]) = (cdf, density, F::mul_add(a[lane], density, cdf));
                }
            }
            Activation::Softplus => {
                for lane in 0..LANES {
                    (value[lane], rest[lane]) = math::sigmoid::<F>(a[lane]);
                }
                slope = value;
            }
            Activation::Identity => {}
        }
        Self { activation, a, value, rest, slope }
    }

    /// `c1`, `c2`, `c3` of `phi(a + x) - phi(a) = c1 x + c2 x^2 + c3 x^3 + ...`; up to [`math::SMALL`] that is all of it.
    #[inline(always)]
    pub(super) fn series<F: Float>(&self) -> [Lanes; 3] {
        let (mut second, mut third) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let (a, value, rest, slope) = (self.a[lane], self.value[lane], self.rest[lane], self.slope[lane]);
            let derivatives = match self.activation {
                Activation::Sigmoid => (slope * (rest - value), slope * (1.0 - 6.0 * slope)),
                Activation::Softplus => (value * rest, value * rest * (rest - value)),
                Activation::Tanh => (-2.0 * value * slope, -2.0 * slope * F::mul_add(-3.0 * value, value, 1.0)),
                // There `rest` is the density of the normal distribution.
                Activation::Gelu => (rest * F::mul_add(-a, a, 2.0), rest * a * F::mul_add(a, a, -4.0)),
                Activation::Relu | Activation::Identity => (0.0, 0.0),
            };
            (second[lane], third[lane]) = (derivatives.0 / 2.0, derivatives.1 / 6.0);
        }
        [self.slope, second, third]
    }

    /// Pre-activations, values, rests and slopes, to be kept.
    #[inline(always)]
    pub(super) fn parts(&self) -> [Lanes; 4] {
        [self.a, self.value, self.rest, self.slope]
    }

    /// The units that were kept.
    #[inline(always)]
    pub(super) fn of_parts(activation: Activation, [a, value, rest, slope]: [Lanes; 4]) -> Self {
        Self { activation, a, value, rest, slope }
    }

    /// `phi(a + s) - phi(a)`
    #[inline(always)]
    pub(super) fn change<F: Float>(&self, shift: &Shift) -> Lanes {
        let mut d = [0.0; LANES];
        match self.activation {
            Activation::Sigmoid | Activation::Tanh if shift.small => {
                let inverse = math::small_inverse::<F>(&F::mul_lanes(&self.value, &shift.growth));
                d = F::mul_lanes(&F::mul_lanes(&self.slope, &shift.growth), &inverse);
            }
            Activation::Sigmoid => {
                // 1 + z expm1(s) as c + z exp(s): it keeps its precision where a shift leads from one end to the other.
                for lane in 0..LANES {
                    let (e, power) = (shift.growth[lane], shift.factor[lane]);
                    d[lane] = self.slope[lane] * e / F::mul_add(self.value[lane], power, self.rest[lane]);
                }
            }
            Activation::Tanh => {
                // Where t and u have opposite signs, 1 + t u is (1 - |t|) + |t| (1 - |u|), which does not cancel.
                for lane in 0..LANES {
                    let (u, rest) = (shift.growth[lane], shift.factor[lane]);
                    let t = self.value[lane];
                    let opposite = F::mul_add(t.abs(), rest, self.rest[lane]);
                    let denominator = if t * u < 0.0 { opposite } else { F::mul_add(t, u, 1.0) };
                    d[lane] = self.slope[lane] * u / denominator;
                }
            }
            Activation::Relu => {
                for lane in 0..LANES {
                    let (a, s) = (self.a[lane], shift.s[lane]);
                    let moved = a + s;
                    let crossed = if a > 0.0 { -a } else { moved };
                    d[lane] = if a > 0.0 && moved > 0.0 {
                        s
                    } else if a > 0.0 || moved > 0.0 {
                        crossed
                    } else {
                        0.0
                    };
                }
            }
            Activation::Gelu => {
                let s = &shift.s;
                let mut all_near = true;
                for (&a, &s) in self.a.iter().zip(s) {
                    all_near &= normal::is_near(a, s);
                }
                for lane in 0..LANES {
                    d[lane] = normal::gelu_change_near::<F>(self.a[lane], self.value[lane], self.rest[lane], s[lane]);
                }
                // Small steps, which most are, need no more.
                if !all_near {
                    for lane in 0..LANES {
                        let far = normal::gelu_change_far::<F>(self.a[lane], s[lane]);
                        d[lane] = if normal::is_near(self.a[lane], s[lane]) { d[lane] } else { far };
                    }
                }
            }
            Activation::Softplus => {
                for lane in 0..LANES {
                    d[lane] = math::softplus_change::<F>(self.value[lane], self.rest[lane], shift.s[lane]);
                }
            }
            Activation::Identity => d = shift.s,
        }
        d
    }

    /// How large the slopes are before anything in them cancels, and so what rounding and checks are a share of: only
    /// GELU's is a difference, `Phi(a) + a density(a)`, which passes through 0 near -0.75.
    #[inline(always)]
    pub(super) fn slope_scales(&self) -> Lanes {
        let mut scales = self.slope;
        if self.activation == Activation::Gelu {
            for lane in 0..LANES {
                scales[lane] = self.value[lane] + self.a[lane].abs() * self.rest[lane];
            }
        }
        scales
    }

    /// The largest second and third derivatives within `reach` of `a`, as shares of [`Units::slope_scales`].
    #[inline(always)]
    pub(super) fn bends<F: Float>(&self, reach: f32) -> [Lanes; 2] {
        match self.activation {
            // z (1 - z) (1 - 2 z), z (1 - z) (1 - 6 z + 6 z^2); softplus has the sigmoid as its slope.
            Activation::Sigmoid | Activation::Softplus => [[1.0; LANES], [1.0; LANES]],
            Activation::Tanh => [[2.0; LANES], [4.0; LANES]],
            Activation::Gelu => {
                // (2 - a^2) and (a^3 - 4 a) times the density, either of which is 0 somewhere: so each part by size,
                // at the end where it is largest.
                let (scales, mut bends) = (self.slope_scales(), [[0.0; LANES]; 2]);
                for lane in 0..LANES {
                    let (least, most) = ((self.a[lane].abs() - reach).max(0.0), self.a[lane].abs() + reach);
                    let density = normal::normal::<F>(least).1;
                    let square = most * most;
                    let scale = scales[lane].max(f32::MIN_POSITIVE);
                    bends[0][lane] = (2.0 + square) * density / scale;
                    bends[1][lane] = (square + 4.0) * most * density / scale;
                }
                bends
            }
            Activation::Relu | Activation::Identity => [[0.0; LANES], [0.0; LANES]],
        }
    }
}

/// A shift of pre-activations, and what the activations' changes need of it whatever the unit.
#[derive(Clone, Copy)]
pub(super) struct Shift {
    s: Lanes,
    /// `expm1(s)` for sigmoid, `tanh(s)` for tanh.
    growth: Lanes,
    /// `exp(s)` for sigmoid, `1 - |tanh(s)|` for tanh.
    factor: Lanes,
    /// Whether every `growth` is so small that short forms are as good.
    small: bool,
}

impl Shift {
    #[inline(always)]
    pub(super) fn new<F: Float>(activation: Activation, s: Lanes) -> Self {
        let (mut growth, mut factor) = (s, [0.0; LANES]);
        match activation {
            Activation::Sigmoid => {
                for lane in 0..LANES {
                    (growth[lane], factor[lane]) = (math::expm1::<F>(s[lane]), math::exp::<F>(s[lane]));
                }
            }
            Activation::Tanh => {
                for lane in 0..LANES {
                    let (u, square) = math::tanh::<F>(s[lane]);
                    (growth[lane], factor[lane]) = (u, square / (1.0 + u.abs()));
                }
            }
            Activation::Relu | Activation::Gelu | Activation::Softplus | Activation::Identity => {}
        }
        Self { s, growth, factor, small: largest_magnitude(&growth) <= math::SMALL }
    }
}

/// The largest magnitude of all lanes; a NaN counts as larger than everything.
#[inline(always)]
pub(super) fn largest_magnitude(x: &Lanes) -> f32 {
    // Without their sign, the bits of floats are in the order of their values, and whole numbers have a maximum that
    // does not depend on the order: one that the compiler may take lane by lane.
    f32::from_bits(x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff)))
}

/// By how much the logits move, to the one side and to the other.
// A trait and no closure: a closure is not compiled for the vector unit of its caller.
pub(super) trait Moves {
    /// How much logit `k` moves.
    fn of<F: Float>(&self, k: usize) -> [Lanes; 2];
    /// How much more than logit `reference` it does.
    #[inline(always)]
    fn against<F: Float>(&self, k: usize, reference: usize) -> [Lanes; 2] {
        let (moves, base) = (self.of::<F>(k), self.of::<F>(reference));
        [F::sub_lanes(&moves[0], &base[0]), F::sub_lanes(&moves[1], &base[1])]
    }
}

/// One sample's unperturbed outputs.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    output: OutputLoss,
    y: &'a [f32],
    target: usize,
    /// The largest output: against it no exponential of a change overflows in the classes that count.
    reference: usize,
    /// `y_k - 1` of the target, formed from the others.
    miss: f32,
}

impl<'a> Sample<'a> {
    #[inline(always)]
    pub(super) fn new(output: OutputLoss, y: &'a [f32], target: usize) -> Self {
        let others: f32 = y.iter().enumerate().filter(|(k, _)| *k != target).map(|(_, &y)| y).sum();
        let miss = match output {
            OutputLoss::SumOfSquares => y.get(target).map_or(f32::NAN, |y| y - 1.0),
            _ => -others,
        };
        Self { output, y, target, reference: largest(y), miss }
    }

    /// `L(+) - L(-)`, lane by lane. With `small` no logit moves by more than [`math::SMALL`] against another.
    #[inline(always)]
    pub(super) fn difference<F: Float>(&self, small: bool, moves: &impl Moves) -> Lanes {
        // There is no loss against a class that does not exist.
        if self.target >= self.y.len() {
            return [f32::NAN; LANES];
        }
        match self.output {
            OutputLoss::CrossEntropy { epsilon } if small => self.near_cross_entropy::<F>(epsilon, moves),
            OutputLoss::CrossEntropy { epsilon } => self.far_cross_entropy::<F>(epsilon, moves),
            OutputLoss::SoftmaxSumOfSquares if small => self.softmax_squares::<F, true>(moves),
            OutputLoss::SoftmaxSumOfSquares => self.softmax_squares::<F, false>(moves),
            OutputLoss::SumOfSquares => self.squares::<F>(moves),
        }
    }

    /// `sum_k p_k expm1(D_k - D_reference)` to both sides.
    #[inline(always)]
    fn growths<F: Float, const SHORT: bool>(&self, reference: usize, moves: &impl Moves) -> [Lanes; 2] {
        let mut sums = [[0.0; LANES]; 2];
        for (k, &p) in self.y.iter().enumerate() {
            if k != reference {
                let sides = moves.against::<F>(k, reference);
                for (sum, moved) in sums.iter_mut().zip(&sides) {
                    *sum = F::mul_add_lanes(&[p; LANES], &expm1::<F, SHORT>(moved), sum);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn near_cross_entropy<F: Float>(&self, epsilon: f32, moves: &impl Moves) -> Lanes {
        let sums = self.growths::<F, true>(self.target, moves);
        if epsilon == 0.0 {
            return minus::<F>(&[math::small_ln1p::<F>(&sums[0]), math::small_ln1p::<F>(&sums[1])]);
        }
        // Of either side: ln(1 - share s / (1 + s)).
        let share = [-self.y[self.target] / (self.y[self.target] + epsilon); LANES];
        let mut losses = [[0.0; LANES]; 2];
        for (loss, sum) in losses.iter_mut().zip(&sums) {
            let moved = F::mul_lanes(&F::mul_lanes(&share, sum), &math::small_inverse::<F>(sum));
            *loss = math::small_ln1p::<F>(&moved);
        }
        F::sub_lanes(&losses[1], &losses[0])
    }

    /// The same for moves that may lead a sample from wrong to right and back. `-ln y_t` grows by
    /// `v = ln(1 + sum) + D_r - D_t`, with the likeliest class `r`: against the target the sum would come near -1. The loss
    /// grows by `-ln1p(share expm1(-v))`, which is also `v - ln1p((1 - share) expm1(v))`; each has its cancellation.
    #[inline(always)]
    fn far_cross_entropy<F: Float>(&self, epsilon: f32, moves: &impl Moves) -> Lanes {
        /// The exponential of more is no number of float32, and no loss is larger.
        const MOST: f32 = 87.0;
        let sums = self.growths::<F, false>(self.reference, moves);
        let back = moves.against::<F>(self.reference, self.target);
        let shared = self.y[self.target] + epsilon;
        let (share, rest) = (self.y[self.target] / shared, epsilon / shared);
        let mut changes = [[0.0; LANES]; 2];
        for side in 0..2 {
            for lane in 0..LANES {
                let growth = math::ln1p::<F>(sums[side][lane]) + back[side][lane];
                let grows = share > 0.5 && growth > 0.0;
                let (base, factor) = if grows { (growth, rest) } else { (0.0, share) };
                let exponent = if grows { growth } else { -growth };
                let with_epsilon = base.min(MOST) - math::ln1p::<F>(factor * math::expm1::<F>(exponent.min(MOST)));
                changes[side][lane] = if epsilon == 0.0 { growth } else { with_epsilon };
            }
        }
        minus::<F>(&changes)
    }

    #[inline(always)]
    fn softmax_squares<F: Float, const SHORT: bool>(&self, moves: &impl Moves) -> Lanes {
        let sums = self.growths::<F, SHORT>(self.reference, moves);
        let inverses = [inverse::<F, SHORT>(&sums[0]), inverse::<F, SHORT>(&sums[1])];
        let mut changes = [[0.0; LANES]; 2];
        for (k, &p) in self.y.iter().enumerate() {
            // The reference's own moves against itself are 0, and so is their growth.
            let moved = moves.against::<F>(k, self.reference);
            let (p, difference) = ([p; LANES], [self.miss_of(k); LANES]);
            for side in 0..2 {
                let growth = F::sub_lanes(&expm1::<F, SHORT>(&moved[side]), &sums[side]);
                let dy = F::mul_lanes(&F::mul_lanes(&p, &growth), &inverses[side]);
                let slope = F::mul_add_lanes(&[0.5; LANES], &dy, &difference);
                changes[side] = F::mul_add_lanes(&dy, &slope, &changes[side]);
            }
        }
        minus::<F>(&changes)
    }

    #[inline(always)]
    fn squares<F: Float>(&self, moves: &impl Moves) -> Lanes {
        let mut changes = [[0.0; LANES]; 2];
        for k in 0..self.y.len() {
            let (moved, difference) = (moves.of::<F>(k), [self.miss_of(k); LANES]);
            for (change, moved) in changes.iter_mut().zip(&moved) {
                *change = F::mul_add_lanes(moved, &F::mul_add_lanes(&[0.5; LANES], moved, &difference), change);
            }
        }
        minus::<F>(&changes)
    }

    /// `y_k - t_k`
    #[inline(always)]
    fn miss_of(&self, k: usize) -> f32 {
        if k == self.target { self.miss } else { self.y[k] }
    }
}

#[inline(always)]
fn minus<F: Float>(sides: &[Lanes; 2]) -> Lanes {
    F::sub_lanes(&sides[0], &sides[1])
}

#[inline(always)]
fn expm1<F: Float, const SHORT: bool>(x: &Lanes) -> Lanes {
    if SHORT {
        return math::small_expm1::<F>(x);
    }
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = math::expm1::<F>(x[lane]);
    }
    out
}

/// `1 / (1 + s)`
#[inline(always)]
fn inverse<F: Float, const SHORT: bool>(s: &Lanes) -> Lanes {
    if SHORT {
        return math::small_inverse::<F>(s);
    }
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = 1.0 / (1.0 + s[lane]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::simd::Separate;
    use super::*;

    /// Second and third derivatives from their formulas, in float64, at many points of `a - reach..a + reach`.
    #[test]
    fn bends_bound_the_derivatives_within_reach() {
        let density = |u: f64| (-0.5 * u * u).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let mut tightest = f64::INFINITY;
        for a in (-60..=60).map(|step| step as f32 * 0.1) {
            for reach in [1e-4f32, 1e-2, 0.5] {
                let units = Units::new::<Separate>(Activation::Gelu, [a; LANES]);
                let scale = f64::from(units.slope_scales()[0]);
                let [second, third] = units.bends::<Separate>(reach).map(|bends| bends[0]);
                for share in (-50..=50).map(|step| f64::from(step) / 50.0) {
                    let u = f64::from(a) + share * f64::from(reach);
                    let wanted = [(2.0 - u * u) * density(u), (u * u * u - 4.0 * u) * density(u)].map(f64::abs);
                    for (wanted, got) in wanted.into_iter().zip([second, third]) {
                        let got = f64::from(got) * scale;
                        assert!(wanted <= got * (1.0 + 1e-5), "{wanted} beyond {got} at {u}, a = {a}, reach {reach}");
                        tightest = tightest.min(got / wanted);
                    }
                }
            }
        }
        assert!(tightest < 1.01, "no bound is ever needed: {tightest}");
    }
}
