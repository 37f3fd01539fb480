// The end of a forward pass in one: y[n, k] = exp(x[n, k] - m) / sum_i exp(x[n, i] - m), m the row's largest, and
// losses[n] = -ln(y[n, t] + epsilon) of the class t that it should be; then what `keep_gradient` makes of them.

override WORKGROUP: u32;

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
    epsilon: f32,
    // 1 / rows
    scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let row = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if row >= parameters.rows {
        return;
    }
    let first = row * parameters.columns;
    var most = x[first];
    for (var k = 1u; k < parameters.columns; k++) {
        most = max(most, x[first + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < parameters.columns; k++) {
        sum += precise_exp(x[first + k] - most);
    }
    let target_class = targets[row];
    // A class that does not exist has no probability.
    var y_target = not_a_number();
    var others = 0.0;
    for (var k = 0u; k < parameters.columns; k++) {
        let value = precise_exp(x[first + k] - most) / sum;
        y[first + k] = value;
        if k == target_class {
            y_target = value;
        } else {
            others += value;
        }
    }
    losses[row] = select(-precise_ln(y_target + parameters.epsilon), y_target, is_nan(y_target));
    keep_gradient(first, target_class, y_target, others);
}
