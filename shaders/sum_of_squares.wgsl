// out[n] = 1/2 sum_k (y[n, k] - t[n, k])^2

// Whether the targets are rows of weights [rows, columns], as the bits of floats, and not one class a row.
override ONE_HOT: bool;

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
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
    var target_class = 0u;
    if !ONE_HOT {
        target_class = targets[row];
    }
    var squares = 0.0;
    for (var k = lane; k < parameters.columns; k += ROW_LANES) {
        var expected = 0.0;
        if ONE_HOT {
            expected = bitcast<f32>(targets[first + k]);
        } else {
            expected = select(0.0, 1.0, k == target_class);
        }
        let difference = y[first + k] - expected;
        squares += difference * difference;
    }
    let loss = 0.5 * row_sum(local, squares);
    if is_row && lane == 0u {
        out[row] = select(not_a_number(), loss, target_class < parameters.columns);
    }
}
