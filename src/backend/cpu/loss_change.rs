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

    /// `phi(a + s) - phi(a)`
    #[inline(always)]
    pub(super) fn change<F: Float>(&self, s: &Lanes) -> Lanes {
        let mut d = [0.0; LANES];
        match self.activation {
            Activation::Sigmoid => {
                // 1 + z expm1(s) as c + z exp(s): it keeps its precision where a shift leads from one end to the other.
                for lane in 0..LANES {
                    let (e, power) = (math::expm1::<F>(s[lane]), math::exp::<F>(s[lane]));
                    d[lane] = self.slope[lane] * e / F::mul_add(self.value[lane], power, self.rest[lane]);
                }
            }
            Activation::Tanh => {
                // Where t and u have opposite signs, 1 + t u is (1 - |t|) + |t| (1 - |u|), which does not cancel.
                for lane in 0..LANES {
                    let (u, square) = math::tanh::<F>(s[lane]);
                    let t = self.value[lane];
                    let opposite = F::mul_add(t.abs(), square / (1.0 + u.abs()), self.rest[lane]);
                    let denominator = if t * u < 0.0 { opposite } else { F::mul_add(t, u, 1.0) };
                    d[lane] = self.slope[lane] * u / denominator;
                }
            }
            Activation::Relu => {
                for lane in 0..LANES {
                    let (a, s) = (self.a[lane], s[lane]);
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
                    d[lane] = math::softplus_change::<F>(self.value[lane], self.rest[lane], s[lane]);
                }
            }
            Activation::Identity => d = *s,
        }
        d
    }

    /// How large the slope is before anything in it cancels, and so what rounding and checks are a share of: only
    /// GELU's is a difference, `Phi(a) + a density(a)`, which passes through 0 near -0.75.
    #[inline(always)]
    pub(super) fn slope_scale(&self, lane: usize) -> f32 {
        match self.activation {
            Activation::Gelu => self.value[lane] + self.a[lane].abs() * self.rest[lane],
            _ => self.slope[lane],
        }
    }

    /// The largest second and third derivatives within `reach` of `a`, as shares of [`Units::slope_scale`].
    #[inline(always)]
    pub(super) fn bends<F: Float>(&self, lane: usize, reach: f32) -> (f32, f32) {
        match self.activation {
            // z (1 - z) (1 - 2 z), z (1 - z) (1 - 6 z + 6 z^2); softplus has the sigmoid as its slope.
            Activation::Sigmoid | Activation::Softplus => (1.0, 1.0),
            Activation::Tanh => (2.0, 4.0),
            Activation::Gelu => {
                // (2 - a^2) and (a^3 - 4 a) times the density, either of which is 0 somewhere: so each part by size,
                // at the end where it is largest.
                let (least, most) = ((self.a[lane].abs() - reach).max(0.0), self.a[lane].abs() + reach);
                let density = normal::normal::<F>(least).1;
                let square = most * most;
                let scale = self.slope_scale(lane).max(f32::MIN_POSITIVE);
                ((2.0 + square) * density / scale, (square + 4.0) * most * density / scale)
            }
            Activation::Relu | Activation::Identity => (0.0, 0.0),
        }
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

    /// `L(d) - L(0)` where logit `k` moves by `d * weight(k)`, lane by lane.
    #[inline(always)]
    pub(super) fn change<F: Float>(&self, d: &Lanes, weight: impl Fn(usize) -> Lanes) -> Lanes {
        match self.output {
            OutputLoss::CrossEntropy { epsilon } => self.cross_entropy::<F>(epsilon, d, weight),
            OutputLoss::SoftmaxSumOfSquares => self.softmax_squares::<F>(d, weight),
            OutputLoss::SumOfSquares => self.squares::<F>(d, weight),
        }
    }

    #[inline(always)]
    fn cross_entropy<F: Float>(&self, epsilon: f32, d: &Lanes, weight: impl Fn(usize) -> Lanes) -> Lanes {
        if self.target >= self.y.len() {
            return [f32::NAN; LANES];
        }
        let base = weight(self.target);
        let mut sum = [0.0; LANES];
        for (k, &p) in self.y.iter().enumerate() {
            if k != self.target {
                let w = weight(k);
                for lane in 0..LANES {
                    sum[lane] = F::mul_add(p, math::expm1::<F>(d[lane] * (w[lane] - base[lane])), sum[lane]);
                }
            }
        }
        if epsilon == 0.0 {
            return map(&sum, |s| math::ln1p::<F>(s));
        }
        let share = self.y[self.target] / (self.y[self.target] + epsilon);
        map(&sum, |s| -math::ln1p::<F>(-share * s / (1.0 + s)))
    }

    #[inline(always)]
    fn softmax_squares<F: Float>(&self, d: &Lanes, weight: impl Fn(usize) -> Lanes) -> Lanes {
        let base = weight(self.reference);
        let growth = |k: usize| {
            let w = weight(k);
            let mut e = [0.0; LANES];
            for lane in 0..LANES {
                e[lane] = math::expm1::<F>(d[lane] * (w[lane] - base[lane]));
            }
            e
        };
        let mut sum = [0.0; LANES];
        for (k, &p) in self.y.iter().enumerate() {
            if k != self.reference {
                let e = growth(k);
                for lane in 0..LANES {
                    sum[lane] = F::mul_add(p, e[lane], sum[lane]);
                }
            }
        }
        let inverse = map(&sum, |s| 1.0 / (1.0 + s));
        let mut change = [0.0; LANES];
        for (k, &p) in self.y.iter().enumerate() {
            let e = if k == self.reference { [0.0; LANES] } else { growth(k) };
            let difference = self.difference(k);
            for lane in 0..LANES {
                let dy = p * (e[lane] - sum[lane]) * inverse[lane];
                change[lane] = F::mul_add(dy, F::mul_add(0.5, dy, difference), change[lane]);
            }
        }
        change
    }

    #[inline(always)]
    fn squares<F: Float>(&self, d: &Lanes, weight: impl Fn(usize) -> Lanes) -> Lanes {
        let mut change = [0.0; LANES];
        for k in 0..self.y.len() {
            let (w, difference) = (weight(k), self.difference(k));
            for lane in 0..LANES {
                let moved = d[lane] * w[lane];
                change[lane] = F::mul_add(moved, F::mul_add(0.5, moved, difference), change[lane]);
            }
        }
        change
    }

    /// `y_k - t_k`
    #[inline(always)]
    fn difference(&self, k: usize) -> f32 {
        if k == self.target { self.miss } else { self.y[k] }
    }
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
                let scale = f64::from(units.slope_scale(0));
                let (second, third) = units.bends::<Separate>(0, reach);
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
