// out[j, k] = bias[j] + sum_i x[n, i] w[i, j] as the sum of two floats, for the k-th listed sample n of unit j: the high
// parts [units, samples], then the low ones; 0 behind the last listed sample. Terms `first..end` of the sum.
//
// Products are exact, since factors are cut in two of 12 bits each; what a sum rounds off is carried along (Knuth's
// two-sum; Dekker, 1971).

override WORKGROUP: u32;

struct Parameters {
    samples: u32,
    units: u32,
    inputs: u32,
    zero: u32,
    first: u32,
    end: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> list: array<u32>;
@group(0) @binding(4) var<storage, read> counts: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

// sum.x + term, what that rounds off added to sum.y.
fn add(sum: vec2<f32>, term: f32) -> vec2<f32> {
    let total = hide(vec2<f32>(sum.x + term)).x;
    let added = hide(vec2<f32>(total - sum.x)).x;
    let kept = hide(vec2<f32>(total - added)).x;
    return vec2<f32>(total, sum.y + ((sum.x - kept) + (term - added)));
}

// The leading 12 bits, and the others.
fn cut(x: f32) -> vec2<f32> {
    let high = bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
    return vec2<f32>(high, x - high);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let len = parameters.units * parameters.samples;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index >= len {
        return;
    }
    let unit = index / parameters.samples;
    let listed = index - unit * parameters.samples < counts[unit];
    let sample = min(list[index], parameters.samples - 1u);
    var sum = vec2<f32>(0.0);
    if listed {
        sum.x = bias[unit];
        if parameters.first > 0u {
            sum = vec2<f32>(out[index], out[len + index]);
        }
    }
    let end = select(parameters.first, parameters.end, listed);
    for (var i = parameters.first; i < end; i++) {
        let a = cut(x[sample * parameters.inputs + i]);
        let b = cut(w[i * parameters.units + unit]);
        sum = add(sum, a.x * b.x);
        sum = add(sum, a.x * b.y);
        sum = add(sum, a.y * b.x);
        sum.y += a.y * b.y;
    }
    // The low part was carried apart; together they are a float and what it leaves.
    let both = add(vec2<f32>(sum.x, 0.0), sum.y);
    out[index] = both.x;
    out[len + index] = both.y;
}
