// out[j] = sum_n x[n, j] over the rows `first..end`, plus what stood there if those are not the first.
// A workgroup does COLUMNS columns; its LANES rows of invocations share the sums and add up in pairs.

override COLUMNS: u32;
override LANES: u32;

struct Parameters {
    columns: u32,
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

var<workgroup> partials: array<f32, COLUMNS * LANES>;

@compute @workgroup_size(COLUMNS, LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let column = workgroup_number(workgroup, workgroups) * COLUMNS + local.x;
    let at = min(column, parameters.columns - 1u);
    let place = local.y * COLUMNS + local.x;
    var sum = 0.0;
    for (var n = parameters.first + local.y; n < parameters.end; n += LANES) {
        sum += x[n * parameters.columns + at];
    }
    partials[place] = sum;
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local.y < stride {
            partials[place] += partials[place + stride * COLUMNS];
        }
    }
    if local.y == 0u && column < parameters.columns {
        var total = partials[place];
        if parameters.first > 0u {
            total += out[column];
        }
        out[column] = total;
    }
}
