// out = A B, plus what stood there, a bias or nothing, for few outputs with long sums, which the tiles of
// `matmul_tiled.wgsl` leave to a few workgroups of a GPU: 16 x 16 outputs a workgroup, whose 256 invocations are 16 parts of
// the sums by 16 blocks of 4 x 4 outputs. Every invocation loads straight from storage, two terms ahead of 32 multiply-adds and
// without a barrier; the parts meet in workgroup memory at the end.

// Whether the sums begin with what stands in `out`, the terms before `first`.
override CONTINUED: bool;

const TILE: u32 = 16u;
const PARTS: u32 = 16u;

// Of each part the tile, by fours of a row.
var<workgroup> partials: array<vec4<f32>, PARTS * TILE * TILE / 4u>;

// A term of four rows of A, or of four columns of B; 0 for terms beyond the last.
fn load_a(at: vec4<u32>, term: u32) -> vec4<f32> {
    let found = at + min(term, parameters.end - 1u) * parameters.a_term;
    return select(vec4<f32>(0.0), vec4<f32>(a[found.x], a[found.y], a[found.z], a[found.w]), term < parameters.end);
}

fn load_b(at: vec4<u32>, term: u32) -> vec4<f32> {
    let found = at + min(term, parameters.end - 1u) * parameters.b_term;
    return select(vec4<f32>(0.0), vec4<f32>(b[found.x], b[found.y], b[found.z], b[found.w]), term < parameters.end);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    // Workgroups beyond the last tile do that one once more, for the sake of the barrier, and write nothing.
    let number = workgroup_number(workgroup, workgroups);
    let tile = min(number, parameters.tiles - 1u);
    let down = tile / parameters.across;
    let first_row = down * TILE;
    let first_column = (tile - down * parameters.across) * TILE;
    // Neighbours load neighbours.
    let terms_adjoin = parameters.a_term == 1u;
    let part = select(index / 16u, index % 16u, terms_adjoin);
    let block = select(index % 16u, index / 16u, terms_adjoin);
    let block_row = 4u * (block / 4u);
    let block_column = 4u * (block % 4u);
    // Rows and columns beyond the last are the last once more.
    let four = vec4<u32>(0u, 1u, 2u, 3u);
    let rows = min(four + (first_row + block_row), vec4<u32>(parameters.rows - 1u)) * parameters.a_row;
    let columns = min(four + (first_column + block_column), vec4<u32>(parameters.columns - 1u)) * parameters.b_column;

    var sums = mat4x4<f32>();
    for (var term = parameters.first + part; term < parameters.end; term += 2u * PARTS) {
        let e = load_a(rows, term);
        let f = load_b(columns, term);
        let next_e = load_a(rows, term + PARTS);
        let next_f = load_b(columns, term + PARTS);
        sums += mat4x4<f32>(e.x * f, e.y * f, e.z * f, e.w * f);
        sums += mat4x4<f32>(next_e.x * next_f, next_e.y * next_f, next_e.z * next_f, next_e.w * next_f);
    }
    let place = (part * TILE + block_row) * (TILE / 4u) + block_column / 4u;
    partials[place] = sums[0];
    partials[place + TILE / 4u] = sums[1];
    partials[place + 2u * (TILE / 4u)] = sums[2];
    partials[place + 3u * (TILE / 4u)] = sums[3];
    workgroupBarrier();

    // One output each.
    let row = first_row + index / TILE;
    let column = first_column + index % TILE;
    if number >= parameters.tiles || row >= parameters.rows || column >= parameters.columns {
        return;
    }
    let at = row * parameters.columns + column;
    var sum = 0.0;
    for (var p = 0u; p < PARTS; p++) {
        sum += partials[(p * TILE * TILE + index) / 4u][index % 4u];
    }
    var begin = 0.0;
    if CONTINUED {
        begin = out[at];
    } else if parameters.biased == 1u {
        begin = bias[column];
    }
    keep(at, begin + sum);
}
