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
    return ln_of_reduced(k, f, select(lost / u, vec2<f32>(0.0), small));
}

// k ln 2 + ln(1 + f) + correction for f from sqrt(1/2) - 1 to sqrt(2) - 1 and a correction that is tiny.
fn ln_of_reduced(k: vec2<f32>, f: vec2<f32>, correction: vec2<f32>) -> vec2<f32> {
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

// ln(u), where s = u - 1 is known better than subtraction would tell it, for positive normal u.
fn ln_near_1(u: vec2<f32>, s: vec2<f32>) -> vec2<f32> {
    let bits = bitcast<vec2<u32>>(u) - 0x3f3504f3u;
    let k = vec2<f32>(bitcast<vec2<i32>>(bits) >> vec2<u32>(23u));
    let m = bitcast<vec2<f32>>((bits & vec2<u32>(0x007fffffu)) + 0x3f3504f3u);
    return ln_of_reduced(k, select(m - 1.0, s, k == vec2<f32>(0.0)), vec2<f32>(0.0));
}

// ln(1 + exp(a)) without overflow.
fn softplus(a: f32) -> f32 {
    return max(a, 0.0) + ln1p_pair(exp_pair(vec2<f32>(-abs(a)))).x;
}

// softplus(a + s) - softplus(a) from the sigmoid of a and its complement, for |s| <= 80: ln(1 + z expm1(s)), whose
// argument is c + z exp(s). Either form keeps its precision where the other cancels.
fn softplus_change(value: f32, complement: f32, s: vec2<f32>) -> vec2<f32> {
    let reduced = reduce(s);
    let e = reduced.scale * reduced.p + (reduced.scale - 1.0);
    let power = reduced.scale * reduced.p + reduced.scale;
    return ln_near_1(value * power + complement, value * e);
}

// Phi(-x) and the density at x + low, for x >= 0; `low` is what rounding took from x.
struct Tail {
    beyond: vec2<f32>,
    density: vec2<f32>,
}

// See src/backend/cpu/normal.rs.
fn normal_tail(x_or_more: vec2<f32>, low: vec2<f32>) -> Tail {
    // Beyond 15 the density is below float32's normal numbers.
    let x = min(x_or_more, vec2<f32>(15.0));
    // exp(-x^2 / 2) would enlarge the rounding of x^2 to 1e-5. The square of 12 bits is exact; the rest is small.
    let high = bitcast<vec2<f32>>((bitcast<vec2<u32>>(x) + 0x800u) & vec2<u32>(0xfffff000u));
    let rest = -0.5 * (hide(x - high) * (x + high)) - x * select(low, vec2<f32>(0.0), x_or_more > vec2<f32>(15.0));
    var series = vec2<f32>(1.0 / 24.0);
    series = series * rest + 1.0 / 6.0;
    series = series * rest + 0.5;
    series = series * rest + 1.0;
    let most = exp_pair(-0.5 * high * high);
    let bell = (most * rest) * series + most;
    // (x + 2) Phi(-x) / exp(-x^2 / 2) in q = (x - 4) / (x + 4): a minimax polynomial, off by 2.2e-8 at most.
    let q = (x - 4.0) / (x + 4.0);
    var p = vec2<f32>(5.109141e-4);
    p = p * q + 2.4328029e-4;
    p = p * q - 4.5199897e-3;
    p = p * q + 9.476311e-3;
    p = p * q - 1.3253897e-3;
    p = p * q - 4.311088e-2;
    p = p * q + 0.13837828;
    p = p * q - 0.26710108;
    p = p * q + 0.5664638;
    return Tail(bell * p / (x + 2.0), 0.3989423 * bell);
}

// Phi(a) and the density at a.
fn normal(a: f32) -> vec2<f32> {
    let tail = normal_tail(vec2<f32>(abs(a)), vec2<f32>(0.0));
    return vec2<f32>(select(tail.beyond.x, 1.0 - tail.beyond.x, a >= 0.0), tail.density.x);
}

// gelu(a + s) - gelu(a) from Phi(a) and the density at a, in two forms: see src/backend/cpu/normal.rs.
fn gelu_change(a: f32, cdf: f32, density: f32, s: vec2<f32>) -> vec2<f32> {
    // s Phi(a) + (a + s) (Phi(a + s) - Phi(a)), with the density's mean from its value in the middle and a series.
    let x = a * s;
    let y = 0.5 * s * s;
    let middle = exp_pair(-(0.25 * y + 0.5 * x));
    let p2 = (x + y) * (x + y);
    let second = p2 - 2.0 * y;
    let fourth = p2 * p2 + 12.0 * y * (y - p2);
    let sixth = (p2 * p2) * (p2 - 30.0 * y) + y * y * (180.0 * p2 - 120.0 * y);
    let series = second * (1.0 / 24.0) + (sixth * (1.0 / 322560.0) + fourth * (1.0 / 1920.0));
    let near = s * ((a + s) * density * (middle * series + middle) + cdf);
    // gelu(a) = max(a, 0) - |a| Phi(-|a|), with what rounding took from a + s.
    let b = hide(a + s);
    let added = hide(b - a);
    let low = (a - hide(b - added)) + (s - added);
    let before = abs(a) * normal_tail(vec2<f32>(abs(a)), vec2<f32>(0.0)).beyond.x;
    let after = abs(b) * normal_tail(abs(b), select(low, -low, b < vec2<f32>(0.0))).beyond;
    let from_active = select(vec2<f32>(-a), s, b > vec2<f32>(0.0));
    let ramp = select(max(b, vec2<f32>(0.0)), from_active, a > 0.0);
    let far = ramp + (before - after);
    let is_near = max(abs(s), abs(s * (a + 0.5 * s))) <= vec2<f32>(0.7);
    return select(far, near, is_near);
}
