// out[n, k] = 1 where k == targets[n], else 0

override WORKGROUP: u32;

struct Parameters {
    len: u32,
    classes: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index < parameters.len {
        let row = index / parameters.classes;
        out[index] = select(0.0, 1.0, index - row * parameters.classes == targets[row]);
    }
}
