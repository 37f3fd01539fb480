// out = what so many rounds of v = v * factor + addend make of x: a copy, or nothing but multiply-adds. Twelve chains an
// invocation hide each other's latency and fit the registers of every vector unit.

override WORKGROUP: u32;

struct Parameters {
    // In vectors of four.
    len: u32,
    // Loops of eight rounds.
    trips: u32,
    factor: f32,
    addend: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Vectors beyond the last are the last once more and hold the same value, so that storing it again needs no branch.
    let first = workgroup_number(workgroup, workgroups) * WORKGROUP * 3u + local;
    let last = parameters.len - 1u;
    let at = min(vec3<u32>(first, first + WORKGROUP, first + 2u * WORKGROUP), vec3<u32>(last));
    let factor = vec4<f32>(parameters.factor);
    let addend = vec4<f32>(parameters.addend);
    var a = x[at.x];
    var b = x[at.y];
    var c = x[at.z];
    for (var trip = 0u; trip < parameters.trips; trip++) {
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
    }
    out[at.x] = a;
    out[at.y] = b;
    out[at.z] = c;
}
