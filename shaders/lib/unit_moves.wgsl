// How the logits move when one unit changes: by its change times its weights. The kernel declares `next` [units, classes].

// Whether the units are the logits themselves; then `next` is not read.
override DIRECT: bool;

fn weight(probe: Probe, k: u32) -> f32 {
    if DIRECT {
        return select(0.0, 1.0, k == probe.unit);
    }
    return next[probe.next_row + k];
}

fn logit_move(probe: Probe, d: vec2<f32>, k: u32) -> vec2<f32> {
    return d * weight(probe, k);
}

fn logit_move_against(probe: Probe, d: vec2<f32>, k: u32, reference: u32) -> vec2<f32> {
    return d * (weight(probe, k) - weight(probe, reference));
}

// The largest weight less the smallest.
fn spread_of(probe: Probe) -> f32 {
    var smallest = weight(probe, 0u);
    var largest = smallest;
    for (var k = 1u; k < probe.classes; k++) {
        let w = weight(probe, k);
        smallest = min(smallest, w);
        largest = max(largest, w);
    }
    // A unit that is its own logit has weights of 0 and 1, or of 1 alone where there is one class.
    return select(largest - smallest, 1.0, DIRECT);
}
