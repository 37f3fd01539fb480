// How the logits move, where one hidden layer lies between them and the probed units: what probe_behind and the product with
// the weights to the logits do one after the other, with moves that never see memory. A workgroup takes neighbouring units
// of one sample, each invocation two curves, or four where loads cost most; probe_tables has worked out what all need. Where
// steps are short, probe_sums does the same with less.
//
// Floor for P curves, V units behind and C classes: 2 P V (C + 4) multiply-adds a pair of points, and what the activation
// takes; for each curve a load of a weight, and for each invocation C + 4 more that are the same for the whole workgroup.

override WORKGROUP: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;
// At most 16.
override CLASSES: u32;
// Whether an invocation takes four curves.
override FOUR: bool;

struct Parameters {
    // Curves of the chunk, and the number of the first.
    count: u32,
    first: u32,
    // Units of the probed layer, and of the layer behind.
    units: u32,
    width: u32,
    // Workgroups of a sample, and units before the first one's.
    strips: u32,
    before: u32,
    zero: u32,
    step_size: f32,
    nodes: array<vec4<f32>, 26>,
}

@group(0) @binding(0) var<storage, read> pre_activations: array<f32>;
@group(0) @binding(1) var<storage, read> range: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> tables: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> kinks: array<f32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

// Whether moves, `factor` times as large, lead a ReLU over its kink: a little more, the moves themselves are rounded.
fn meets_kink(b: f32, x: vec2<f32>, factor: f32) -> bool {
    return ACTIVATION == 3u && abs(b) <= max(abs(x.x), abs(x.y)) * factor * 1.00001;
}

// One of an invocation's curves.
struct Curve {
    unit: Unit,
    // Where the unit's weights to the layer behind begin.
    weights: u32,
    // How far the unit moves to both sides.
    d: vec2<f32>,
    refused: bool,
    // How the logits move.
    up0: vec4<f32>,
    up1: vec4<f32>,
    up2: vec4<f32>,
    up3: vec4<f32>,
    down0: vec4<f32>,
    down1: vec4<f32>,
    down2: vec4<f32>,
    down3: vec4<f32>,
}

fn curve_of(n: u32, j: u32, reach: f32) -> Curve {
    let unit = min(j, parameters.units - 1u);
    var curve = Curve();
    curve.unit = unit_of(pre_activations[n * parameters.units + unit]);
    curve.weights = unit * parameters.width;
    curve.refused = meets_kink(curve.unit.a, vec2<f32>(reach), 1.0);
    return curve;
}

fn start(curve: Curve, s: f32) -> Curve {
    var started = Curve();
    started.unit = curve.unit;
    started.weights = curve.weights;
    started.refused = curve.refused;
    started.d = unit_change(curve.unit, s);
    return started;
}

// The change of unit k behind, times its weights to the logits.
fn add(curve: Curve, k: u32, at: Unit, farther: f32, c0: vec4<f32>, c1: vec4<f32>, c2: vec4<f32>, c3: vec4<f32>) -> Curve {
    var sums = curve;
    let x = curve.d * weights[curve.weights + k];
    sums.refused = curve.refused || meets_kink(at.a, x, farther);
    let change = unit_changes(at, x);
    sums.up0 += change.x * c0;
    sums.up1 += change.x * c1;
    sums.up2 += change.x * c2;
    sums.up3 += change.x * c3;
    sums.down0 += change.y * c0;
    sums.down1 += change.y * c1;
    sums.down2 += change.y * c2;
    sums.down3 += change.y * c3;
    return sums;
}

fn store_four(row: u32, first: u32, values: vec4<f32>) {
    for (var c = 0u; c < 4u; c++) {
        if first + c < CLASSES {
            out[row + first + c] = values[c];
        }
    }
}

fn store(row: u32, curve: Curve) {
    let behind = row + CLASSES;
    store_four(row, 0u, curve.up0);
    store_four(row, 4u, curve.up1);
    store_four(row, 8u, curve.up2);
    store_four(row, 12u, curve.up3);
    store_four(behind, 0u, curve.down0);
    store_four(behind, 4u, curve.down1);
    store_four(behind, 8u, curve.down2);
    store_four(behind, 12u, curve.down3);
}

// Whether the chunk has the curve of unit j of sample n.
fn is_there(n: u32, j: u32) -> bool {
    let number = n * parameters.units + j;
    return j < parameters.units && number >= parameters.first && number < parameters.first + parameters.count;
}

// The moves of unit j's curve, which is the `row`-th of the chunk's rows of pairs.
fn store_there(n: u32, j: u32, row: u32, curve: Curve) {
    if is_there(n, j) {
        store(2u * row * CLASSES, curve);
    }
}

fn note_kink(n: u32, j: u32, number: u32, curve: Curve) {
    if is_there(n, j) {
        kinks[number] = select(0.0, infinity(), curve.refused);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let group = workgroup_number(workgroup, workgroups);
    let begin = parameters.first / parameters.units;
    let end = (parameters.first + parameters.count - 1u) / parameters.units;
    let sample = group / parameters.strips;
    let n = begin + sample;
    if n > end {
        return;
    }
    let j = parameters.before + (group - sample * parameters.strips) * WORKGROUP * select(2u, 4u, FOUR) + local;
    var reach = parameters.step_size;
    if RANGED {
        reach *= range[n];
    }
    var one = curve_of(n, j, reach);
    var other = curve_of(n, j + WORKGROUP, reach);
    var third = Curve();
    var fourth = Curve();
    if FOUR {
        third = curve_of(n, j + 2u * WORKGROUP, reach);
        fourth = curve_of(n, j + 3u * WORKGROUP, reach);
    }
    let blocks = (CLASSES + 3u) / 4u;
    let units_at = parameters.width * blocks + sample * parameters.width;
    // The first pair is the one that reaches farthest.
    let farther = 1.0 / pair_position(0u);
    for (var pair = 0u; pair < NODES + CHECKS; pair++) {
        let s = reach * pair_position(pair);
        one = start(one, s);
        other = start(other, s);
        if FOUR {
            third = start(third, s);
            fourth = start(fourth, s);
        }
        for (var k = 0u; k < parameters.width; k++) {
            let four = tables[units_at + k];
            let at = Unit(four.x, four.y, four.z, four.w);
            let c0 = tables[k * blocks];
            var c1 = vec4<f32>(0.0);
            var c2 = c1;
            var c3 = c1;
            if CLASSES > 4u {
                c1 = tables[k * blocks + 1u];
            }
            if CLASSES > 8u {
                c2 = tables[k * blocks + 2u];
            }
            if CLASSES > 12u {
                c3 = tables[k * blocks + 3u];
            }
            one = add(one, k, at, farther, c0, c1, c2, c3);
            other = add(other, k, at, farther, c0, c1, c2, c3);
            if FOUR {
                third = add(third, k, at, farther, c0, c1, c2, c3);
                fourth = add(fourth, k, at, farther, c0, c1, c2, c3);
            }
        }
        let first_row = pair * parameters.count + n * parameters.units + j - parameters.first;
        store_there(n, j, first_row, one);
        store_there(n, j + WORKGROUP, first_row + WORKGROUP, other);
        if FOUR {
            store_there(n, j + 2u * WORKGROUP, first_row + 2u * WORKGROUP, third);
            store_there(n, j + 3u * WORKGROUP, first_row + 3u * WORKGROUP, fourth);
        }
    }
    let number = n * parameters.units + j - parameters.first;
    note_kink(n, j, number, one);
    note_kink(n, j + WORKGROUP, number + WORKGROUP, other);
    if FOUR {
        note_kink(n, j + 2u * WORKGROUP, number + 2u * WORKGROUP, third);
        note_kink(n, j + 3u * WORKGROUP, number + 3u * WORKGROUP, fourth);
    }
}
