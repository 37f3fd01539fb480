// out[n * M + k, j] = b[j] + sum_i x[n, i] W[i, j] under M sets of parameters, of which set k has one element of W or b
// replaced: one layer of many literal forward passes. An invocation does 4 rows of 4 units, so that 8 loads feed 16
// multiply-adds, or of 8 where registers allow, and looks at every term whether it is the moved one: nothing is taken from another set's sums.
//
// Sums go over i in `first..end`.

override WORKGROUP: u32;
// Whether the sums begin with what stands in `out`, the terms before `first`.
override CONTINUED: bool;
// Whether each row of `out` has a row of inputs of its own; else the M sets of a sample share one.
override OWN_INPUTS: bool;
// Whether tiles have 8 units: 32 sums and their comparisons are too many for some GPUs' registers.
override WIDE: bool;

struct Parameters {
    rows: u32,
    sets: u32,
    inputs: u32,
    units: u32,
    first: u32,
    end: u32,
    // Tiles of a row of tiles, and of all.
    across: u32,
    tiles: u32,
}

@group(0) @binding(0) var<storage, read> inputs: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
// Of each set the moved element, the weight's first, then the bias's; beyond both where it is not in this layer.
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

// A row of `out`.
struct Row {
    // Where it, and its inputs, begin.
    out: u32,
    inputs: u32,
    // The moved element: its input (that of a bias is the number of inputs) and its unit; and its value.
    input: u32,
    unit: u32,
    value: f32,
}

fn row_of(number: u32) -> Row {
    // Rows beyond the last are the last once more and write the same values.
    let row = min(number, parameters.rows - 1u);
    let number_of_set = row % parameters.sets;
    let place = places[number_of_set];
    let first = select(row / parameters.sets, row, OWN_INPUTS) * parameters.inputs;
    return Row(row * parameters.units, first, place / parameters.units, place % parameters.units, values[number_of_set]);
}

fn load_weight(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
}

// What the sums begin with.
fn begin(row: Row, columns: vec4<u32>) -> vec4<f32> {
    let at = columns + row.out;
    if CONTINUED {
        return vec4<f32>(out[at.x], out[at.y], out[at.z], out[at.w]);
    }
    let biases = vec4<f32>(bias[columns.x], bias[columns.y], bias[columns.z], bias[columns.w]);
    return with_moved(row, parameters.inputs, columns, biases);
}

// Four elements of the row of parameters that belong to this input.
fn with_moved(row: Row, input: u32, columns: vec4<u32>, elements: vec4<f32>) -> vec4<f32> {
    let is_moved = (columns == vec4<u32>(row.unit)) & vec4<bool>(input == row.input);
    return select(elements, vec4<f32>(row.value), is_moved);
}

fn store(row: Row, columns: vec4<u32>, sums: vec4<f32>) {
    let at = columns + row.out;
    out[at.x] = sums.x;
    out[at.y] = sums.y;
    out[at.z] = sums.z;
    out[at.w] = sums.w;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if tile >= parameters.tiles {
        return;
    }
    let down = tile / parameters.across;
    let column = (tile - down * parameters.across) * select(4u, 8u, WIDE);
    let row0 = row_of(down * 4u);
    let row1 = row_of(down * 4u + 1u);
    let row2 = row_of(down * 4u + 2u);
    let row3 = row_of(down * 4u + 3u);
    // Columns beyond the last are the last once more.
    let last_column = vec4<u32>(parameters.units - 1u);
    let left = min(vec4<u32>(0u, 1u, 2u, 3u) + column, last_column);
    let right = min(vec4<u32>(4u, 5u, 6u, 7u) + column, last_column);

    var left0 = begin(row0, left);
    var left1 = begin(row1, left);
    var left2 = begin(row2, left);
    var left3 = begin(row3, left);
    var right0 = vec4<f32>(0.0);
    var right1 = right0;
    var right2 = right0;
    var right3 = right0;
    if WIDE {
        right0 = begin(row0, right);
        right1 = begin(row1, right);
        right2 = begin(row2, right);
        right3 = begin(row3, right);
    }
    for (var i = parameters.first; i < parameters.end; i++) {
        let w_left = load_weight(left + i * parameters.units);
        let x0 = inputs[row0.inputs + i];
        let x1 = inputs[row1.inputs + i];
        let x2 = inputs[row2.inputs + i];
        let x3 = inputs[row3.inputs + i];
        left0 += x0 * with_moved(row0, i, left, w_left);
        left1 += x1 * with_moved(row1, i, left, w_left);
        left2 += x2 * with_moved(row2, i, left, w_left);
        left3 += x3 * with_moved(row3, i, left, w_left);
        if WIDE {
            let w_right = load_weight(right + i * parameters.units);
            right0 += x0 * with_moved(row0, i, right, w_right);
            right1 += x1 * with_moved(row1, i, right, w_right);
            right2 += x2 * with_moved(row2, i, right, w_right);
            right3 += x3 * with_moved(row3, i, right, w_right);
        }
    }
    store(row0, left, left0);
    store(row1, left, left1);
    store(row2, left, left2);
    store(row3, left, left3);
    if WIDE {
        store(row0, right, right0);
        store(row1, right, right1);
        store(row2, right, right2);
        store(row3, right, right3);
    }
}
