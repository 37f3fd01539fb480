// out[0] += how many of the first `len` predictions equal their target, by one workgroup.

override WORKGROUP: u32;

struct Parameters {
    len: u32,
}

@group(0) @binding(0) var<storage, read> predictions: array<u32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

var<workgroup> partials: array<u32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
    var correct = 0u;
    for (var n = local; n < parameters.len; n += WORKGROUP) {
        correct += select(0u, 1u, predictions[n] == targets[n]);
    }
    partials[local] = correct;
    for (var stride = WORKGROUP / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local < stride {
            partials[local] += partials[local + stride];
        }
    }
    workgroupBarrier();
    if local == 0u {
        out[0] += partials[0];
    }
}
