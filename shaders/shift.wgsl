// A layer's activations when its pre-activations are moved along directions to both sides. An invocation does both.

override WORKGROUP: u32;

struct Parameters {
    // Elements of a block, and of all shifts.
    len: u32,
    shifts: u32,
    zero: u32,
    step_size: f32,
}

@group(0) @binding(0) var<storage, read> base: array<f32>;
@group(0) @binding(1) var<storage, read> shift: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index < parameters.shifts {
        let direction = index / parameters.len;
        let place = index - direction * parameters.len;
        let moved = parameters.step_size * shift[index];
        let above = 2u * direction * parameters.len + place;
        out[above] = activate(base[place] + moved);
        out[above + parameters.len] = activate(base[place] - moved);
    }
}
