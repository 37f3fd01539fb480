// The loss curves of units with one hidden layer between them and the logits, where steps are short: writes rows of the
// coefficients and of the errors, as probe_difference does. One invocation a curve.
//
// A unit that moves by d moves logit i by d (A_i + d (B_i + d C_i)): sums over the units behind of their weights, squares
// and cubes of weights, times the terms of probe_terms. A and B are matrix products, the same for all points of a curve. Up to
// moves of 2^-12 behind, C is below the rounding of A; curves that go farther add theirs up here, and none may pass 2^-8.
//
// Floor for P curves, V units behind and C classes: 2 P V C multiply-adds (P V C for ReLU), all of them in the products.

override WORKGROUP: u32;
// Whether moves of units behind go on in proportion, but for kinks: ReLU and identity.
override PROPORTIONAL: bool;

struct Parameters {
    // Curves of the chunk, the number of the first, and how many there are.
    count: u32,
    first: u32,
    curves: u32,
    units: u32,
    classes: u32,
    // Units behind; the chunk's samples, and the first one's number; units of one, and the first one's number.
    width: u32,
    samples: u32,
    begin: u32,
    units_each: u32,
    before: u32,
    // Where parts of the terms begin.
    third_at: u32,
    distances_at: u32,
    largest_at: u32,
    cubes_at: u32,
    // Where B begins.
    squared_at: u32,
    zero: u32,
    epsilon: f32,
    // 1 / 2N
    scale: f32,
    tolerance: f32,
    unused: f32,
    nodes: array<vec4<f32>, 26>,
}

@group(0) @binding(0) var<storage, read> pre_activations: array<f32>;
// A, then B, both [S C, U].
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> terms: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read> targets: array<u32>;
@group(0) @binding(6) var<storage, read_write> coefficients: array<f32>;
@group(0) @binding(7) var<storage, read_write> errors: array<f32>;
@group(0) @binding(8) var<uniform> parameters: Parameters;

// Whether the curve at hand needs C.
var<private> bent: bool;

// Where the sums of logit k begin: a probe's row is where those of its curve do.
fn sums_at(probe: Probe, k: u32) -> u32 {
    return probe.next_row + k * parameters.units_each;
}

fn logit_move(probe: Probe, d: vec2<f32>, k: u32) -> vec2<f32> {
    let at = sums_at(probe, k);
    if PROPORTIONAL {
        return d * sums[at];
    }
    var second = vec2<f32>(sums[parameters.squared_at + at]);
    if bent {
        second += d * terms[parameters.cubes_at + at];
    }
    return d * (sums[at] + d * second);
}

// The sums' difference times d, not the moves' difference: a compiler may fuse one product of the latter with the subtraction,
// and then a class against itself moves by what rounding took from the other, which is much beside a small loss.
fn logit_move_against(probe: Probe, d: vec2<f32>, k: u32, reference: u32) -> vec2<f32> {
    let at = sums_at(probe, k);
    let base = sums_at(probe, reference);
    let first = sums[at] - sums[base];
    if PROPORTIONAL {
        return d * first;
    }
    var second = vec2<f32>(sums[parameters.squared_at + at] - sums[parameters.squared_at + base]);
    if bent {
        second += d * (terms[parameters.cubes_at + at] - terms[parameters.cubes_at + base]);
    }
    return d * (first + d * second);
}

// Adds up C for a curve.
fn add_cubes(probe: Probe, sample: u32, unit: u32) {
    for (var i = 0u; i < parameters.classes; i++) {
        let row = parameters.third_at + (sample * parameters.classes + i) * parameters.width;
        var sum = 0.0;
        for (var k = 0u; k < parameters.width; k++) {
            let w = weights[unit * parameters.width + k];
            sum += w * w * w * terms[row + k];
        }
        terms[parameters.cubes_at + probe.next_row + i * parameters.units_each] = sum;
    }
}

// Whether a ReLU behind is within reach of its kink: where its unit moves by `farthest`.
fn meets_kink(sample: u32, unit: u32, farthest: f32) -> bool {
    var met = false;
    for (var k = 0u; k < parameters.width; k++) {
        let distance = terms[parameters.distances_at + sample * parameters.width + k];
        met = met || distance <= abs(weights[unit * parameters.width + k]) * farthest;
    }
    return met;
}

struct At {
    probe: Probe,
    unit: Unit,
}

fn change(at: At, pair: u32, s: f32) -> f32 {
    return loss_change(at.probe, unit_change(at.unit, s));
}

// The curve's own size: sum_k |dL/da_k| |D_k / s| in the units of the coefficients.
fn size_of(at: At, s: f32) -> f32 {
    let d = unit_change(at.unit, s);
    var sum = 0.0;
    for (var k = 0u; k < at.probe.classes; k++) {
        let gradient = loss_slope(at.probe.base, y[at.probe.y_row + k], k == at.probe.target_class);
        let moved = logit_move(at.probe, d, k);
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
    let sample = n - parameters.begin;
    let unit = number - n * parameters.units - parameters.before;
    var probe = probe_of(n, 0u, targets[n], parameters.classes, parameters.epsilon);
    probe.next_row = sample * parameters.classes * parameters.units_each + unit;
    let moved = unit_of(pre_activations[number]);
    let largest_weight = terms[parameters.largest_at + unit];
    let reaches = parameters.largest_at + parameters.units_each + parameters.samples + sample;
    let reach = terms[reaches];

    let ends = unit_change(moved, reach);
    let farthest = max(abs(ends.x), abs(ends.y));
    bent = false;
    var refused = false;
    if ACTIVATION == 3u {
        // A little wider than it is: the moves themselves are rounded.
        let wider = farthest * 1.00001;
        let smallest = terms[reaches - parameters.samples];
        refused = abs(moved.a) <= reach * 1.00001;
        if !refused && smallest <= largest_weight * wider {
            refused = meets_kink(sample, unit, wider);
        }
    } else if !PROPORTIONAL {
        let move_behind = farthest * largest_weight;
        refused = move_behind > 0.00390625;
        bent = move_behind > 0.000244140625;
        if bent {
            add_cubes(probe, sample, unit);
        }
    }

    let at = At(probe, moved);
    let curve_fit = fit(at, reach);
    var error = 0.0;
    if NODES > 1u {
        error = error_of(curve_fit, size_of(at, reach * position(0u)));
    }
    write(curve_fit, error, refused, number, parameters.curves);
}
