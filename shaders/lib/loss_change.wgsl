// What moving one unit to both sides does to one sample's loss, in forms that do not cancel: the steps of
// `src/backend/cpu/loss_change.rs`, with s and -s as a pair.
//
// The kernel declares `y` [samples, classes] and `next` [units, classes], and says with `probe` which row of each is
// meant.

// Whether the units are the logits themselves; then `next` is not read.
override DIRECT: bool;

struct Probe {
    classes: u32,
    // Where the sample's row of `y` begins, and the unit's row of `next`.
    y_row: u32,
    next_row: u32,
    unit: u32,
    target_class: u32,
    // Whether there is such a class.
    is_there: bool,
    // The class with the largest output: against it no exponential of a change overflows where it counts.
    reference: u32,
    // Largest weight less the smallest.
    spread: f32,
    epsilon: f32,
    base: LossBase,
}

fn weight(probe: Probe, k: u32) -> f32 {
    if DIRECT {
        return select(0.0, 1.0, k == probe.unit);
    }
    return next[probe.next_row + k];
}

fn probe_of(sample: u32, unit: u32, target_class: u32, classes: u32, epsilon: f32) -> Probe {
    // A class that does not exist reads the last one, and changes to NaN.
    let there = min(target_class, classes - 1u);
    var probe = Probe();
    probe.classes = classes;
    probe.y_row = sample * classes;
    probe.next_row = unit * classes;
    probe.unit = unit;
    probe.target_class = there;
    probe.is_there = target_class < classes;
    probe.epsilon = epsilon;
    var others = 0.0;
    var squares = 0.0;
    var most = y[probe.y_row];
    var smallest_weight = weight(probe, 0u);
    var largest_weight = smallest_weight;
    for (var k = 0u; k < classes; k++) {
        let value = y[probe.y_row + k];
        let other = select(value, 0.0, k == there);
        others += other;
        squares += other * other;
        if value > most {
            most = value;
            probe.reference = k;
        }
        let w = weight(probe, k);
        smallest_weight = min(smallest_weight, w);
        largest_weight = max(largest_weight, w);
    }
    // A unit that is its own logit has weights of 0 and 1, or of 1 alone where there is one class.
    probe.spread = select(largest_weight - smallest_weight, 1.0, DIRECT);
    probe.base = loss_base(y[probe.y_row + there], others, squares, epsilon);
    return probe;
}

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
    let shifts = vec2<f32>(s, -s);
    if ACTIVATION == 1u {
        // 1 + z expm1(s) as c + z exp(s): it keeps its precision where a shift leads from one end to the other.
        let reduced = reduce(shifts);
        let e = reduced.scale * reduced.p + (reduced.scale - 1.0);
        let power = reduced.scale * reduced.p + reduced.scale;
        return unit.slope * e / (unit.value * power + unit.rest);
    } else if ACTIVATION == 2u {
        // Where t and u have opposite signs, 1 + t u is (1 - |t|) + |t| (1 - |u|), which does not cancel.
        let both = tanh_sech2(s);
        let u = vec2<f32>(both.x, -both.x);
        let product = unit.value * u;
        let opposite = abs(unit.value) * (both.y / (1.0 + abs(both.x))) + unit.rest;
        return unit.slope * u / select(product + 1.0, vec2<f32>(opposite), product < vec2<f32>(0.0));
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

// L(d.x) - L(d.y), where logit k moves by d weight(k).
fn loss_change(probe: Probe, d: vec2<f32>) -> f32 {
    let changes = loss_changes(probe, d);
    return select(not_a_number(), changes.x - changes.y, probe.is_there);
}

fn loss_changes(probe: Probe, d: vec2<f32>) -> vec2<f32> {
    if OUTPUT == 2u {
        var changes = vec2<f32>(0.0);
        for (var k = 0u; k < probe.classes; k++) {
            let moved = d * weight(probe, k);
            let difference = loss_slope(probe.base, y[probe.y_row + k], k == probe.target_class);
            changes += moved * (0.5 * moved + difference);
        }
        return changes;
    }
    let reference = select(probe.target_class, probe.reference, OUTPUT == 1u);
    let base = weight(probe, reference);
    var sum = vec2<f32>(0.0);
    for (var k = 0u; k < probe.classes; k++) {
        // The reference's own term is expm1(0) = 0.
        sum += y[probe.y_row + k] * expm1_pair(d * (weight(probe, k) - base));
    }
    if OUTPUT == 0u {
        var changes = ln1p_pair(sum);
        if probe.epsilon != 0.0 {
            changes = -ln1p_pair(-probe.base.share * sum / (1.0 + sum));
        }
        return changes;
    }
    let inverse = 1.0 / (1.0 + sum);
    var changes = vec2<f32>(0.0);
    for (var k = 0u; k < probe.classes; k++) {
        let value = y[probe.y_row + k];
        let e = expm1_pair(d * (weight(probe, k) - base));
        let dy = value * (e - sum) * inverse;
        let difference = select(value, probe.base.miss, k == probe.target_class);
        changes += dy * (0.5 * dy + difference);
    }
    return changes;
}
