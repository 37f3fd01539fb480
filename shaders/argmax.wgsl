// out[n] = the column of row n's largest element; the first of equals.

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
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
    // A lane without elements of its own holds the first one.
    var best = 0u;
    var most = x[first];
    if lane < parameters.columns {
        best = lane;
        most = x[first + lane];
    }
    for (var k = lane; k < parameters.columns; k += ROW_LANES) {
        let value = x[first + k];
        if value > most {
            most = value;
            best = k;
        }
    }
    if ROW_LANES > 1u {
        let largest = row_max(local, most);
        // Columns as floats, which hold whole numbers up to 2^24, and the smallest as the largest negative.
        let column = -row_max(local, select(-16777216.0, -f32(best), most == largest));
        best = min(u32(column), parameters.columns - 1u);
    }
    if is_row && lane == 0u {
        out[row] = best;
    }
}
