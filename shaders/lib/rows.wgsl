// Rows of a matrix, each done by ROW_LANES neighbouring invocations of a workgroup: one where rows are short.

override WORKGROUP: u32;
override ROW_LANES: u32;

var<workgroup> partials: array<f32, WORKGROUP>;

// The sum of what the lanes of a row hold, in one fixed order.
fn row_sum(local: u32, value: f32) -> f32 {
    if ROW_LANES == 1u {
        return value;
    }
    partials[local] = value;
    for (var stride = ROW_LANES / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local % ROW_LANES < stride {
            partials[local] += partials[local + stride];
        }
    }
    workgroupBarrier();
    let sum = partials[local - local % ROW_LANES];
    workgroupBarrier();
    return sum;
}

// The largest of what the lanes of a row hold.
fn row_max(local: u32, value: f32) -> f32 {
    if ROW_LANES == 1u {
        return value;
    }
    partials[local] = value;
    for (var stride = ROW_LANES / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if local % ROW_LANES < stride {
            partials[local] = max(partials[local], partials[local + stride]);
        }
    }
    workgroupBarrier();
    let most = partials[local - local % ROW_LANES];
    workgroupBarrier();
    return most;
}
