// out[(q - 1 - m) * N + n, i] = x T_m(2 (x / range[n])^2 - 1), x = x[n, i], T_m the Chebyshev polynomials.

override WORKGROUP: u32;
override NODES: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;

struct Parameters {
    // Elements of x, and of a row of it.
    len: u32,
    columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> range: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index >= parameters.len {
        return;
    }
    let value = x[index];
    var u = value;
    if RANGED {
        u /= range[index / parameters.columns];
    }
    let argument = 2.0 * u * u - 1.0;
    // T_-1 = T_1
    var before = argument;
    var current = 1.0;
    for (var order = 0u; order < NODES; order++) {
        out[(NODES - 1u - order) * parameters.len + index] = value * current;
        let next = 2.0 * argument * current - before;
        before = current;
        current = next;
    }
}
