// Lists, unit by unit, the samples whose curve failed its check, in order. UNIT_LANES invocations share a unit's
// samples, each a run of neighbouring ones: it counts, learns how many the lanes before it found, and writes.

override WORKGROUP: u32;
override UNIT_LANES: u32;
// Whether there are errors; without them every sample is listed.
override CHECKED: bool;

struct Parameters {
    samples: u32,
    units: u32,
    tolerance: f32,
}

// Never written; `read_write` so that any of the others can stand here where there are no errors.
@group(0) @binding(0) var<storage, read_write> errors: array<f32>;
@group(0) @binding(1) var<storage, read_write> list: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> totals: array<u32>;
@group(0) @binding(4) var<storage, read_write> largest: array<f32>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

var<workgroup> found: array<u32, WORKGROUP>;
var<workgroup> largest_found: array<f32, WORKGROUP>;

// By the bits, which order numbers that are not negative and put NaN last.
fn is_trusted(error: f32) -> bool {
    return CHECKED && bitcast<u32>(error) <= bitcast<u32>(parameters.tolerance);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let unit = index / UNIT_LANES;
    let lane = index % UNIT_LANES;
    let share = (parameters.samples + UNIT_LANES - 1u) / UNIT_LANES;
    let first = min(lane * share, parameters.samples);
    let end = select(first, min(first + share, parameters.samples), unit < parameters.units);

    var count = 0u;
    var most = 0.0;
    for (var n = first; n < end; n++) {
        let error = errors[n * parameters.units + unit];
        if is_trusted(error) {
            most = max(most, error);
        } else {
            count++;
        }
    }
    found[local] = count;
    largest_found[local] = most;
    workgroupBarrier();

    var at = unit * parameters.samples;
    for (var other = 0u; other < lane; other++) {
        at += found[local - lane + other];
    }
    for (var n = first; n < end; n++) {
        if !is_trusted(errors[n * parameters.units + unit]) {
            list[at] = n;
            at++;
        }
    }
    if lane == 0u && unit < parameters.units {
        var all = 0u;
        for (var other = 0u; other < UNIT_LANES; other++) {
            all += found[local + other];
            most = max(most, largest_found[local + other]);
        }
        counts[unit] = all;
        totals[unit] += all;
        largest[unit] = max(largest[unit], most);
    }
}
