// out[move] = the function where one variable has another value; move: the variable's number, and the bits of its
// value. A number that no variable has leaves the point as it is.

@group(0) @binding(1) var<storage, read> gpu_train_moves: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> gpu_train_out: array<f32>;
@group(0) @binding(3) var<uniform> gpu_train_range: vec4<u32>;

@compute @workgroup_size(64)
fn gpu_train_main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (workgroup.y * workgroups.x + workgroup.x) * 64u + local;
    if index >= gpu_train_range.x {
        return;
    }
    gpu_train_moved(gpu_train_moves[index]);
    gpu_train_out[index] = gpu_train_evaluate();
}
