// Single terms of a sum, and how large those are that a move changes. The moves, and how many there are of what, are
// bound as in changes.wgsl; the last word is the distance of the terms in `gpu_train_each`.

@group(0) @binding(2) var<storage, read_write> gpu_train_fours: array<vec4<f32>>;

// out[move] = (sum of the squares of the terms that change, of their changes' sizes, how many change, 0), over terms
// `first..end`.
@compute @workgroup_size(64)
fn gpu_train_sizes(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (workgroup.y * workgroups.x + workgroup.x) * 64u + local;
    if index >= gpu_train_range.x {
        return;
    }
    let move_ = gpu_train_moves[index];
    var out = vec4<f32>(0.0);
    for (var i = gpu_train_range.y; i < gpu_train_range.z; i++) {
        gpu_train_at_point();
        let before = term(i);
        gpu_train_moved(move_);
        let after = term(i);
        let size = max(abs(before), abs(after));
        let changed = select(0.0, 1.0, bitcast<u32>(before) != bitcast<u32>(after));
        out += vec4<f32>(changed * size * size, abs(after - before), changed, 0.0);
    }
    gpu_train_fours[index] = out;
}

// out[k].x = term(first + k * distance) at the point.
@compute @workgroup_size(64)
fn gpu_train_each(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (workgroup.y * workgroups.x + workgroup.x) * 64u + local;
    if index >= gpu_train_range.x {
        return;
    }
    gpu_train_at_point();
    gpu_train_fours[index] = vec4<f32>(term(gpu_train_range.y + index * gpu_train_range.w), 0.0, 0.0, 0.0);
}
