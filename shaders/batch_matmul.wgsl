// Many products of one shape: out_b = A_b W_b + bias_b, sums over the terms `first..end`, plus what stood there instead
// of the bias where those are not the first. A register tile of 8 x 4 outputs an invocation.

override WORKGROUP: u32;

struct Parameters {
    batches: u32,
    // Of each product.
    rows: u32,
    columns: u32,
    terms: u32,
    // Terms of this dispatch.
    first: u32,
    end: u32,
    // Elements from one left factor to the next (0 where it is shared), and from one row of `b` to the next.
    a_batch: u32,
    b_batch: u32,
    weight_at: u32,
    bias_at: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn load(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let across = (parameters.columns + 3u) / 4u;
    let down = (parameters.rows + 7u) / 8u;
    let batch = index / (across * down);
    if batch >= parameters.batches {
        return;
    }
    let tile = index - batch * across * down;
    let row = tile / across * 8u;
    let column = (tile - tile / across * across) * 4u;
    // Columns beyond the last are the last once more, rows likewise: they are computed and not stored.
    let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(parameters.columns - 1u));
    let weight = batch * parameters.b_batch + parameters.weight_at;
    var sums = array<vec4<f32>, 8>();
    for (var term = parameters.first; term < parameters.end; term++) {
        let w = load(weight + term * parameters.columns + columns);
        for (var r = 0u; r < 8u; r++) {
            let at = batch * parameters.a_batch + min(row + r, parameters.rows - 1u) * parameters.terms + term;
            sums[r] += a[at] * w;
        }
    }
    let bias = load(batch * parameters.b_batch + parameters.bias_at + columns);
    for (var r = 0u; r < 8u; r++) {
        if row + r < parameters.rows {
            let first = (batch * parameters.rows + row + r) * parameters.columns;
            for (var c = 0u; c < 4u; c++) {
                if column + c < parameters.columns {
                    var before = bias[c];
                    if parameters.first > 0u {
                        before = out[first + column + c];
                    }
                    out[first + column + c] = sums[r][c] + before;
                }
            }
        }
    }
}
