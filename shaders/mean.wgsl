// out[cursor] = 1/N sum_n x[n], by one workgroup: each lane its own terms, then the lanes in pairs.

override WORKGROUP: u32;

struct Parameters {
    len: u32,
    // Rows of `out`; a cursor beyond them means the last one.
    rows: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> cursor: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

var<workgroup> partials: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var n = local; n < parameters.len; n += WORKGROUP) {
        sum += x[n];
    }
    partials[local] = sum;
    for (var stride = WORKGROUP / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local < stride {
            partials[local] += partials[local + stride];
        }
    }
    workgroupBarrier();
    if local == 0u {
        out[min(cursor[0], parameters.rows - 1u)] = partials[0] / f32(parameters.len);
    }
}
