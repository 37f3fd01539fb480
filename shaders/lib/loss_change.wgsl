// What moves of the logits to both sides do to one sample's loss, in forms that do not cancel: the steps of
// `src/backend/cpu/loss_change.rs`, both sides as a pair.
//
// The kernel declares `y` [samples, classes], and how each logit moves when its unit changes by `d`:
// `logit_move(probe, d, k)`, and `logit_move_against(probe, d, k, reference)`, which is by how much more than `reference`.

struct Probe {
    classes: u32,
    // Where the sample's row of `y` begins, and the unit's row of weights.
    y_row: u32,
    next_row: u32,
    unit: u32,
    target_class: u32,
    // Whether there is such a class.
    is_there: bool,
    // The class with the largest output: against it no exponential of a change overflows where it counts.
    reference: u32,
    epsilon: f32,
    base: LossBase,
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
    for (var k = 0u; k < classes; k++) {
        let value = y[probe.y_row + k];
        let other = select(value, 0.0, k == there);
        others += other;
        squares += other * other;
        if value > most {
            most = value;
            probe.reference = k;
        }
    }
    probe.base = loss_base(y[probe.y_row + there], others, squares, epsilon);
    return probe;
}

// L(d.x) - L(d.y), where the logits move as the kernel says.
fn loss_change(probe: Probe, d: vec2<f32>) -> f32 {
    let changes = loss_changes(probe, d);
    return select(not_a_number(), changes.x - changes.y, probe.is_there);
}

fn loss_changes(probe: Probe, d: vec2<f32>) -> vec2<f32> {
    if OUTPUT == 2u {
        var changes = vec2<f32>(0.0);
        for (var k = 0u; k < probe.classes; k++) {
            let moved = logit_move(probe, d, k);
            let difference = loss_slope(probe.base, y[probe.y_row + k], k == probe.target_class);
            changes += moved * (0.5 * moved + difference);
        }
        return changes;
    }
    let reference = probe.reference;
    var sum = vec2<f32>(0.0);
    for (var k = 0u; k < probe.classes; k++) {
        // The reference's own term is expm1(0) = 0.
        sum += y[probe.y_row + k] * expm1_pair(logit_move_against(probe, d, k, reference));
    }
    if OUTPUT == 0u {
        // -ln y_t grows by this; against the target the sum would come near -1 when a sample moves from wrong to right.
        let growth = ln1p_pair(sum) + logit_move_against(probe, d, reference, probe.target_class);
        if probe.epsilon != 0.0 {
            // -ln1p(share expm1(-growth)) is growth - ln1p((1 - share) expm1(growth)); each has its cancellation. The
            // exponential of more than 87 is no number, and no loss is larger.
            let share = probe.base.share;
            let rest = probe.epsilon / (y[probe.y_row + probe.target_class] + probe.epsilon);
            let grows = vec2<bool>(share > 0.5) & (growth > vec2<f32>(0.0));
            let exponent = min(select(-growth, growth, grows), vec2<f32>(87.0));
            let factor = select(vec2<f32>(share), vec2<f32>(rest), grows);
            return select(vec2<f32>(0.0), exponent, grows) - ln1p_pair(factor * expm1_pair(exponent));
        }
        return growth;
    }
    let inverse = 1.0 / (1.0 + sum);
    var changes = vec2<f32>(0.0);
    for (var k = 0u; k < probe.classes; k++) {
        let value = y[probe.y_row + k];
        let e = expm1_pair(logit_move_against(probe, d, k, reference));
        let dy = value * (e - sum) * inverse;
        let difference = select(value, probe.base.miss, k == probe.target_class);
        changes += dy * (0.5 * dy + difference);
    }
    return changes;
}
