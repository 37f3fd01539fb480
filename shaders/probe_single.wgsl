// Adds to a gradient what the listed samples contribute, each parameter probed at its own shift:
// gradient[i, j] += 1/(2hN) sum_n (C(h x[n, i]) - C(-h x[n, i])) over the entries `first..end` of unit j's list.
// One invocation does SHARE inputs of a unit, `stride` apart, so that neighbours read neighbouring inputs.

override WORKGROUP: u32;
override SHARE: u32;
// Whether the parameters are biases: one a unit, with an input of 1.
override BIAS: bool;
// Whether parameters are moved up only: 1/(hN) sum_n C(h x[n, i]).
override ONE_SIDED: bool;

struct Parameters {
    samples: u32,
    units: u32,
    classes: u32,
    zero: u32,
    step_size: f32,
    epsilon: f32,
    // 1 / 2hN, or 1 / hN
    scale: f32,
    inputs: u32,
    stride: u32,
    first: u32,
    end: u32,
}

// [samples, units], or with ReLU [2, units, samples]: of each listed sample the high part, then the low one.
@group(0) @binding(0) var<storage, read> pre_activations: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read> inputs: array<f32>;
@group(0) @binding(5) var<storage, read> list: array<u32>;
@group(0) @binding(6) var<storage, read> counts: array<u32>;
@group(0) @binding(7) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(8) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let unit = index / parameters.stride;
    if unit >= parameters.units {
        return;
    }
    let first_input = index - unit * parameters.stride;
    let end = min(parameters.end, counts[unit]);
    for (var entry = parameters.first; entry < end; entry++) {
        let place = unit * parameters.samples + entry;
        let n = list[place];
        let probe = probe_of(n, unit, targets[n], parameters.classes, parameters.epsilon);
        var at: Unit;
        var low = 0.0;
        if ACTIVATION == 3u {
            at = unit_of(pre_activations[place]);
            low = pre_activations[parameters.units * parameters.samples + place];
        } else {
            at = unit_of(pre_activations[n * parameters.units + unit]);
        }
        for (var step = 0u; step < SHARE; step++) {
            let i = first_input + step * parameters.stride;
            var x = 0.0;
            if i < parameters.inputs {
                x = 1.0;
                if !BIAS {
                    x = inputs[n * parameters.inputs + i];
                }
            }
            // A zero input moves nothing.
            if x != 0.0 {
                let s = parameters.step_size * x;
                var d: vec2<f32>;
                if ACTIVATION == 3u {
                    d = relu_change(at.a, low, vec2<f32>(s, -s));
                } else {
                    d = unit_change(at, s);
                }
                if ONE_SIDED {
                    d.y = 0.0;
                }
                gradient[i * parameters.units + unit] += loss_change(probe, d) * parameters.scale;
            }
        }
    }
}
