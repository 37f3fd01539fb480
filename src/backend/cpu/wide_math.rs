//! Elementary functions in float64 on lanes, free of branches, so that a loop over them becomes vector instructions.
//! Errors measured against the standard library stand at the tests below.

use super::simd::Float;

/// 32 bits of ln 2: its products with whole numbers up to 2,000 are exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Added and subtracted, this rounds to the nearest integer; in between, the integer stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// `k` and `expm1(r)` with `x = k ln 2 + r`, `|r| <= ln 2 / 2`.
#[inline(always)]
fn reduced_expm1<F: Float>(x: f64) -> (f64, f64) {
    let k = F::mul_add_wide(x, std::f64::consts::LOG2_E, ROUND) - ROUND;
    let r = F::mul_add_wide(-k, LN2_LOW, F::mul_add_wide(-k, LN2_HIGH, x));
    // The Taylor series to r^13: its remainder is below 2^-57 of r there.
    let mut p = 1.0 / 6_227_020_800.0;
    p = F::mul_add_wide(p, r, 1.0 / 479_001_600.0);
    p = F::mul_add_wide(p, r, 1.0 / 39_916_800.0);
    p = F::mul_add_wide(p, r, 1.0 / 3_628_800.0);
    p = F::mul_add_wide(p, r, 1.0 / 362_880.0);
    p = F::mul_add_wide(p, r, 1.0 / 40_320.0);
    p = F::mul_add_wide(p, r, 1.0 / 5_040.0);
    p = F::mul_add_wide(p, r, 1.0 / 720.0);
    p = F::mul_add_wide(p, r, 1.0 / 120.0);
    p = F::mul_add_wide(p, r, 1.0 / 24.0);
    p = F::mul_add_wide(p, r, 1.0 / 6.0);
    p = F::mul_add_wide(p, r, 0.5);
    (k, F::mul_add_wide(r * r, p, r))
}

/// `2^k` for whole `k` from -1022 to 1023.
#[inline(always)]
fn power_of_two(k: f64) -> f64 {
    f64::from_bits((k + (ROUND + 1023.0)).to_bits() << 52)
}

/// `exp(x)`
#[inline(always)]
pub(super) fn exp<F: Float>(x: f64) -> f64 {
    // Below the first all is 0; above the second all is infinite.
    let bounded = if x < -750.0 { -750.0 } else { x };
    let bounded = if bounded > 710.0 { 710.0 } else { bounded };
    let (k, p) = reduced_expm1::<F>(bounded);
    // 2^k in two factors, since both ends lie beyond the exponents that a float has.
    let half = (0.5 * k + ROUND) - ROUND;
    let first = power_of_two(half);
    F::mul_add_wide(first, p, first) * power_of_two(k - half)
}

/// `ln(x)`
#[inline(always)]
pub(super) fn ln<F: Float>(x: f64) -> f64 {
    /// The bits of sqrt(1/2): mantissas from there to sqrt(2) have the smallest logarithms.
    const ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    let tiny = x < f64::MIN_POSITIVE;
    // 2^54
    let scaled = if tiny { x * 18_014_398_509_481_984.0 } else { x };
    let bits = scaled.to_bits().wrapping_add(ONE - ROOT);
    let biased = f64::from_bits((bits >> 52).wrapping_add(ROUND.to_bits())) - ROUND;
    let k = biased - if tiny { 1_077.0 } else { 1_023.0 };
    let f = f64::from_bits((bits & MANTISSA).wrapping_add(ROOT)) - 1.0;
    // ln(1 + f) = 2 artanh(z), z = f / (2 + f): f - z f + 2 (z^3/3 + z^5/5 + ...), with |z| <= 0.172.
    let z = f / (2.0 + f);
    let w = z * z;
    let mut p = 2.0 / 23.0;
    p = F::mul_add_wide(p, w, 2.0 / 21.0);
    p = F::mul_add_wide(p, w, 2.0 / 19.0);
    p = F::mul_add_wide(p, w, 2.0 / 17.0);
    p = F::mul_add_wide(p, w, 2.0 / 15.0);
    p = F::mul_add_wide(p, w, 2.0 / 13.0);
    p = F::mul_add_wide(p, w, 2.0 / 11.0);
    p = F::mul_add_wide(p, w, 2.0 / 9.0);
    p = F::mul_add_wide(p, w, 2.0 / 7.0);
    p = F::mul_add_wide(p, w, 2.0 / 5.0);
    p = F::mul_add_wide(p, w, 2.0 / 3.0);
    let tail = F::mul_add_wide(z, F::mul_add_wide(w, p, -f), k * LN2_LOW);
    let value = F::mul_add_wide(k, LN2_HIGH, f + tail);
    let value = if x > f64::MAX { f64::INFINITY } else { value };
    let value = if x == 0.0 { f64::NEG_INFINITY } else { value };
    // Also false for NaN.
    if x >= 0.0 { value } else { f64::NAN }
}

/// Up to here [`sin_cos`] keeps its precision.
pub(super) const MOST_ANGLE: f64 = 1e6;

/// `sin(x)` and `cos(x)` for `|x| <= MOST_ANGLE`.
#[inline(always)]
pub(super) fn sin_cos<F: Float>(x: f64) -> (f64, f64) {
    // pi/2 in pieces, the first two of 33 bits: their products with the number of quarter turns are exact.
    const QUARTER: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
    let turns = F::mul_add_wide(x, std::f64::consts::FRAC_2_PI, ROUND);
    let quadrant = turns.to_bits();
    let k = turns - ROUND;
    let r = ((x - k * QUARTER[0]) - k * QUARTER[1]) - k * QUARTER[2];
    let w = r * r;
    // Taylor series to r^17 and r^18: remainders below 2^-58 for |r| <= pi/4.
    let mut s = 1.0 / 355_687_428_096_000.0;
    s = F::mul_add_wide(s, w, -1.0 / 1_307_674_368_000.0);
    s = F::mul_add_wide(s, w, 1.0 / 6_227_020_800.0);
    s = F::mul_add_wide(s, w, -1.0 / 39_916_800.0);
    s = F::mul_add_wide(s, w, 1.0 / 362_880.0);
    s = F::mul_add_wide(s, w, -1.0 / 5_040.0);
    s = F::mul_add_wide(s, w, 1.0 / 120.0);
    s = F::mul_add_wide(s, w, -1.0 / 6.0);
    let sine = F::mul_add_wide(s * w, r, r);
    let mut c = -1.0 / 6_402_373_705_728_000.0;
    c = F::mul_add_wide(c, w, 1.0 / 20_922_789_888_000.0);
    c = F::mul_add_wide(c, w, -1.0 / 87_178_291_200.0);
    c = F::mul_add_wide(c, w, 1.0 / 479_001_600.0);
    c = F::mul_add_wide(c, w, -1.0 / 3_628_800.0);
    c = F::mul_add_wide(c, w, 1.0 / 40_320.0);
    c = F::mul_add_wide(c, w, -1.0 / 720.0);
    c = F::mul_add_wide(c, w, 1.0 / 24.0);
    let cosine = F::mul_add_wide(c * w, w, F::mul_add_wide(-0.5, w, 1.0));
    let swapped = quadrant & 1 == 1;
    let (a, b) = (if swapped { cosine } else { sine }, if swapped { sine } else { cosine });
    // The second bit of the quadrant, and of the next one, is the sign.
    let sign = |quadrant: u64| (quadrant >> 1) << 63;
    (f64::from_bits(a.to_bits() ^ sign(quadrant)), f64::from_bits(b.to_bits() ^ sign(quadrant.wrapping_add(1))))
}

/// `tanh(x)`
#[inline(always)]
pub(super) fn tanh<F: Float>(x: f64) -> f64 {
    // With m = expm1(-2|x|): tanh|x| = -m / (2 + m). At 20 it is 1.
    let size = x.abs();
    let (k, p) = reduced_expm1::<F>(-2.0 * if size > 20.0 { 20.0 } else { size });
    let scale = power_of_two(k);
    let m = F::mul_add_wide(scale, p, scale - 1.0);
    (-m / (2.0 + m)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Fused, Separate};
    use super::*;

    /// Points of both signs from 1e-300 to `most`, 40 a decade.
    fn points(most: f64) -> impl Iterator<Item = f64> {
        let sizes = (0..).map(|i| 10f64.powf(-300.0 + f64::from(i) / 40.0)).take_while(move |&x| x <= most);
        sizes.flat_map(|x| [x, -x])
    }

    #[track_caller]
    fn assert_close(name: &str, x: f64, got: f64, expected: f64, tolerance: f64) {
        let close = got == expected || (got - expected).abs() <= tolerance * expected.abs() + f64::from_bits(1);
        assert!(close || (got.is_nan() && expected.is_nan()), "{name}({x:e}) = {got:e}, expected {expected:e}");
    }

    fn check<F: Float>(tolerance: f64) {
        for x in points(740.0) {
            assert_close("exp", x, exp::<F>(x), x.exp(), tolerance);
            assert_close("tanh", x, tanh::<F>(x), x.tanh(), tolerance);
        }
        for x in points(1e300).chain(points(40.0).map(|x| 1.0 + x)).filter(|x| *x > 0.0) {
            assert_close("ln", x, ln::<F>(x), x.ln(), tolerance);
        }
        for x in points(MOST_ANGLE).chain((-2_000..2_000).map(|i| f64::from(i) * std::f64::consts::FRAC_PI_4)) {
            let (sine, cosine) = sin_cos::<F>(x);
            assert_close("sin", x, sine, x.sin(), tolerance);
            assert_close("cos", x, cosine, x.cos(), tolerance);
        }
    }

    /// 6.7e-16 is three units in the last place; without fused products a fourth one joins.
    #[test]
    fn wide_functions_keep_relative_precision() {
        check::<Fused>(6.7e-16);
        check::<Separate>(8.9e-16);
    }

    #[test]
    fn the_ends_are_what_they_should_be() {
        for x in [f64::NEG_INFINITY, -800.0, -745.5, -744.0, -0.0, 0.0, 709.7, 709.8, 1e9, f64::INFINITY, f64::NAN] {
            assert_close("exp", x, exp::<Fused>(x), x.exp(), 1e-15);
            assert_close("ln", x, ln::<Fused>(x), x.ln(), 1e-15);
            assert_close("tanh", x, tanh::<Fused>(x), x.tanh(), 1e-15);
        }
        for x in [5e-324, 1e-310, f64::MAX, f64::MIN_POSITIVE] {
            assert_close("ln", x, ln::<Fused>(x), x.ln(), 1e-15);
        }
        assert_eq!(exp::<Fused>(0.0), 1.0);
        assert_eq!(ln::<Fused>(1.0), 0.0);
    }
}
