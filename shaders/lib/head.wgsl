// The end of a forward pass alone.

@group(0) @binding(4) var<uniform> parameters: Parameters;

fn keep_gradient(first: u32, target_class: u32, y_target: f32, others: f32) {}
