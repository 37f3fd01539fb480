// The gradient of the batch's mean loss by the logits: where back-propagation begins.

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
    epsilon: f32,
    // 1 / rows
    scale: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let lane = index % ROW_LANES;
    // Rows beyond the last do the last one once more, for the sake of the barriers, and write nothing.
    let row = min(index / ROW_LANES, parameters.rows - 1u);
    let is_row = index / ROW_LANES < parameters.rows;
    let first = row * parameters.columns;
    let target_class = targets[row];
    let there = target_class < parameters.columns;
    let y_target = y[first + min(target_class, parameters.columns - 1u)];

    var others = 0.0;
    var squares = 0.0;
    for (var k = lane; k < parameters.columns; k += ROW_LANES) {
        let value = y[first + k];
        let other = select(value, 0.0, k == target_class);
        others += other;
        squares += other * other;
    }
    others = row_sum(local, others);
    if OUTPUT == 1u {
        squares = row_sum(local, squares);
    }
    let base = loss_base(y_target, others, squares, parameters.epsilon);

    let end = select(0u, parameters.columns, is_row);
    for (var k = lane; k < end; k += ROW_LANES) {
        let value = loss_slope(base, y[first + k], k == target_class) * parameters.scale;
        out[first + k] = select(not_a_number(), value, there);
    }
}
