// What a user's function is given, beside `const N`: the point, in which one variable has another value.

@group(0) @binding(0) var<storage, read> gpu_train_point: array<f32>;
var<private> gpu_train_variable: u32;
var<private> gpu_train_value: f32;

fn parameter(i: u32) -> f32 {
    return select(gpu_train_point[i], gpu_train_value, i == gpu_train_variable);
}

// From here on the point itself.
fn gpu_train_at_point() {
    gpu_train_variable = 0xffffffffu;
}

// From here on the point with this move: the variable's number, and the bits of its value.
fn gpu_train_moved(move_: vec2<u32>) {
    gpu_train_variable = move_.x;
    gpu_train_value = bitcast<f32>(move_.y);
}

// Whether a value that was read is not the point's: never, here.
fn gpu_train_missed() -> bool {
    return false;
}
