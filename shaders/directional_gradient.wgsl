// The mean of random directions, each times the loss's derivative along it. A workgroup does 64 elements, which share
// one call of the generator for each direction; its invocations make the bits of 64 directions at a time.

override WORKGROUP: u32;

struct Parameters {
    seed_low: u32,
    seed_high: u32,
    // The first direction, and how many.
    first: u32,
    count: u32,
    // The block of 64 elements where the part begins, and the part's length.
    block: u32,
    len: u32,
    // 1 / count
    scale: f32,
}

@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read> coefficients: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

var<workgroup> bits: array<vec2<u32>, WORKGROUP>;
var<workgroup> values: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = workgroup_number(workgroup, workgroups);
    let seed = vec2<u32>(parameters.seed_low, parameters.seed_high);
    var sum = 0.0;
    for (var chunk = 0u; chunk < parameters.count; chunk += WORKGROUP) {
        let k = chunk + local;
        bits[local] = direction_bits(seed, step[0], parameters.first + k, parameters.block + number);
        values[local] = coefficients[min(k, parameters.count - 1u)] * parameters.scale;
        workgroupBarrier();
        var partial = 0.0;
        let end = min(WORKGROUP, parameters.count - chunk);
        for (var other = 0u; other < end; other++) {
            partial += signed(values[other], bits[other], local);
        }
        sum += partial;
        workgroupBarrier();
    }
    let index = number * WORKGROUP + local;
    if index < parameters.len {
        out[index] = sum;
    }
}
