// What shifts to both sides make of a unit's activation, in forms that do not cancel: the steps of
// `src/backend/cpu/loss_change.rs`, s and -s as a pair.

// A unit's pre-activation and what its changes need.
struct Unit {
    a: f32,
    // phi(a) for sigmoid and tanh, the sigmoid of a for softplus, Phi(a) for GELU.
    value: f32,
    // 1 - phi(a) for sigmoid, 1 - |phi(a)| for tanh, to full relative precision; the same of the sigmoid for
    // softplus; the normal density at a for GELU.
    rest: f32,
    // phi'(a)
    slope: f32,
}

fn unit_of(a: f32) -> Unit {
    if ACTIVATION == 1u {
        let both = sigmoid(a);
        return Unit(a, both.x, both.y, both.x * both.y);
    } else if ACTIVATION == 2u {
        let both = tanh_sech2(a);
        return Unit(a, both.x, both.y / (1.0 + abs(both.x)), both.y);
    } else if ACTIVATION == 3u {
        return Unit(a, 0.0, 0.0, select(0.0, 1.0, a > 0.0));
    } else if ACTIVATION == 4u {
        let both = normal(a);
        return Unit(a, both.x, both.y, a * both.y + both.x);
    } else if ACTIVATION == 5u {
        let both = sigmoid(a);
        return Unit(a, both.x, both.y, both.x);
    }
    return Unit(a, 0.0, 0.0, 1.0);
}

// phi(a + s) - phi(a) and phi(a - s) - phi(a)
fn unit_change(unit: Unit, s: f32) -> vec2<f32> {
    if ACTIVATION == 2u {
        // One hyperbolic tangent does for both sides.
        let both = tanh_sech2(s);
        return tanh_changes(unit, vec2<f32>(both.x, -both.x), vec2<f32>(both.y / (1.0 + abs(both.x))));
    }
    return unit_changes(unit, vec2<f32>(s, -s));
}

// The same with u = tanh(s) and 1 - |u|. Where t and u have opposite signs, 1 + t u is (1 - |t|) + |t| (1 - |u|), which does
// not cancel.
fn tanh_changes(unit: Unit, u: vec2<f32>, rest: vec2<f32>) -> vec2<f32> {
    let product = unit.value * u;
    let opposite = abs(unit.value) * rest + unit.rest;
    return unit.slope * u / select(product + 1.0, opposite, product < vec2<f32>(0.0));
}

// phi(a + s) - phi(a) for both of `shifts`.
fn unit_changes(unit: Unit, shifts: vec2<f32>) -> vec2<f32> {
    if ACTIVATION == 1u {
        // 1 + z expm1(s) as c + z exp(s): it keeps its precision where a shift leads from one end to the other.
        let reduced = reduce(shifts);
        let e = reduced.scale * reduced.p + (reduced.scale - 1.0);
        let power = reduced.scale * reduced.p + reduced.scale;
        return unit.slope * e / (unit.value * power + unit.rest);
    } else if ACTIVATION == 2u {
        let up = tanh_sech2(shifts.x);
        let down = tanh_sech2(shifts.y);
        let u = vec2<f32>(up.x, down.x);
        return tanh_changes(unit, u, vec2<f32>(up.y, down.y) / (1.0 + abs(u)));
    } else if ACTIVATION == 3u {
        return relu_change(unit.a, 0.0, shifts);
    } else if ACTIVATION == 4u {
        return gelu_change(unit.a, unit.value, unit.rest, shifts);
    } else if ACTIVATION == 5u {
        return softplus_change(unit.value, unit.rest, shifts);
    }
    return shifts;
}

// How large the slope is before anything in it cancels, and so what rounding and checks are a share of: only GELU's
// is a difference, Phi(a) + a density(a), which passes through 0 near -0.75.
fn slope_scale(unit: Unit) -> f32 {
    if ACTIVATION == 4u {
        return unit.value + abs(unit.a) * unit.rest;
    }
    return unit.slope;
}

// max(a + s, 0) - max(a, 0), with a as the sum of two floats.
fn relu_change(high: f32, low: f32, shifts: vec2<f32>) -> vec2<f32> {
    // The sum of floats of one size and opposite signs is exact, so the low part keeps its weight.
    let moved = hide(high + shifts) + low;
    let from_inactive = max(moved, vec2<f32>(0.0));
    let from_active = select(vec2<f32>(-(high + low)), shifts, moved > vec2<f32>(0.0));
    return select(from_inactive, from_active, high > 0.0);
}
