// out[n] = -sum_k t[n, k] ln(y[n, k] + epsilon), from probabilities or from their logarithms.

// Whether y holds logarithms; then epsilon is not used.
override LOGARITHM: bool;
// Whether the targets are rows of weights [rows, columns], as the bits of floats, and not one class a row.
override ONE_HOT: bool;

struct Parameters {
    rows: u32,
    columns: u32,
    zero: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn term(y: f32) -> f32 {
    if LOGARITHM {
        return -y;
    }
    return select(-precise_ln(y + parameters.epsilon), y, is_nan(y));
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let lane = index % ROW_LANES;
    // Rows beyond the last do the last one once more, for the sake of the barriers, and write nothing.
    let row = min(index / ROW_LANES, parameters.rows - 1u);
    let is_row = index / ROW_LANES < parameters.rows;
    let first = row * parameters.columns;
    var loss = 0.0;
    if ONE_HOT {
        for (var k = lane; k < parameters.columns; k += ROW_LANES) {
            let weight = bitcast<f32>(targets[first + k]);
            // A term of weight 0 is 0, even where its logarithm is not finite.
            if weight != 0.0 {
                loss += weight * term(y[first + k]);
            }
        }
        loss = row_sum(local, loss);
    } else {
        let target_class = targets[row];
        let value = term(y[first + min(target_class, parameters.columns - 1u)]);
        // A class that does not exist has no probability.
        loss = select(not_a_number(), value, target_class < parameters.columns);
    }
    if is_row && lane == 0u {
        out[row] = loss;
    }
}
