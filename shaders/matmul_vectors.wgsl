// out = A B, plus a bias or nothing: a register tile of 16 x 16 outputs an invocation, for numbers of terms that are
// multiples of four. For software drivers, where a load is a loop over the lanes with bounds to check, and where what a
// loop carries over is blended by the lanes that are still in it: everything is loaded by fours, and 32 such loads feed 1,024
// multiply-adds that touch each sum once (in `matmul.wgsl` 24 single ones feed 128). No driver has registers for 256 sums;
// they wait in the first-level cache.
//
// Four neighbours in memory are either four terms of one row of A (column of B), or four rows (columns) of one term.
// Where the latter do not begin at a multiple of four, sixteen of them are cut out of five loads.

override WORKGROUP: u32;
// Whether neighbours in memory are terms.
override A_TERMS_ADJOIN: bool;
override B_TERMS_ADJOIN: bool;
// Numbers from one term to the next, modulo four, where neighbours are none.
override A_SKEW: u32;
override B_SKEW: u32;

struct Parameters {
    rows: u32,
    columns: u32,
    terms: u32,
    // 1 where there is a bias.
    biased: u32,
    // Tiles of a row of tiles, and of all.
    across: u32,
    tiles: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> parameters: Parameters;

// The four numbers from the `shift`-th of the first four on. The shift is known when the pipeline is made.
fn cut(shift: u32, first: vec4<f32>, second: vec4<f32>) -> vec4<f32> {
    switch shift & 3u {
        case 1u: { return vec4<f32>(first.yzw, second.x); }
        case 2u: { return vec4<f32>(first.zw, second.xy); }
        case 3u: { return vec4<f32>(first.w, second.xyz); }
        default: { return first; }
    }
}

fn cut_line(shift: u32, fours: mat4x4<f32>, last: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        cut(shift, fours[0], fours[1]),
        cut(shift, fours[1], fours[2]),
        cut(shift, fours[2], fours[3]),
        cut(shift, fours[3], last),
    );
}

fn a_at(at: u32) -> vec4<f32> {
    return a[min(at, parameters.rows * parameters.terms / 4u - 1u)];
}

fn b_at(at: u32) -> vec4<f32> {
    return b[min(at, parameters.columns * parameters.terms / 4u - 1u)];
}

// Four rows of A by four terms: a column of the matrix for each row.
fn rows_of_terms(row: u32, term: u32) -> mat4x4<f32> {
    let at = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(parameters.rows - 1u))
        * (parameters.terms / 4u) + term / 4u;
    return mat4x4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]);
}

// Four columns of B by four terms: a column of the matrix for each column.
fn columns_of_terms(column: u32, term: u32) -> mat4x4<f32> {
    let at = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(parameters.columns - 1u))
        * (parameters.terms / 4u) + term / 4u;
    return mat4x4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// Sixteen rows from `row` on of term `term` of A, whose first stands at `shift` in its four.
fn term_of_rows(row: u32, term: u32, shift: u32) -> mat4x4<f32> {
    let at = (term * parameters.rows + row) / 4u;
    let fours = mat4x4<f32>(a_at(at), a_at(at + 1u), a_at(at + 2u), a_at(at + 3u));
    if (shift & 3u) == 0u {
        return fours;
    }
    return cut_line(shift, fours, a_at(at + 4u));
}

// Sixteen columns of B, likewise.
fn term_of_columns(column: u32, term: u32, shift: u32) -> mat4x4<f32> {
    let at = (term * parameters.columns + column) / 4u;
    let fours = mat4x4<f32>(b_at(at), b_at(at + 1u), b_at(at + 2u), b_at(at + 3u));
    if (shift & 3u) == 0u {
        return fours;
    }
    return cut_line(shift, fours, b_at(at + 4u));
}

fn load_bias(column: u32) -> vec4<f32> {
    let at = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(parameters.columns - 1u));
    return select(vec4<f32>(0.0), vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]), parameters.biased == 1u);
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
    let values = sums + load_bias(column);
    let at = row * parameters.columns + column;
    let room = select(0u, parameters.columns - min(column, parameters.columns), row < parameters.rows);
    if room > 0u {
        out[at] = values.x;
    }
    if room > 1u {
        out[at + 1u] = values.y;
    }
    if room > 2u {
        out[at + 2u] = values.z;
    }
    if room > 3u {
        out[at + 3u] = values.w;
    }
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
    let row = down * 16u;
    let column = (tile - down * parameters.across) * 16u;
    var s0 = mat4x4<f32>();
    var s1 = mat4x4<f32>();
    var s2 = mat4x4<f32>();
    var s3 = mat4x4<f32>();
    var s4 = mat4x4<f32>();
    var s5 = mat4x4<f32>();
    var s6 = mat4x4<f32>();
    var s7 = mat4x4<f32>();
    var s8 = mat4x4<f32>();
    var s9 = mat4x4<f32>();
    var s10 = mat4x4<f32>();
    var s11 = mat4x4<f32>();
    var s12 = mat4x4<f32>();
    var s13 = mat4x4<f32>();
    var s14 = mat4x4<f32>();
    var s15 = mat4x4<f32>();
    for (var term = 0u; term < parameters.terms; term += 4u) {
        var f0 = mat4x4<f32>();
        var f1 = mat4x4<f32>();
        var f2 = mat4x4<f32>();
        var f3 = mat4x4<f32>();
        if B_TERMS_ADJOIN {
            let b0 = transpose(columns_of_terms(column, term));
            let b1 = transpose(columns_of_terms(column + 4u, term));
            let b2 = transpose(columns_of_terms(column + 8u, term));
            let b3 = transpose(columns_of_terms(column + 12u, term));
            f0 = mat4x4<f32>(b0[0], b1[0], b2[0], b3[0]);
            f1 = mat4x4<f32>(b0[1], b1[1], b2[1], b3[1]);
            f2 = mat4x4<f32>(b0[2], b1[2], b2[2], b3[2]);
            f3 = mat4x4<f32>(b0[3], b1[3], b2[3], b3[3]);
        } else {
            f0 = term_of_columns(column, term, 0u);
            f1 = term_of_columns(column, term + 1u, B_SKEW);
            f2 = term_of_columns(column, term + 2u, B_SKEW * 2u);
            f3 = term_of_columns(column, term + 3u, B_SKEW * 3u);
        }
        var e0 = mat4x4<f32>();
        var e1 = mat4x4<f32>();
        var e2 = mat4x4<f32>();
        var e3 = mat4x4<f32>();
        if !A_TERMS_ADJOIN {
            e0 = term_of_rows(row, term, 0u);
            e1 = term_of_rows(row, term + 1u, A_SKEW);
            e2 = term_of_rows(row, term + 2u, A_SKEW * 2u);
            e3 = term_of_rows(row, term + 3u, A_SKEW * 3u);
        }
        // Row by row: of all the sums only one row's need registers.
        var a0 = transpose(mat4x4<f32>(e0[0], e1[0], e2[0], e3[0]));
        if A_TERMS_ADJOIN {
            a0 = rows_of_terms(row, term);
        }
        s0 += a0[0][0] * f0;
        s0 += a0[0][1] * f1;
        s0 += a0[0][2] * f2;
        s0 += a0[0][3] * f3;
        s1 += a0[1][0] * f0;
        s1 += a0[1][1] * f1;
        s1 += a0[1][2] * f2;
        s1 += a0[1][3] * f3;
        s2 += a0[2][0] * f0;
        s2 += a0[2][1] * f1;
        s2 += a0[2][2] * f2;
        s2 += a0[2][3] * f3;
        s3 += a0[3][0] * f0;
        s3 += a0[3][1] * f1;
        s3 += a0[3][2] * f2;
        s3 += a0[3][3] * f3;
        var a1 = transpose(mat4x4<f32>(e0[1], e1[1], e2[1], e3[1]));
        if A_TERMS_ADJOIN {
            a1 = rows_of_terms(row + 4u, term);
        }
        s4 += a1[0][0] * f0;
        s4 += a1[0][1] * f1;
        s4 += a1[0][2] * f2;
        s4 += a1[0][3] * f3;
        s5 += a1[1][0] * f0;
        s5 += a1[1][1] * f1;
        s5 += a1[1][2] * f2;
        s5 += a1[1][3] * f3;
        s6 += a1[2][0] * f0;
        s6 += a1[2][1] * f1;
        s6 += a1[2][2] * f2;
        s6 += a1[2][3] * f3;
        s7 += a1[3][0] * f0;
        s7 += a1[3][1] * f1;
        s7 += a1[3][2] * f2;
        s7 += a1[3][3] * f3;
        var a2 = transpose(mat4x4<f32>(e0[2], e1[2], e2[2], e3[2]));
        if A_TERMS_ADJOIN {
            a2 = rows_of_terms(row + 8u, term);
        }
        s8 += a2[0][0] * f0;
        s8 += a2[0][1] * f1;
        s8 += a2[0][2] * f2;
        s8 += a2[0][3] * f3;
        s9 += a2[1][0] * f0;
        s9 += a2[1][1] * f1;
        s9 += a2[1][2] * f2;
        s9 += a2[1][3] * f3;
        s10 += a2[2][0] * f0;
        s10 += a2[2][1] * f1;
        s10 += a2[2][2] * f2;
        s10 += a2[2][3] * f3;
        s11 += a2[3][0] * f0;
        s11 += a2[3][1] * f1;
        s11 += a2[3][2] * f2;
        s11 += a2[3][3] * f3;
        var a3 = transpose(mat4x4<f32>(e0[3], e1[3], e2[3], e3[3]));
        if A_TERMS_ADJOIN {
            a3 = rows_of_terms(row + 12u, term);
        }
        s12 += a3[0][0] * f0;
        s12 += a3[0][1] * f1;
        s12 += a3[0][2] * f2;
        s12 += a3[0][3] * f3;
        s13 += a3[1][0] * f0;
        s13 += a3[1][1] * f1;
        s13 += a3[1][2] * f2;
        s13 += a3[1][3] * f3;
        s14 += a3[2][0] * f0;
        s14 += a3[2][1] * f1;
        s14 += a3[2][2] * f2;
        s14 += a3[2][3] * f3;
        s15 += a3[3][0] * f0;
        s15 += a3[3][1] * f1;
        s15 += a3[3][2] * f2;
        s15 += a3[3][3] * f3;
    }
    // Stores are written once, and the sums pass through them: all written out they would take a driver longer to compile than
    // everything else.
    for (var i = 0u; i < 16u; i++) {
        var line = s0;
        for (var q = 0u; q < 4u; q++) {
            store(row + i, column + 4u * q, line[0]);
            line = mat4x4<f32>(line[1], line[2], line[3], line[3]);
        }
        s0 = s1;
        s1 = s2;
        s2 = s3;
        s3 = s4;
        s4 = s5;
        s5 = s6;
        s6 = s7;
        s7 = s8;
        s8 = s9;
        s9 = s10;
        s10 = s11;
        s11 = s12;
        s12 = s13;
        s13 = s14;
        s14 = s15;
    }
}
