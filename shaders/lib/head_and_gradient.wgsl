// The end of a forward pass, and where back-propagation begins: the gradient of the batch's mean loss by the logits.

@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

// For the row whose elements begin at `first`, from its target's output and the sum of its others.
fn keep_gradient(first: u32, target_class: u32, y_target: f32, others: f32) {
    let there = target_class < parameters.columns;
    let base = loss_base(y_target, others, 0.0, parameters.epsilon);
    for (var k = 0u; k < parameters.columns; k++) {
        let value = loss_slope(base, y[first + k], k == target_class) * parameters.scale;
        gradient[first + k] = select(not_a_number(), value, there);
    }
}
