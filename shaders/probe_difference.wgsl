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

struct At {
    probe: Probe,
    // The number in the chunk.
    curve: u32,
}

fn at_pair(at: At, pair: u32) -> Probe {
    var moved = at.probe;
    moved.next_row = 2u * (pair * parameters.count + at.curve) * parameters.classes;
    moved.unit = moved.next_row + parameters.classes;
    return moved;
}

fn change(at: At, pair: u32, s: f32) -> f32 {
    return loss_change(at_pair(at, pair), vec2<f32>(0.0));
}

// The curve's own size: sum_k |dL/da_k| |D_k / s| in the units of the coefficients.
fn size_of(at: At, s: f32) -> f32 {
    let probe = at_pair(at, 0u);
    var sum = 0.0;
    for (var k = 0u; k < probe.classes; k++) {
        let gradient = loss_slope(probe.base, y[probe.y_row + k], k == probe.target_class);
        let moved = logit_move(probe, vec2<f32>(0.0), k);
        sum += abs(gradient) * (abs(moved.x) + abs(moved.y));
    }
    return sum * parameters.scale / s;
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
    let at = At(probe, curve);
    let curve_fit = fit(at, reach);
    var error = 0.0;
    if NODES > 1u {
        error = error_of(curve_fit, size_of(at, reach * position(0u)));
    }
    write(curve_fit, error, kinks[curve] > 0.0, number, parameters.curves);
}
