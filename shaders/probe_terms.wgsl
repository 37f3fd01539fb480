// What the products behind probe_sums and that kernel read, worked out once. With b = behind[n, k], c_ki = next[k, i] and
// phi(b + x) - phi(b) = x (slope + x (second + x third)): rows of the terms of each sample's classes, [S C, V], slope c_ki, and
// second c_ki and third c_ki where there are any; the squares of the weights to the units behind, [U, V]; for ReLU the distance
// of the units behind from their kinks instead, [S, V]. Then the largest weight of each probed unit, [U]; each sample's
// smallest distance from a kink, [S]; and how far its curves reach, [S].

override WORKGROUP: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;
// Whether moves of units behind go on in proportion, but for kinks: ReLU and identity.
override PROPORTIONAL: bool;

struct Parameters {
    // Units behind, classes, samples of the chunk and the first of them; probed units.
    width: u32,
    classes: u32,
    samples: u32,
    begin: u32,
    units: u32,
    // Where each part begins; the terms begin at 0.
    second_at: u32,
    third_at: u32,
    squares_at: u32,
    distances_at: u32,
    largest_at: u32,
    zero: u32,
    step_size: f32,
}

@group(0) @binding(0) var<storage, read> behind: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> range: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

// Unit k behind, as the sample of a row has it.
fn terms(row: u32, k: u32) {
    let sample = row / parameters.classes;
    let series = series_of(behind[(parameters.begin + sample) * parameters.width + k]);
    let weight = next[k * parameters.classes + row - sample * parameters.classes];
    let index = row * parameters.width + k;
    out[index] = series.unit.slope * weight;
    if !PROPORTIONAL {
        out[parameters.second_at + index] = series.second * weight;
        out[parameters.third_at + index] = series.third * weight;
    }
}

fn largest_of(row: u32) -> f32 {
    var largest = 0.0;
    for (var k = 0u; k < parameters.width; k++) {
        largest = max(largest, abs(weights[row * parameters.width + k]));
    }
    return largest;
}

fn smallest_of(sample: u32) -> f32 {
    var smallest = infinity();
    for (var k = 0u; k < parameters.width; k++) {
        smallest = min(smallest, abs(behind[(parameters.begin + sample) * parameters.width + k]));
    }
    return smallest;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let width = parameters.width;
    let units = parameters.units;
    let samples = parameters.samples;
    var index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    // Rows first: they take longest.
    if index < units {
        out[parameters.largest_at + index] = largest_of(index);
        return;
    }
    index -= units;
    if index < samples {
        let at = parameters.largest_at + units + index;
        if ACTIVATION == 3u {
            out[at] = smallest_of(index);
        }
        var reach = parameters.step_size;
        if RANGED {
            reach *= range[parameters.begin + index];
        }
        out[at + samples] = reach;
        return;
    }
    index -= samples;
    let rows = samples * parameters.classes;
    if index < rows * width {
        let row = index / width;
        terms(row, index - row * width);
        return;
    }
    index -= rows * width;
    if PROPORTIONAL {
        if ACTIVATION == 3u && index < samples * width {
            out[parameters.distances_at + index] = abs(behind[parameters.begin * width + index]);
        }
    } else if index < units * width {
        let w = weights[index];
        out[parameters.squares_at + index] = w * w;
    }
}
