// out[n] = max(1, max_i |x[n, i]|)

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

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
    var most = 1.0;
    for (var k = lane; k < parameters.columns; k += ROW_LANES) {
        most = max(most, abs(x[first + k]));
    }
    most = row_max(local, most);
    if is_row && lane == 0u {
        out[row] = most;
    }
}
