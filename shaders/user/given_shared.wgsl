// As given.wgsl, for points that are evaluated one after the other: what was read at the point itself is kept, and the
// moved points, which read the same variables in the same order, take it from there. Where one reads something else
// (the function has a branch), that is noticed, and nothing of it is used.
//
// With a function of no loops all indices of what is kept are known to compilers, and it stays in registers.

@group(0) @binding(0) var<storage, read> gpu_train_point: array<f32>;
var<private> gpu_train_variable: u32;
var<private> gpu_train_value: f32;
var<private> gpu_train_keeping: bool;
var<private> gpu_train_reads: u32;
var<private> gpu_train_kept: array<f32, 16>;
var<private> gpu_train_kept_of: array<u32, 16>;
var<private> gpu_train_other: bool = false;

fn parameter(i: u32) -> f32 {
    let read = gpu_train_reads;
    gpu_train_reads = read + 1u;
    if gpu_train_keeping {
        let x = gpu_train_point[i];
        gpu_train_kept[read] = x;
        gpu_train_kept_of[read] = i;
        return x;
    }
    gpu_train_other = gpu_train_other || gpu_train_kept_of[read] != i;
    return select(gpu_train_kept[read], gpu_train_value, i == gpu_train_variable);
}

fn gpu_train_at_point() {
    gpu_train_keeping = true;
    gpu_train_reads = 0u;
}

fn gpu_train_moved(move_: vec2<u32>) {
    gpu_train_keeping = false;
    gpu_train_reads = 0u;
    gpu_train_variable = move_.x;
    gpu_train_value = bitcast<f32>(move_.y);
}

fn gpu_train_missed() -> bool {
    return gpu_train_other;
}
