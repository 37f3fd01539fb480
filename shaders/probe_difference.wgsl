// From the logits' moves to the curves: writes rows of the coefficients and of the errors, as probe_curve does. One invocation
// a curve; rows of the moves [rows, classes] as in probe_behind.

override WORKGROUP: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;

struct Parameters {
    // Curves of the chunk, the number of the first, and how many there are.
    count: u32,
    first: u32,
    curves: u32,
    units: u32,
    classes: u32,
    zero: u32,
    step_size: f32,
    epsilon: f32,
    // 1 / 2N
    scale: f32,
    tolerance: f32,
    nodes: array<vec4<f32>, 26>,
}

@group(0) @binding(0) var<storage, read> moves: array<f32>;
@group(0) @binding(1) var<storage, read> kinks: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read> range: array<f32>;
@group(0) @binding(5) var<storage, read_write> coefficients: array<f32>;
@group(0) @binding(6) var<storage, read_write> errors: array<f32>;
@group(0) @binding(7) var<uniform> parameters: Parameters;

// Here a probe's row and unit are where its rows for the one and the other side begin.
fn logit_move(probe: Probe, d: vec2<f32>, k: u32) -> vec2<f32> {
    return vec2<f32>(moves[probe.next_row + k], moves[probe.unit + k]);
}

fn logit_move_against(probe: Probe, d: vec2<f32>, k: u32, reference: u32) -> vec2<f32> {
    return logit_move(probe, d, k) - logit_move(probe, d, reference);
}

fn at_pair(probe: Probe, curve: u32, pair: u32) -> Probe {
    var moved = probe;
    moved.next_row = 2u * (pair * parameters.count + curve) * parameters.classes;
    moved.unit = moved.next_row + parameters.classes;
    return moved;
}

// The curve's own size: sum_k |dL/da_k| |D_k / s| in the units of the coefficients.
fn size_of(probe: Probe, factor: f32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < probe.classes; k++) {
        let gradient = loss_slope(probe.base, y[probe.y_row + k], k == probe.target_class);
        let moved = logit_move(probe, vec2<f32>(0.0), k);
        sum += abs(gradient) * factor * (abs(moved.x) + abs(moved.y));
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let curve = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if curve >= parameters.count {
        return;
    }
    let number = parameters.first + curve;
    let n = number / parameters.units;
    let probe = probe_of(n, 0u, targets[n], parameters.classes, parameters.epsilon);
    var reach = parameters.step_size;
    if RANGED {
        reach *= range[n];
    }
    var result = array<f32, 8>();
    for (var node = 0u; node < NODES; node++) {
        let factor = parameters.scale / (reach * position(node));
        let quotient = factor * loss_change(at_pair(probe, curve, node), vec2<f32>(0.0));
        for (var order = 0u; order < NODES; order++) {
            result[order] += transform(order, node) * quotient;
        }
    }
    var error = 0.0;
    if NODES > 1u {
        var missed = 0.0;
        for (var check = 0u; check < CHECKS; check++) {
            let factor = parameters.scale / (reach * spare_position(check));
            var read = 0.0;
            // The smallest terms first.
            for (var step = 0u; step < NODES; step++) {
                let order = NODES - 1u - step;
                read += spare_polynomial(check, order) * result[order];
            }
            read -= factor * loss_change(at_pair(probe, curve, NODES + check), vec2<f32>(0.0));
            missed = max(missed, abs(read));
        }
        let size = size_of(at_pair(probe, curve, 0u), parameters.scale / (reach * position(0u)));
        error = estimate(abs(result[NODES - 1u]), abs(result[max(NODES, 2u) - 2u]), missed, size);
    }
    if kinks[curve] > 0.0 || !is_finite(result[0]) {
        error = infinity();
    }
    // By the bits, which order numbers that are not negative and put NaN last.
    let trusted = bitcast<u32>(error) <= bitcast<u32>(parameters.tolerance);
    errors[number] = error;
    for (var order = 0u; order < NODES; order++) {
        coefficients[(NODES - 1u - order) * parameters.curves + number] = select(0.0, result[order], trusted);
    }
}
