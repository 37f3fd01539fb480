// out = A B, plus what stood there, a bias or nothing: a register tile of 8 x 16 outputs an invocation, which loads
// straight from storage. For software drivers, where loads cost most: 24 of them feed 128 multiply-adds.
//
// Both factors come with strides, so that one kernel does every transposition. Sums go over k in `first..end`.

override WORKGROUP: u32;

struct Parameters {
    rows: u32,
    columns: u32,
    // Terms of the sums.
    first: u32,
    end: u32,
    // Elements of A from one row, or one term, to the next; and of B from one term, or one column, to the next.
    a_row: u32,
    a_term: u32,
    b_term: u32,
    b_column: u32,
    // What the sums begin with: 0 zero, 1 the bias, 2 the result of the terms before.
    start: u32,
    // Tiles of a row of tiles, and of all.
    across: u32,
    tiles: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> parameters: Parameters;

// Four elements of B's current term.
fn b4(term: u32, columns: vec4<u32>) -> vec4<f32> {
    let at = columns + term;
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// Four outputs of a row, and what they begin with.
fn finish(row: u32, column: u32, sums: vec4<f32>) {
    if row >= parameters.rows {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if column + i < parameters.columns {
            let at = row * parameters.columns + column + i;
            var begin = 0.0;
            if parameters.start == 1u {
                begin = bias[column + i];
            } else if parameters.start == 2u {
                begin = out[at];
            }
            out[at] = begin + sums[i];
        }
    }
}

fn finish_row(row: u32, column: u32, sums: mat4x4<f32>) {
    finish(row, column, sums[0]);
    finish(row, column + 4u, sums[1]);
    finish(row, column + 8u, sums[2]);
    finish(row, column + 12u, sums[3]);
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

    // Rows and columns beyond the last are the last once more: in bounds, and never stored.
    let last_row = vec4<u32>(parameters.rows - 1u);
    let last_column = vec4<u32>(parameters.columns - 1u);
    let four = vec4<u32>(0u, 1u, 2u, 3u);
    let rows0 = min(four + row, last_row) * parameters.a_row;
    let rows1 = min(four + (row + 4u), last_row) * parameters.a_row;
    let columns0 = min(four + column, last_column) * parameters.b_column;
    let columns1 = min(four + (column + 4u), last_column) * parameters.b_column;
    let columns2 = min(four + (column + 8u), last_column) * parameters.b_column;
    let columns3 = min(four + (column + 12u), last_column) * parameters.b_column;

    var c0 = mat4x4<f32>();
    var c1 = mat4x4<f32>();
    var c2 = mat4x4<f32>();
    var c3 = mat4x4<f32>();
    var c4 = mat4x4<f32>();
    var c5 = mat4x4<f32>();
    var c6 = mat4x4<f32>();
    var c7 = mat4x4<f32>();
    for (var k = parameters.first; k < parameters.end; k++) {
        let a_at = k * parameters.a_term;
        let b_at = k * parameters.b_term;
        let factors = mat4x4<f32>(b4(b_at, columns0), b4(b_at, columns1), b4(b_at, columns2), b4(b_at, columns3));
        c0 += a[a_at + rows0.x] * factors;
        c1 += a[a_at + rows0.y] * factors;
        c2 += a[a_at + rows0.z] * factors;
        c3 += a[a_at + rows0.w] * factors;
        c4 += a[a_at + rows1.x] * factors;
        c5 += a[a_at + rows1.y] * factors;
        c6 += a[a_at + rows1.z] * factors;
        c7 += a[a_at + rows1.w] * factors;
    }
    finish_row(row, column, c0);
    finish_row(row + 1u, column, c1);
    finish_row(row + 2u, column, c2);
    finish_row(row + 3u, column, c3);
    finish_row(row + 4u, column, c4);
    finish_row(row + 5u, column, c5);
    finish_row(row + 6u, column, c6);
    finish_row(row + 7u, column, c7);
}
