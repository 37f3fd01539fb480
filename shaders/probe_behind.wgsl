// What moved units make of the activations of the layer behind: with d the change of unit j of sample n,
// out[row, k] = phi(b + x) - phi(b), x = d weight[j, k], b = behind[n, k]. Row 2 (p count + c) + side belongs to pair p of curve
// c, and to its one or other side. One invocation does all rows of a curve for one unit behind; neighbours do neighbouring
// units. `kinks`, which are 0 before, become infinite where a curve is refused.

override WORKGROUP: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;

struct Parameters {
    // Curves of the chunk, and the number of the first.
    count: u32,
    first: u32,
    // Units of the probed layer, and of the layer behind.
    units: u32,
    width: u32,
    zero: u32,
    step_size: f32,
    nodes: array<vec4<f32>, 26>,
}

@group(0) @binding(0) var<storage, read> pre_activations: array<f32>;
@group(0) @binding(1) var<storage, read> range: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> behind: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> kinks: array<f32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let curve = index / parameters.width;
    if curve >= parameters.count {
        return;
    }
    let k = index - curve * parameters.width;
    let number = parameters.first + curve;
    let n = number / parameters.units;
    let unit = series_of(pre_activations[number]);
    let b = behind[n * parameters.width + k];
    let at = series_of(b);
    let w = weights[(number - n * parameters.units) * parameters.width + k];
    var reach = parameters.step_size;
    if RANGED {
        reach *= range[n];
    }
    // The curve's own unit.
    var refused = is_refused(unit.unit.a, vec2<f32>(reach, -reach), 1.0);
    for (var pair = 0u; pair < NODES + CHECKS; pair++) {
        let share = pair_position(pair);
        let s = reach * share;
        let x = activation_changes(unit, vec2<f32>(s, -s)) * w;
        if pair == 0u {
            // The first pair is the one that reaches farthest.
            refused = refused || is_refused(b, x, 1.0 / share);
        }
        let change = activation_changes(at, x);
        let row = 2u * (pair * parameters.count + curve) * parameters.width + k;
        out[row] = change.x;
        out[row + parameters.width] = change.y;
    }
    if refused {
        kinks[curve] = infinity();
    }
}
