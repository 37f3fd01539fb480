// Inputs whose rows may begin anywhere.

@group(0) @binding(4) var<storage, read_write> inputs: array<f32>;

// Four neighbours from the `at`-th on, or as many as are left of the row.
fn put(at: u32, left: u32, values: vec4<f32>) {
    inputs[at] = values.x;
    if left > 1u { inputs[at + 1u] = values.y; }
    if left > 2u { inputs[at + 2u] = values.z; }
    if left > 3u { inputs[at + 3u] = values.w; }
}
