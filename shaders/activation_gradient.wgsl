// gradient = gradient * phi'(x), in place, element by element: each is one number, or four neighbours

override WORKGROUP: u32;

struct Parameters {
    // Elements.
    len: u32,
    zero: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Element>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index < parameters.len {
        gradient[index] *= slope_each(x[index]);
    }
}
