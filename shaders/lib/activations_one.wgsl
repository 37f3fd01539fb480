// Activations of numbers one by one.

fn activate_each(a: f32) -> f32 {
    return activate(a);
}

fn slope_each(a: f32) -> f32 {
    return slope(a);
}
