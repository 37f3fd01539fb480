// What formulas are made of, to a few units in the last place: the functions, and the change that moves `d` of an
// operand make of each, in forms that do not cancel. `value` is the function's value before the move.

// exp_pair ends where float32's normal numbers do. The square of half an exponential goes on, to 0 and to infinity.
fn exponential(a: f32) -> f32 {
    let half = precise_exp(0.5 * a);
    return select(precise_exp(a), half * half, abs(a) > 87.0);
}

fn logarithm(a: f32) -> f32 {
    return select(precise_ln(max(a, 0.0)), not_a_number(), a < 0.0 || is_nan(a));
}

fn logarithm_change(a: f32, d: vec2<f32>) -> vec2<f32> {
    let s = d / a;
    let change = select(ln1p_pair(s), vec2<f32>(-infinity()), s == vec2<f32>(-1.0));
    return select(change, vec2<f32>(not_a_number()), s < vec2<f32>(-1.0));
}

fn root(a: f32) -> f32 {
    return select(sqrt(abs(a)), not_a_number(), a < 0.0);
}

fn root_change(a: f32, d: vec2<f32>, value: f32) -> vec2<f32> {
    let moved = a + d;
    let change = d / (sqrt(abs(moved)) + value);
    // No move is no change, even of the root of 0.
    let still = select(change, vec2<f32>(), d == vec2<f32>());
    return select(still, vec2<f32>(not_a_number()), moved < vec2<f32>());
}

struct SineCosine {
    sine: vec2<f32>,
    cosine: vec2<f32>,
}

fn sine_cosine(a: vec2<f32>) -> SineCosine {
    // pi/2 in pieces of 11 bits: their products with up to 8,192 quarter turns are exact. Beyond that the angle is as
    // uncertain as its own last place.
    let k = floor(a * 0.63661977 + 0.5);
    let r = ((hide(a - k * 1.5703125) - k * 4.837513e-4) - k * 7.5495336e-8) - k * 2.5633442e-12;
    let w = r * r;
    // Taylor series: remainders below 2^-28 for |r| <= pi/4.
    var s = vec2<f32>(1.0 / 362880.0);
    s = s * w - 1.0 / 5040.0;
    s = s * w + 1.0 / 120.0;
    s = s * w - 1.0 / 6.0;
    let sine = (s * w) * r + r;
    var c = vec2<f32>(-1.0 / 3628800.0);
    c = c * w + 1.0 / 40320.0;
    c = c * w - 1.0 / 720.0;
    c = c * w + 1.0 / 24.0;
    let cosine = (c * w) * w + (1.0 - 0.5 * w);
    let quadrant = vec2<u32>(vec2<i32>(k)) & vec2<u32>(3u);
    let swapped = (quadrant & vec2<u32>(1u)) == vec2<u32>(1u);
    let sine_sign = (quadrant & vec2<u32>(2u)) << vec2<u32>(30u);
    let cosine_sign = ((quadrant + 1u) & vec2<u32>(2u)) << vec2<u32>(30u);
    return SineCosine(
        bitcast<vec2<f32>>(bitcast<vec2<u32>>(select(sine, cosine, swapped)) ^ sine_sign),
        bitcast<vec2<f32>>(bitcast<vec2<u32>>(select(cosine, sine, swapped)) ^ cosine_sign),
    );
}

fn sine(a: f32) -> f32 {
    return select(sine_cosine(vec2<f32>(a)).sine.x, not_a_number(), !is_finite(a));
}

fn cosine(a: f32) -> f32 {
    return select(sine_cosine(vec2<f32>(a)).cosine.x, not_a_number(), !is_finite(a));
}

fn tangent(a: f32) -> f32 {
    let both = sine_cosine(vec2<f32>(a));
    return select(both.sine.x / both.cosine.x, not_a_number(), !is_finite(a));
}

// 2 sin(d/2) cos(a + d/2), without rounding a + d/2.
fn sine_change(a: f32, d: vec2<f32>, value: f32) -> vec2<f32> {
    let half = sine_cosine(0.5 * d);
    return 2.0 * half.sine * (cosine(a) * half.cosine - value * half.sine);
}

fn cosine_change(a: f32, d: vec2<f32>, value: f32) -> vec2<f32> {
    let half = sine_cosine(0.5 * d);
    return -2.0 * half.sine * (sine(a) * half.cosine + value * half.sine);
}

fn tangent_change(a: f32, d: vec2<f32>, value: f32) -> vec2<f32> {
    let moved = sine_cosine(d);
    return moved.sine * (1.0 + value * value) / (moved.cosine - value * moved.sine);
}

fn tanh_change(a: f32, d: vec2<f32>) -> vec2<f32> {
    let both = tanh_sech2(a);
    let u = vec2<f32>(tanh_sech2(d.x).x, tanh_sech2(d.y).x);
    return both.y * u / (1.0 + both.x * u);
}

// By cases on the signs before and after.
fn absolute_change(a: f32, d: vec2<f32>) -> vec2<f32> {
    let outward = select(-d, d, a >= 0.0);
    return max(outward, -2.0 * abs(a) - outward);
}

// NaN where one of them is, which `min` does not promise.
fn smaller(a: f32, b: f32) -> f32 {
    return select(select(b, a, a < b), not_a_number(), is_nan(a) || is_nan(b));
}

// Of the larger one: the other overtakes where it has come farther than it was behind.
fn larger_change(a: f32, da: vec2<f32>, b: f32, db: vec2<f32>) -> vec2<f32> {
    return select(max(a - b + da, db), max(da, b - a + db), a >= b);
}

// a^b: of a negative number for whole b alone.
fn power(a: f32, b: f32) -> f32 {
    let size = exponential(b * logarithm(abs(a)));
    let whole = floor(b) == b;
    let odd = floor(0.5 * b) != 0.5 * b;
    let signed = select(size, -size, a < 0.0 && odd);
    let value = select(signed, not_a_number(), a < 0.0 && !whole);
    return select(value, 1.0, b == 0.0);
}

fn power_change(a: f32, da: vec2<f32>, b: f32, db: vec2<f32>, value: f32) -> vec2<f32> {
    let growth = ln1p_pair(da / a);
    let exponent = select(db * (logarithm(abs(a)) + growth), vec2<f32>(), db == vec2<f32>());
    let change = value * expm1_pair(b * growth + exponent);
    // Whole powers of negative numbers have no logarithm to go by.
    let moved = vec2<f32>(power(a + da.x, b + db.x), power(a + da.y, b + db.y));
    let still = (da == vec2<f32>()) & (db == vec2<f32>());
    let positive = vec2<bool>(a > 0.0) & (a + da > vec2<f32>());
    return select(select(moved - value, change, positive), vec2<f32>(), still);
}
