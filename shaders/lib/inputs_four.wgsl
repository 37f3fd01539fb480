// Inputs whose rows are whole fours.

@group(0) @binding(4) var<storage, read_write> inputs: array<vec4<f32>>;

// Four neighbours from the `at`-th on, a multiple of four.
fn put(at: u32, left: u32, values: vec4<f32>) {
    inputs[at / 4u] = values;
}
