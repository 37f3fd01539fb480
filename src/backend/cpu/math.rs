//! Elementary functions on lanes of floats, free of cancellation and of branches.
//!
//! Each is a plain polynomial after a range reduction, so that a loop over the lanes becomes a few vector
//! instructions. Errors measured against float64 stand at the tests below.

use super::simd::Float;

/// Lanes that are computed together: one AVX-512 register, two of AVX2.
pub(super) const LANES: usize = 16;

/// So many floats.
pub(super) type Lanes = [f32; LANES];

/// `f` of every lane.
#[inline(always)]
pub(super) fn map(x: &Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = f(x[lane]);
    }
    out
}

const LN2_HIGH: f32 = 0.693_359_4; // 355/512: its products with |k| <= 128 are exact
const LN2_LOW: f32 = -2.121_944_4e-4;

/// `k` and `expm1(r)` with `x = k ln 2 + r`, `|r| <= ln 2 / 2`.
#[inline(always)]
fn reduced_expm1<F: Float>(x: f32) -> (f32, f32) {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let k = F::mul_add(x, std::f32::consts::LOG2_E, ROUND) - ROUND;
    let r = F::mul_add(-k, LN2_LOW, F::mul_add(-k, LN2_HIGH, x));
    // The Taylor series to r^7: its remainder is below 2^-27 of r there.
    let mut p = 1.0 / 5_040.0;
    p = F::mul_add(p, r, 1.0 / 720.0);
    p = F::mul_add(p, r, 1.0 / 120.0);
    p = F::mul_add(p, r, 1.0 / 24.0);
    p = F::mul_add(p, r, 1.0 / 6.0);
    p = F::mul_add(p, r, 0.5);
    (k, F::mul_add(r * r, p, r))
}

/// `2^k` for whole `k` from -126 to 127.
#[inline(always)]
fn power_of_two(k: f32) -> f32 {
    // In this sum the low bits of the mantissa are k + 127.
    const SHIFT: f32 = 8_388_608.0 + 127.0;
    f32::from_bits((k + SHIFT).to_bits() << 23)
}

/// `exp(x)`; 0 below -87.3, and no more than 1.7e38 above 88.
#[inline(always)]
pub(super) fn exp<F: Float>(x: f32) -> f32 {
    let (k, p) = reduced_expm1::<F>(x.clamp(-87.3, 88.0));
    let scale = power_of_two(k);
    if x < -87.3 { 0.0 } else { F::mul_add(scale, p, scale) }
}

/// `exp(x) - 1` without cancellation; no more than 1.7e38 above 88.
#[inline(always)]
pub(super) fn expm1<F: Float>(x: f32) -> f32 {
    let (k, p) = reduced_expm1::<F>(x.clamp(-87.3, 88.0));
    let scale = power_of_two(k);
    F::mul_add(scale, p, scale - 1.0)
}

/// Arguments up to this size may take the short forms below, whose remainders stay under 2^-25 of the result.
pub(super) const SMALL: f32 = 1.0 / 256.0;

/// `exp(x) - 1` for `|x| <= SMALL`.
#[inline(always)]
pub(super) fn small_expm1<F: Float>(x: &Lanes) -> Lanes {
    let p = F::mul_add_lanes(x, &[1.0 / 6.0; LANES], &[0.5; LANES]);
    F::mul_add_lanes(&F::mul_lanes(x, x), &p, x)
}

/// `ln(1 + s)` for `|s| <= SMALL`.
#[inline(always)]
pub(super) fn small_ln1p<F: Float>(s: &Lanes) -> Lanes {
    let p = F::mul_add_lanes(s, &[1.0 / 3.0; LANES], &[-0.5; LANES]);
    F::mul_add_lanes(&F::mul_lanes(s, s), &p, s)
}

/// `1 / (1 + t)` for `|t| <= SMALL`.
#[inline(always)]
pub(super) fn small_inverse<F: Float>(t: &Lanes) -> Lanes {
    let p = F::mul_add_lanes(t, &F::sub_lanes(&[1.0; LANES], t), &[-1.0; LANES]);
    F::mul_add_lanes(t, &p, &[1.0; LANES])
}

/// `ln(1 + s)` without cancellation, for `s > -1`; a large negative number at `s = -1`.
#[inline(always)]
pub(super) fn ln1p<F: Float>(s: f32) -> f32 {
    // u = 2^k m with m in [sqrt(1/2), sqrt(2)); what rounding took from u comes back in the first order.
    let u = (1.0 + s).max(f32::MIN_POSITIVE);
    let lost = if s > 1.0 { 1.0 - (u - s) } else { s - (u - 1.0) };
    let bits = u.to_bits().wrapping_sub(0x3f35_04f3);
    let k = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let small = k == 0.0;
    let f = if small { s } else { m - 1.0 };
    let correction = if small { 0.0 } else { lost / u };
    ln_of_reduced::<F>(k, f, correction)
}

/// `k ln 2 + ln(1 + f) + correction` for `f` from `sqrt(1/2) - 1` to `sqrt(2) - 1` and a correction that is tiny.
#[inline(always)]
fn ln_of_reduced<F: Float>(k: f32, f: f32, correction: f32) -> f32 {
    // ln(1 + f) = 2 artanh(z), z = f / (2 + f): f - z f + 2 (z^3/3 + z^5/5 + ...), with |z| <= 0.172.
    let z = f / (2.0 + f);
    let w = z * z;
    let mut p = 2.0 / 11.0;
    p = F::mul_add(p, w, 2.0 / 9.0);
    p = F::mul_add(p, w, 2.0 / 7.0);
    p = F::mul_add(p, w, 2.0 / 5.0);
    p = F::mul_add(p, w, 2.0 / 3.0);
    // f - z f equals 2 z; this order keeps the large part exact.
    let tail = z * F::mul_add(w, p, -f) + F::mul_add(k, LN2_LOW, correction);
    F::mul_add(k, LN2_HIGH, f + tail)
}

/// `ln(u)`, where `s = u - 1` is known better than subtraction would tell it, for positive normal `u`.
#[inline(always)]
fn ln_near_1<F: Float>(u: f32, s: f32) -> f32 {
    let bits = u.to_bits().wrapping_sub(0x3f35_04f3);
    let k = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    ln_of_reduced::<F>(k, if k == 0.0 { s } else { m - 1.0 }, 0.0)
}

/// `ln(1 + exp(a))` without overflow.
#[inline(always)]
pub(super) fn softplus<F: Float>(a: f32) -> f32 {
    // Not `max`, which would hide a NaN.
    let ramp = if a < 0.0 { 0.0 } else { a };
    ramp + ln1p::<F>(exp::<F>(-a.abs()))
}

/// `softplus(a + s) - softplus(a)` from the sigmoid of `a` and its complement, for `|s| <= 80`.
#[inline(always)]
pub(super) fn softplus_change<F: Float>(value: f32, complement: f32, s: f32) -> f32 {
    // ln(1 + z expm1(s)), whose argument is c + z exp(s): either form keeps its precision where the other cancels.
    ln_near_1::<F>(F::mul_add(value, exp::<F>(s), complement), value * expm1::<F>(s))
}

/// `ln(x)` for `x >= 0`: minus infinity at 0.
#[inline(always)]
pub(super) fn ln<F: Float>(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 16_777_216.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(0x3f35_04f3);
    let k = ((bits as i32) >> 23) as f32 - if tiny { 24.0 } else { 0.0 };
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let value = F::mul_add(k, LN2_HIGH, F::mul_add(k, LN2_LOW, ln1p::<F>(m - 1.0)));
    if x == 0.0 { f32::NEG_INFINITY } else { value }
}

/// The sigmoid of `a` and its complement, the sigmoid of `-a`: both to full relative precision.
#[inline(always)]
pub(super) fn sigmoid<F: Float>(a: f32) -> (f32, f32) {
    // With e = exp(-|a|) neither denominator overflows and neither numerator cancels.
    let e = exp::<F>(-a.abs());
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    if a >= 0.0 { (large, small) } else { (small, large) }
}

/// `tanh(a)` and `sech^2(a) = 1 - tanh^2(a)`, both to full relative precision.
#[inline(always)]
pub(super) fn tanh<F: Float>(a: f32) -> (f32, f32) {
    // With m = expm1(-2|a|): tanh|a| = -m / (2 + m), sech^2 = 4 (1 + m) / (2 + m)^2, and 1 + m = exp(-2|a|).
    let x = -2.0 * a.abs();
    let m = expm1::<F>(x);
    let e = exp::<F>(x);
    let inverse = 1.0 / (2.0 + m);
    ((-m * inverse).copysign(a), 4.0 * e * inverse * inverse)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Fused, Separate};
    use super::*;

    /// Points of both signs from 1e-30 to `most`, 40 a decade.
    fn points(most: f64) -> impl Iterator<Item = f32> {
        (0..).map(|i| 10f64.powf(-30.0 + f64::from(i) / 40.0)).take_while(move |&x| x <= most).flat_map(|x| {
            let x = x as f32;
            [x, -x]
        })
    }

    #[track_caller]
    fn assert_close(name: &str, x: f32, got: f32, expected: f64, tolerance: f64) {
        let error = (f64::from(got) - expected).abs() / expected.abs().max(1e-37);
        assert!(error <= tolerance, "{name}({x:e}) = {got:e}, expected {expected:e}: relative error {error:e}");
    }

    fn check<F: Float>(tolerance: f64) {
        for x in points(87.0) {
            let wide = f64::from(x);
            assert_close("exp", x, exp::<F>(x), wide.exp(), tolerance);
            assert_close("expm1", x, expm1::<F>(x), wide.exp_m1(), tolerance);
            let (z, c) = sigmoid::<F>(x);
            assert_close("sigmoid", x, z, 1.0 / (1.0 + (-wide).exp()), tolerance);
            assert_close("complement", x, c, 1.0 / (1.0 + wide.exp()), tolerance);
            if x > -1.0 {
                assert_close("ln1p", x, ln1p::<F>(x), wide.ln_1p(), tolerance);
            }
            if x > 0.0 {
                assert_close("ln", x, ln::<F>(x), wide.ln(), tolerance);
            }
            let (t, q) = tanh::<F>(x);
            assert_close("tanh", x, t, wide.tanh(), tolerance);
            if x.abs() < 43.0 {
                assert_close("sech2", x, q, wide.cosh().powi(-2), tolerance);
            }
        }
        for near in [-0.999_999f32, -0.99, -0.7, -0.3, -0.292_9, -0.25, 0.4, 0.414_3, 0.42, 1.0, 1e6, 1e30] {
            assert_close("ln1p", near, ln1p::<F>(near), f64::from(near).ln_1p(), tolerance);
            let x = 1.0 + near;
            assert_close("ln", x, ln::<F>(x), f64::from(x).ln(), tolerance);
        }
    }

    /// Of the change itself, six units in the last place: the exponential's, the logarithm's and two products'.
    #[test]
    fn changes_of_softplus_do_not_cancel() {
        let expected = |a: f64, s: f64| {
            let (z, c) = (1.0 / (1.0 + (-a).exp()), 1.0 / (1.0 + a.exp()));
            let u = z * s.exp_m1();
            if u > -0.5 { u.ln_1p() } else { (c + z * s.exp()).ln() }
        };
        let changed = |a: f32, s: f32| {
            let (z, c) = sigmoid::<Fused>(a);
            softplus_change::<Fused>(z, c, s)
        };
        let mut worst_by_subtraction = 0.0f64;
        for a in points(40.0).filter(|a| a.abs() > 1e-4) {
            assert_close("softplus", a, softplus::<Fused>(a), expected(-200.0, 200.0 + f64::from(a)), 3.6e-7);
            for size in [1e-8, 1e-6, 1e-4, 1e-2, 0.1, 0.5, 1.0, 3.0, 5.0] {
                for s in [size, -size] {
                    let wanted = expected(a.into(), s.into());
                    assert_close(&format!("softplus changed by {s}"), a, changed(a, s), wanted, 6e-7);
                    let naive = softplus::<Fused>(a + s) - softplus::<Fused>(a);
                    worst_by_subtraction = worst_by_subtraction.max((f64::from(naive) / wanted - 1.0).abs());
                }
            }
        }
        assert!(worst_by_subtraction > 1e-2, "the control: subtraction loses {worst_by_subtraction}");
    }

    /// 3.6e-7 is three units in the last place; without fused products a fourth one joins.
    #[test]
    fn elementary_functions_keep_relative_precision() {
        check::<Fused>(3.6e-7);
        check::<Separate>(4.8e-7);
    }

    /// The point of it: subtraction loses what these keep.
    #[test]
    fn the_naive_forms_would_fail() {
        let naive = |x: f32| x.exp() - 1.0;
        let worst =
            points(1.0).map(|x| ((f64::from(naive(x)) / f64::from(x).exp_m1()) - 1.0).abs()).fold(0.0, f64::max);
        assert!(worst > 1e-2, "{worst}");
    }

    /// The short forms within their range, and that the range is not larger than they bear.
    #[test]
    fn short_forms_are_as_good_where_they_may_be_used() {
        for x in points(f64::from(SMALL)) {
            let wide = f64::from(x);
            assert_close("small_expm1", x, small_expm1::<Fused>(&[x; LANES])[0], wide.exp_m1(), 1.5e-7);
            assert_close("small_ln1p", x, small_ln1p::<Fused>(&[x; LANES])[0], wide.ln_1p(), 1.5e-7);
            assert_close("small_inverse", x, small_inverse::<Separate>(&[x; LANES])[0], 1.0 / (1.0 + wide), 1.5e-7);
        }
        let beyond = 8.0 * SMALL;
        let wide = f64::from(beyond);
        let all = [beyond; LANES];
        assert!((f64::from(small_expm1::<Fused>(&all)[0]) / wide.exp_m1() - 1.0).abs() > 1e-6);
        assert!((f64::from(small_ln1p::<Fused>(&all)[0]) / wide.ln_1p() - 1.0).abs() > 1e-6);
        assert!((f64::from(small_inverse::<Fused>(&all)[0]) * (1.0 + wide) - 1.0).abs() > 5e-7);
    }

    #[test]
    fn the_ends_are_what_they_should_be() {
        assert_eq!(exp::<Fused>(-1000.0), 0.0);
        assert_eq!(expm1::<Fused>(-1000.0), -1.0);
        assert!(exp::<Fused>(1000.0).is_finite());
        assert_eq!(ln::<Fused>(0.0), f32::NEG_INFINITY);
        assert_eq!(ln::<Fused>(1.0), 0.0);
        assert_eq!(sigmoid::<Fused>(-1000.0), (0.0, 1.0));
        assert_eq!(tanh::<Fused>(1000.0).0, 1.0);
    }
}
