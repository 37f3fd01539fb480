// Activations of four neighbours.

fn activate_each(a: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(activate(a.x), activate(a.y), activate(a.z), activate(a.w));
}

fn slope_each(a: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(slope(a.x), slope(a.y), slope(a.z), slope(a.w));
}
