//! The normal distribution and what GELU makes of it, on lanes: to full relative precision, in the tails too.

use super::math::exp;
use super::simd::Float;

/// `1 / sqrt(2 pi)`
const DENSITY_AT_0: f32 = 0.398_942_3;

/// Beyond it the density is below float32's normal numbers.
const END: f32 = 15.0;

/// `Phi(-x)` and the density at `x + low`, for `x >= 0`; `low` is what rounding took from `x`.
#[inline(always)]
fn tail<F: Float>(x: f32, low: f32) -> (f32, f32) {
    let low = if x > END { 0.0 } else { low };
    let x = x.min(END);
    // exp(-x^2 / 2) would enlarge the rounding of x^2 to 1e-5. The square of 12 bits is exact; the rest is small.
    let high = f32::from_bits(x.to_bits().wrapping_add(0x800) & 0xffff_f000);
    let rest = F::mul_add(-0.5 * (x - high), x + high, -x * low);
    let mut series = 1.0 / 24.0;
    series = F::mul_add(series, rest, 1.0 / 6.0);
    series = F::mul_add(series, rest, 0.5);
    series = F::mul_add(series, rest, 1.0);
    let most = exp::<F>(-0.5 * high * high);
    let bell = F::mul_add(most * rest, series, most);
    // (x + 2) Phi(-x) / exp(-x^2 / 2) in q = (x - 4) / (x + 4): a minimax polynomial, off by 2.2e-8 at most.
    let q = (x - 4.0) / (x + 4.0);
    let mut p = 5.109_141e-4;
    p = F::mul_add(p, q, 2.432_802_9e-4);
    p = F::mul_add(p, q, -4.519_989_7e-3);
    p = F::mul_add(p, q, 9.476_311e-3);
    p = F::mul_add(p, q, -1.325_389_7e-3);
    p = F::mul_add(p, q, -4.311_088e-2);
    p = F::mul_add(p, q, 0.138_378_28);
    p = F::mul_add(p, q, -0.267_101_08);
    p = F::mul_add(p, q, 0.566_463_8);
    (bell * p / (x + 2.0), DENSITY_AT_0 * bell)
}

/// `Phi(a)` and the density at `a`.
#[inline(always)]
pub(super) fn normal<F: Float>(a: f32) -> (f32, f32) {
    let (beyond, density) = tail::<F>(a.abs(), 0.0);
    (if a >= 0.0 { 1.0 - beyond } else { beyond }, density)
}

/// `a Phi(a)`
#[inline(always)]
pub(super) fn gelu<F: Float>(a: f32) -> f32 {
    a * normal::<F>(a).0
}

/// Whether [`gelu_change_near`] holds for a shift of `s` from `a`.
#[inline(always)]
pub(super) fn is_near(a: f32, s: f32) -> bool {
    const MOST: f32 = 0.7;
    s.abs() <= MOST && (s * (a + 0.5 * s)).abs() <= MOST
}

/// `gelu(a + s) - gelu(a)` where [`is_near`], from `Phi(a)` and the density at `a`.
///
/// `s Phi(a) + (a + s) (Phi(a + s) - Phi(a))`, with the difference of `Phi` as the density at `a` times
/// `int_0^s exp(-a v - v^2 / 2) dv`: its value at the middle, times a series in what is even around it.
#[inline(always)]
pub(super) fn gelu_change_near<F: Float>(a: f32, cdf: f32, density: f32, s: f32) -> f32 {
    let (x, y) = (a * s, 0.5 * s * s);
    let middle = exp::<F>(-F::mul_add(0.25, y, 0.5 * x));
    // The even derivatives of exp(-p t - y t^2) at 0, over 2^n (n + 1)!: what is left out is below 5e-8.
    let p2 = (x + y) * (x + y);
    let second = F::mul_add(-2.0, y, p2);
    let fourth = F::mul_add(p2, p2, 12.0 * y * (y - p2));
    let sixth = F::mul_add(p2 * p2, F::mul_add(-30.0, y, p2), y * y * F::mul_add(180.0, p2, -120.0 * y));
    let mut series = F::mul_add(sixth, 1.0 / 322_560.0, fourth * (1.0 / 1_920.0));
    series = F::mul_add(second, 1.0 / 24.0, series);
    let mean = F::mul_add(middle, series, middle);
    s * F::mul_add((a + s) * density, mean, cdf)
}

/// `gelu(a + s) - gelu(a)` where not [`is_near`]: `gelu(a) = max(a, 0) - |a| Phi(-|a|)`, and none of the differences
/// loses more than a digit.
#[inline(always)]
pub(super) fn gelu_change_far<F: Float>(a: f32, s: f32) -> f32 {
    let b = a + s;
    // What rounding took from b (Knuth's sum of two): the tail enlarges it by b^2.
    let added = b - a;
    let low = (a - (b - added)) + (s - added);
    let before = a.abs() * tail::<F>(a.abs(), 0.0).0;
    let after = b.abs() * tail::<F>(b.abs(), if b < 0.0 { -low } else { low }).0;
    let ramp = match (a > 0.0, b > 0.0) {
        (true, true) => s,
        (true, false) => -a,
        (false, true) => b,
        (false, false) => 0.0,
    };
    ramp + (before - after)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Fused, Separate};
    use super::*;

    /// `Phi(-x)` over the density for `x >= 0`, in float64: a series whose terms are all positive, or a continued
    /// fraction.
    fn ratio(x: f64) -> f64 {
        if x > 3.0 {
            return 1.0 / (1..200).rev().fold(x, |below, k| x + f64::from(k) / below);
        }
        let (mut term, mut sum) = (x, x);
        for k in 1..200 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        0.5 / density(x) - sum
    }

    fn density(x: f64) -> f64 {
        (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    fn cdf(a: f64) -> f64 {
        let beyond = ratio(a.abs()) * density(a);
        if a < 0.0 { beyond } else { 1.0 - beyond }
    }

    /// `gelu(a + s) - gelu(a)` as the integral of the slope, by Gauss-Legendre quadrature in short pieces: float64
    /// does not cancel in it.
    fn change(a: f64, s: f64) -> f64 {
        const NODES: [(f64, f64); 3] =
            [(0.0, 8.0 / 9.0), (0.774_596_669_241_483_4, 5.0 / 9.0), (-0.774_596_669_241_483_4, 5.0 / 9.0)];
        let pieces = (s.abs() * (1.0 + a.abs()) * 8.0).ceil();
        let width = s / pieces;
        let slope = |u: f64| cdf(u) + u * density(u);
        let piece = |k: f64| -> f64 {
            NODES.iter().map(|(at, weight)| weight * slope(a + (k + 0.5 + 0.5 * at) * width)).sum::<f64>() * 0.5 * width
        };
        (0..pieces as u64).map(|k| piece(k as f64)).sum()
    }

    /// The change with nothing cancelling in it: the slope's parts by size, where they are largest.
    fn scale(a: f64, s: f64) -> f64 {
        let size = |u: f64| cdf(u) + u.abs() * density(u);
        change(a, s).abs().max(s.abs() * size(a).min(size(a + s)))
    }

    fn shifts() -> impl Iterator<Item = f32> {
        [1e-8f32, 1e-6, 1e-4, 3e-4, 1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 0.69, 0.71, 1.0, 1.7, 2.5, 5.0]
            .into_iter()
            .flat_map(|s| [s, -s])
    }

    fn worst_change(of: impl Fn(f32, f32) -> f32) -> (f64, f32, f32) {
        let mut worst = (0.0, 0.0, 0.0);
        for step in -80..=80 {
            let a = step as f32 * 0.15 + 0.003;
            for s in shifts() {
                let expected = change(a.into(), s.into());
                let off = (f64::from(of(a, s)) - expected).abs() / scale(a.into(), s.into()).max(1e-30);
                if off > worst.0 {
                    worst = (off, a, s);
                }
            }
        }
        worst
    }

    fn changed<F: Float>(a: f32, s: f32) -> f32 {
        let (cdf, density) = normal::<F>(a);
        if is_near(a, s) { gelu_change_near::<F>(a, cdf, density, s) } else { gelu_change_far::<F>(a, s) }
    }

    /// Of its own scale: four units in the last place, of which two are the tail's.
    #[test]
    fn changes_of_gelu_do_not_cancel() {
        for (name, (off, a, s)) in
            [("fused", worst_change(changed::<Fused>)), ("separate", worst_change(changed::<Separate>))]
        {
            assert!(off <= 4.8e-7, "{name}: off by {off:e} of its scale at a = {a}, s = {s}");
        }
    }

    /// The control: what subtraction loses.
    #[test]
    fn subtraction_would_fail() {
        let (off, ..) = worst_change(|a, s| gelu::<Fused>(a + s) - gelu::<Fused>(a));
        assert!(off > 1e-2, "{off}");
    }

    #[test]
    fn the_normal_distribution_keeps_relative_precision_in_its_tails() {
        let mut worst = [0.0f64; 3];
        for step in -1290..=1290 {
            let a = step as f32 * 0.01 + 0.0007;
            let wide = f64::from(a);
            let (got_cdf, got_density) = normal::<Fused>(a);
            let (slow_cdf, slow_density) = normal::<Separate>(a);
            let off = |got: f32, expected: f64| (f64::from(got) / expected - 1.0).abs();
            worst[0] = worst[0].max(off(got_cdf, cdf(wide))).max(off(slow_cdf, cdf(wide)));
            worst[1] = worst[1].max(off(got_density, density(wide))).max(off(slow_density, density(wide)));
            worst[2] = worst[2].max(off(gelu::<Fused>(a), wide * cdf(wide)));
        }
        // Three units in the last place.
        assert!(worst.iter().all(|&off| off <= 3.6e-7), "{worst:?}");
    }

    #[test]
    fn the_ends_are_what_they_should_be() {
        assert_eq!(normal::<Fused>(-1000.0), (0.0, 0.0));
        assert_eq!(normal::<Fused>(f32::MAX), (1.0, 0.0));
        assert_eq!(gelu::<Fused>(1000.0), 1000.0);
        assert_eq!(gelu_change_far::<Fused>(1e30, -2e30), -1e30);
        assert!(gelu::<Fused>(f32::NAN).is_nan());
    }
}
