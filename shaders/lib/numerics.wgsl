// Elementary functions that keep their relative precision, which the built-in ones of many drivers do not: exp by
// 17 units in the last place, tanh of a small argument by a fifth, log near 1 by a hundredth.
//
// They work on pairs, since the numerical gradient moves everything to both sides; a scalar is half a pair.

// 0, but no compiler knows: `main` takes it from its parameters.
var<private> zero: u32;

// `x`, which no compiler that reorders sums can see through.
fn hide(x: vec2<f32>) -> vec2<f32> {
    return bitcast<vec2<f32>>(bitcast<vec2<u32>>(x) ^ vec2<u32>(zero));
}

fn not_a_number() -> f32 {
    return bitcast<f32>(0x7fc00000u ^ zero);
}

fn infinity() -> f32 {
    return bitcast<f32>(0x7f800000u ^ zero);
}

// By the bits: some drivers take x != x for false.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// 355/512: its products with whole numbers up to 128 are exact.
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;

// x = k ln 2 + r with |r| <= ln 2 / 2: `scale` is 2^k, `p` is expm1(r).
struct Reduced {
    scale: vec2<f32>,
    p: vec2<f32>,
}

fn reduce(x: vec2<f32>) -> Reduced {
    let bounded = clamp(x, vec2<f32>(-87.3), vec2<f32>(88.0));
    let k = floor(bounded * 1.44269504 + 0.5);
    let r = (bounded - k * LN2_HIGH) - k * LN2_LOW;
    // The Taylor series to r^7: its remainder is below 2^-27 of r there.
    var p = vec2<f32>(1.0 / 5040.0);
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    let scale = bitcast<vec2<f32>>(vec2<u32>(vec2<i32>(k) + 127) << vec2<u32>(23u));
    return Reduced(scale, (r * r) * p + r);
}

// exp(x); 0 below -87.3, and no more than 1.7e38 above 88.
fn exp_pair(x: vec2<f32>) -> vec2<f32> {
    let reduced = reduce(x);
    return select(reduced.scale * reduced.p + reduced.scale, vec2<f32>(0.0), x < vec2<f32>(-87.3));
}

// exp(x) - 1 without cancellation; no more than 1.7e38 above 88.
fn expm1_pair(x: vec2<f32>) -> vec2<f32> {
    let reduced = reduce(x);
    return reduced.scale * reduced.p + (reduced.scale - 1.0);
}

// ln(1 + s) without cancellation, for s > -1; a large negative number at s = -1.
fn ln1p_pair(s: vec2<f32>) -> vec2<f32> {
    // u = 2^k m with m in [sqrt(1/2), sqrt(2)); what rounding took from u comes back in the first order.
    let u = hide(max(1.0 + s, vec2<f32>(1.17549435e-38)));
    let lost = select(s - hide(u - 1.0), 1.0 - hide(u - s), s > vec2<f32>(1.0));
    let bits = bitcast<vec2<u32>>(u) - 0x3f3504f3u;
    let k = vec2<f32>(bitcast<vec2<i32>>(bits) >> vec2<u32>(23u));
    let m = bitcast<vec2<f32>>((bits & vec2<u32>(0x007fffffu)) + 0x3f3504f3u);
    let small = k == vec2<f32>(0.0);
    let f = select(m - 1.0, s, small);
    let correction = select(lost / u, vec2<f32>(0.0), small);
    // ln(1 + f) = 2 artanh(z), z = f / (2 + f): f - z f + 2 (z^3/3 + z^5/5 + ...), with |z| <= 0.172.
    let z = f / (2.0 + f);
    let w = z * z;
    var p = vec2<f32>(2.0 / 11.0);
    p = p * w + 2.0 / 9.0;
    p = p * w + 2.0 / 7.0;
    p = p * w + 2.0 / 5.0;
    p = p * w + 2.0 / 3.0;
    // f - z f equals 2 z; this order keeps the large part exact.
    let tail = z * (w * p - f) + (k * LN2_LOW + correction);
    return k * LN2_HIGH + (f + tail);
}

fn precise_exp(x: f32) -> f32 {
    return select(exp_pair(vec2<f32>(x)).x, x, is_nan(x));
}

// ln(x) for x >= 0: minus infinity at 0.
fn precise_ln(x: f32) -> f32 {
    let tiny = x < 1.17549435e-38;
    let bits = bitcast<u32>(select(x, x * 16777216.0, tiny)) - 0x3f3504f3u;
    let k = f32(bitcast<i32>(bits) >> 23u) - select(0.0, 24.0, tiny);
    let m = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u);
    let value = k * LN2_HIGH + (k * LN2_LOW + ln1p_pair(vec2<f32>(m - 1.0)).x);
    return select(select(value, -infinity(), x == 0.0), x, is_nan(x));
}

// The sigmoid of `a` and its complement, the sigmoid of -a: both to full relative precision.
fn sigmoid(a: f32) -> vec2<f32> {
    // With e = exp(-|a|) neither denominator overflows and neither numerator cancels.
    let e = precise_exp(-abs(a));
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    return select(vec2<f32>(small, large), vec2<f32>(large, small), a >= 0.0);
}

// tanh(a) and sech^2(a) = 1 - tanh^2(a), both to full relative precision.
fn tanh_sech2(a: f32) -> vec2<f32> {
    // With m = expm1(-2|a|): tanh|a| = -m / (2 + m), sech^2 = 4 (1 + m) / (2 + m)^2, and 1 + m = exp(-2|a|).
    let x = vec2<f32>(-2.0 * abs(a));
    let m = expm1_pair(x).x;
    let inverse = 1.0 / (2.0 + m);
    let t = -m * inverse;
    let both = vec2<f32>(select(t, -t, a < 0.0), 4.0 * exp_pair(x).x * inverse * inverse);
    return select(both, vec2<f32>(a), is_nan(a));
}
