// Central difference quotients along directions, from the logits at both ends: a workgroup does a direction, its
// invocations the samples `first..end` in turn; what stood there is added where those are not the first.
// MEASURE is what the engine numbers outputs and losses by (see lib/loss_slope.wgsl), and 3 for the error rate.

override WORKGROUP: u32;
override MEASURE: u32;

struct Parameters {
    directions: u32,
    samples: u32,
    classes: u32,
    zero: u32,
    // Samples of this dispatch.
    first: u32,
    end: u32,
    // The first row of `out`.
    row: u32,
    epsilon: f32,
    // 1 / 2hN
    scale: f32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

var<workgroup> partials: array<f32, WORKGROUP>;

// One sample's loss, from the row of logits that begins at `at`.
fn sample_loss(at: u32, class_or_none: u32) -> f32 {
    let is_there = class_or_none < parameters.classes;
    let class_ = min(class_or_none, parameters.classes - 1u);
    var most = logits[at];
    var best = 0u;
    for (var k = 1u; k < parameters.classes; k++) {
        if logits[at + k] > most {
            most = logits[at + k];
            best = k;
        }
    }
    if MEASURE == 3u {
        return select(1.0, 0.0, best == class_or_none);
    }
    var sum = 0.0;
    if MEASURE != 2u {
        for (var k = 0u; k < parameters.classes; k++) {
            sum += precise_exp(logits[at + k] - most);
        }
    }
    var loss = 0.0;
    if MEASURE == 0u {
        let distance = logits[at + class_] - most;
        if parameters.epsilon == 0.0 {
            loss = precise_ln(sum) - distance;
        } else {
            loss = -precise_ln(precise_exp(distance) / sum + parameters.epsilon);
        }
    } else {
        for (var k = 0u; k < parameters.classes; k++) {
            var y = logits[at + k];
            if MEASURE == 1u {
                y = precise_exp(y - most) / sum;
            }
            let difference = select(y, y - 1.0, k == class_);
            loss += 0.5 * difference * difference;
        }
    }
    return select(not_a_number(), loss, is_there);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    // The same for all invocations of a workgroup; one beyond the last does the last once more and stores nothing.
    let number = workgroup_number(workgroup, workgroups);
    let direction = min(number, parameters.directions - 1u);
    let block = parameters.samples * parameters.classes;
    var sum = 0.0;
    for (var n = parameters.first + local; n < parameters.end; n += WORKGROUP) {
        let above = 2u * direction * block + n * parameters.classes;
        sum += sample_loss(above, targets[n]) - sample_loss(above + block, targets[n]);
    }
    partials[local] = sum;
    for (var stride = WORKGROUP / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local < stride {
            partials[local] += partials[local + stride];
        }
    }
    if local == 0u && number < parameters.directions {
        var total = partials[0] * parameters.scale;
        if parameters.first > 0u {
            total += out[parameters.row + direction];
        }
        out[parameters.row + direction] = total;
    }
}
