// out = A B, plus what stood there, a bias or nothing: a register tile of 8 x 16 outputs an invocation, which loads
// straight from storage. For software drivers, where loads cost most: 24 of them feed 128 multiply-adds.

override WORKGROUP: u32;
// Whether the sums begin with what stands in `out`, the terms before `first`.
override CONTINUED: bool;

fn load_b(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

fn load_bias(at: vec4<u32>) -> vec4<f32> {
    let values = vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    return select(vec4<f32>(0.0), values, parameters.biased == 1u);
}

fn load_out(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(out[at.x], out[at.y], out[at.z], out[at.w]);
}

fn store(at: vec4<u32>, values: vec4<f32>) {
    keep(at.x, values.x);
    keep(at.y, values.y);
    keep(at.z, values.z);
    keep(at.w, values.w);
}

fn load_row(row: u32, c0: vec4<u32>, c1: vec4<u32>, c2: vec4<u32>, c3: vec4<u32>) -> mat4x4<f32> {
    let first = min(row, parameters.rows - 1u) * parameters.columns;
    return mat4x4<f32>(load_out(first + c0), load_out(first + c1), load_out(first + c2), load_out(first + c3));
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
    let row = down * 8u;
    let column = (tile - down * parameters.across) * 16u;

    // Rows and columns beyond the last are the last once more.
    let last_row = vec4<u32>(parameters.rows - 1u);
    let last_column = vec4<u32>(parameters.columns - 1u);
    let four = vec4<u32>(0u, 1u, 2u, 3u);
    let rows0 = min(four + row, last_row) * parameters.a_row;
    let rows1 = min(four + (row + 4u), last_row) * parameters.a_row;
    let columns0 = min(four + column, last_column);
    let columns1 = min(four + (column + 4u), last_column);
    let columns2 = min(four + (column + 8u), last_column);
    let columns3 = min(four + (column + 12u), last_column);
    let b_columns0 = columns0 * parameters.b_column;
    let b_columns1 = columns1 * parameters.b_column;
    let b_columns2 = columns2 * parameters.b_column;
    let b_columns3 = columns3 * parameters.b_column;

    var s0 = mat4x4<f32>();
    var s1 = mat4x4<f32>();
    var s2 = mat4x4<f32>();
    var s3 = mat4x4<f32>();
    var s4 = mat4x4<f32>();
    var s5 = mat4x4<f32>();
    var s6 = mat4x4<f32>();
    var s7 = mat4x4<f32>();
    if CONTINUED {
        s0 = load_row(row, columns0, columns1, columns2, columns3);
        s1 = load_row(row + 1u, columns0, columns1, columns2, columns3);
        s2 = load_row(row + 2u, columns0, columns1, columns2, columns3);
        s3 = load_row(row + 3u, columns0, columns1, columns2, columns3);
        s4 = load_row(row + 4u, columns0, columns1, columns2, columns3);
        s5 = load_row(row + 5u, columns0, columns1, columns2, columns3);
        s6 = load_row(row + 6u, columns0, columns1, columns2, columns3);
        s7 = load_row(row + 7u, columns0, columns1, columns2, columns3);
    }
    for (var k = parameters.first; k < parameters.end; k++) {
        let a_at = k * parameters.a_term;
        let b_at = k * parameters.b_term;
        let factors = mat4x4<f32>(
            load_b(b_at + b_columns0),
            load_b(b_at + b_columns1),
            load_b(b_at + b_columns2),
            load_b(b_at + b_columns3),
        );
        s0 += a[a_at + rows0.x] * factors;
        s1 += a[a_at + rows0.y] * factors;
        s2 += a[a_at + rows0.z] * factors;
        s3 += a[a_at + rows0.w] * factors;
        s4 += a[a_at + rows1.x] * factors;
        s5 += a[a_at + rows1.y] * factors;
        s6 += a[a_at + rows1.z] * factors;
        s7 += a[a_at + rows1.w] * factors;
    }
    // Stores are written once, and the sums pass through them: all written out they would take a driver longer to compile than
    // everything else. Columns beyond the last are the last once more and hold the same value, so that storing it twice needs
    // no branch.
    for (var i = 0u; i < 8u; i++) {
        let first = min(row + i, parameters.rows - 1u) * parameters.columns;
        var line = s0;
        for (var q = 0u; q < 4u; q++) {
            let columns = min(four + (column + 4u * q), last_column);
            if CONTINUED {
                store(first + columns, line[0]);
            } else {
                store(first + columns, load_bias(columns) + line[0]);
            }
            line = mat4x4<f32>(line[1], line[2], line[3], line[3]);
        }
        s0 = s1;
        s1 = s2;
        s2 = s3;
        s3 = s4;
        s4 = s5;
        s5 = s6;
        s6 = s7;
    }
}
