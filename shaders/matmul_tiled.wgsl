// out = A B, plus what stood there, a bias or nothing: tiles of 64 x 64 or 64 x 128 outputs a workgroup of 16 x 16
// invocations, each of which holds 4 x 4 or 4 x 8 of them. For GPUs: both factors pass through workgroup memory in slices
// of 16 terms. For each number from storage there are 32 or 43 multiply-adds (16 or 21 operations a byte; an RX 6800 does
// 16 TFLOP/s at 512 GB/s, 32 a byte, and its caches are several times as fast), for each one from workgroup memory
// 2 or 2.7, with so few registers that many waves hide the latency.

// Whether the sums begin with what stands in `out`, the terms before `first`.
override CONTINUED: bool;
// Whether a tile is 128 columns wide.
override WIDE: bool;

const TILE: u32 = 64u;
const SLICE: u32 = 16u;

// A slice of each factor, term by term.
var<workgroup> a_slice: array<vec4<f32>, TILE * SLICE / 4u>;
var<workgroup> b_slice: array<vec4<f32>, 2u * TILE * SLICE / 4u>;

// Which line (row of A, column of B) and term of a slice of `lines` the n-th piece of work loads: neighbours load
// neighbours.
fn piece(n: u32, lines: u32, terms_adjoin: bool) -> vec2<u32> {
    return select(vec2<u32>(n % lines, n / lines), vec2<u32>(n / SLICE, n % SLICE), terms_adjoin);
}

fn load_a(row: u32, term: u32) -> f32 {
    let is_there = row < parameters.rows && term < parameters.end;
    let at = min(row, parameters.rows - 1u) * parameters.a_row + min(term, parameters.end - 1u) * parameters.a_term;
    return select(0.0, a[at], is_there);
}

fn load_b(column: u32, term: u32) -> f32 {
    let is_there = column < parameters.columns && term < parameters.end;
    let at = min(term, parameters.end - 1u) * parameters.b_term
        + min(column, parameters.columns - 1u) * parameters.b_column;
    return select(0.0, b[at], is_there);
}

fn finish(row: u32, column: u32, sums: vec4<f32>) {
    if row >= parameters.rows {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if column + i < parameters.columns {
            let at = row * parameters.columns + column + i;
            var begin = 0.0;
            if CONTINUED {
                begin = out[at];
            } else if parameters.biased == 1u {
                begin = bias[column + i];
            }
            keep(at, begin + sums[i]);
        }
    }
}

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    // Workgroups beyond the last tile do that one once more, for the sake of the barriers, and write nothing.
    let number = workgroup_number(workgroup, workgroups);
    let tile = min(number, parameters.tiles - 1u);
    let down = tile / parameters.across;
    let width = select(TILE, 2u * TILE, WIDE);
    let first_row = down * TILE;
    let first_column = (tile - down * parameters.across) * width;
    let a_terms_adjoin = parameters.a_term == 1u;
    let b_terms_adjoin = parameters.b_term == 1u;

    var sums = mat4x4<f32>();
    // Those of the tile's second half.
    var second = mat4x4<f32>();
    for (var first = parameters.first; first < parameters.end; first += SLICE) {
        for (var n = index; n < TILE * SLICE; n += 256u) {
            let place = piece(n, TILE, a_terms_adjoin);
            a_slice[(place.y * TILE + place.x) / 4u][place.x % 4u] = load_a(first_row + place.x, first + place.y);
        }
        for (var n = index; n < width * SLICE; n += 256u) {
            let place = piece(n, width, b_terms_adjoin);
            b_slice[(place.y * width + place.x) / 4u][place.x % 4u] = load_b(first_column + place.x, first + place.y);
        }
        workgroupBarrier();
        for (var term = 0u; term < SLICE; term++) {
            let rows = a_slice[term * (TILE / 4u) + local.y];
            let columns = b_slice[term * (width / 4u) + local.x];
            sums += mat4x4<f32>(rows.x * columns, rows.y * columns, rows.z * columns, rows.w * columns);
            if WIDE {
                let more = b_slice[term * (width / 4u) + TILE / 4u + local.x];
                second += mat4x4<f32>(rows.x * more, rows.y * more, rows.z * more, rows.w * more);
            }
        }
        workgroupBarrier();
    }
    if number < parameters.tiles {
        let row = first_row + local.y * 4u;
        let column = first_column + local.x * 4u;
        finish(row, column, sums[0]);
        finish(row + 1u, column, sums[1]);
        finish(row + 2u, column, sums[2]);
        finish(row + 3u, column, sums[3]);
        if WIDE {
            finish(row, column + TILE, second[0]);
            finish(row + 1u, column + TILE, second[1]);
            finish(row + 2u, column + TILE, second[2]);
            finish(row + 3u, column + TILE, second[3]);
        }
    }
}
