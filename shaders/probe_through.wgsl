// What moved pre-activations make of a layer's activations, in place: x[row, k] = phi(b + x) - phi(b), b = behind[n, k], rows as
// in probe_behind. `kinks` become infinite where a curve is refused.

override WORKGROUP: u32;

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

@group(0) @binding(0) var<storage, read> behind: array<f32>;
@group(0) @binding(1) var<storage, read_write> moves: array<f32>;
@group(0) @binding(2) var<storage, read_write> kinks: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

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
    let n = (parameters.first + curve) / parameters.units;
    let b = behind[n * parameters.width + k];
    let at = series_of(b);
    for (var pair = 0u; pair < NODES + CHECKS; pair++) {
        let row = 2u * (pair * parameters.count + curve) * parameters.width + k;
        let x = vec2<f32>(moves[row], moves[row + parameters.width]);
        if pair == 0u && is_refused(b, x, 1.0 / pair_position(0u)) {
            kinks[curve] = infinity();
        }
        let change = activation_changes(at, x);
        moves[row] = change.x;
        moves[row + parameters.width] = change.y;
    }
}
