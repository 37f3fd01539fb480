// Directions themselves, or parameters moved along each to both sides. A workgroup does 64 elements, which share one
// call of the generator for each direction; its invocations make the bits of 64 directions at a time.

override WORKGROUP: u32;
// Whether parameters are moved.
override MOVED: bool;

struct Parameters {
    seed_low: u32,
    seed_high: u32,
    // The first direction, and how many.
    first: u32,
    count: u32,
    // The block of 64 elements where the part begins, and the part's length.
    block: u32,
    len: u32,
    step_size: f32,
}

@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read> theta: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

var<workgroup> bits: array<vec2<u32>, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = workgroup_number(workgroup, workgroups);
    let seed = vec2<u32>(parameters.seed_low, parameters.seed_high);
    let index = number * WORKGROUP + local;
    for (var chunk = 0u; chunk < parameters.count; chunk += WORKGROUP) {
        let direction = parameters.first + chunk + local;
        bits[local] = direction_bits(seed, step[0], direction, parameters.block + number);
        workgroupBarrier();
        if index < parameters.len {
            let end = min(WORKGROUP, parameters.count - chunk);
            for (var k = 0u; k < end; k++) {
                if MOVED {
                    let shift = signed(parameters.step_size, bits[k], local);
                    let row = 2u * (chunk + k) * parameters.len;
                    out[row + index] = theta[index] + shift;
                    out[row + parameters.len + index] = theta[index] - shift;
                } else {
                    out[(chunk + k) * parameters.len + index] = signed(1.0, bits[k], local);
                }
            }
        }
        workgroupBarrier();
    }
}
