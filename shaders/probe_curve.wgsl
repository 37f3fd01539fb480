// The loss curve of every unit of every sample, sampled at pairs of points and written as a Chebyshev polynomial, with
// an estimate of what that misses. One invocation a curve; `ProbeCurve` in src/backend/op.rs says what is computed.

override WORKGROUP: u32;
// Whether there are ranges; without them they are 1.
override RANGED: bool;

struct Parameters {
    samples: u32,
    units: u32,
    classes: u32,
    zero: u32,
    step_size: f32,
    epsilon: f32,
    // 1 / 2N
    scale: f32,
    tolerance: f32,
    nodes: array<vec4<f32>, 26>,
}

@group(0) @binding(0) var<storage, read> pre_activations: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read> range: array<f32>;
@group(0) @binding(5) var<storage, read_write> coefficients: array<f32>;
@group(0) @binding(6) var<storage, read_write> errors: array<f32>;
@group(0) @binding(7) var<uniform> parameters: Parameters;

// A bound of s^2 C''' / 6 C' over the curve, from the largest derivatives of the activation and of the loss.
fn bound(probe: Probe, unit: Unit, reach: f32) -> f32 {
    let scale = slope_scale(unit);
    let bend = scale * spread_of(probe);
    let loss = select(bend * bend, 0.0, OUTPUT == 2u);
    var activation = 0.0;
    if ACTIVATION == 1u || ACTIVATION == 5u {
        activation = 3.0 * bend + 1.0;
    } else if ACTIVATION == 2u {
        activation = 6.0 * bend + 4.0;
    } else if ACTIVATION == 4u {
        // (2 - a^2) and (a^3 - 4 a) times the density, either of which is 0 somewhere: so each part by size, at the
        // end where it is largest.
        let most = abs(unit.a) + reach;
        let density = normal(max(abs(unit.a) - reach, 0.0)).y / max(scale, 1.17549435e-38);
        activation = (3.0 * bend * (2.0 + most * most) + (most * most + 4.0) * most) * density;
    }
    return reach * reach / 6.0 * (loss + activation);
}

struct At {
    probe: Probe,
    unit: Unit,
}

fn change(at: At, pair: u32, s: f32) -> f32 {
    return loss_change(at.probe, unit_change(at.unit, s));
}

// The curve's own size: sum_k |dL/da_k| |weight_k| times the slope, as it is before anything cancels.
fn size_of(probe: Probe, unit: Unit) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < probe.classes; k++) {
        let gradient = loss_slope(probe.base, y[probe.y_row + k], k == probe.target_class);
        sum += abs(gradient) * abs(weight(probe, k));
    }
    return 2.0 * parameters.scale * slope_scale(unit) * sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let curves = parameters.samples * parameters.units;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index >= curves {
        return;
    }
    let n = index / parameters.units;
    let probe = probe_of(n, index - n * parameters.units, targets[n], parameters.classes, parameters.epsilon);
    let unit = unit_of(pre_activations[index]);
    var reach = parameters.step_size;
    if RANGED {
        reach *= range[n];
    }

    let curve_fit = fit(At(probe, unit), reach);
    var error: f32;
    if NODES == 1u {
        error = bound(probe, unit, reach);
    } else {
        error = error_of(curve_fit, size_of(probe, unit));
    }
    write(curve_fit, error, ACTIVATION == 3u && abs(unit.a) <= reach, index, curves);
}
