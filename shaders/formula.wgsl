// out[n] = f(x[n]), and behind it the difference quotient of f by each variable. The text of `function` is made from the
// formula and stands below.
//
// A quotient is made of changes, each in a form that does not cancel: the literal quotient for whatever step, without the
// rounding that a difference of two values of f would have in float32. Every step is taken exactly as it is given.

struct Parameters {
    // Rows of this dispatch.
    first: u32,
    last: u32,
    variables: u32,
    // Variables whose quotients are wanted: all or none.
    quotients: u32,
    pairs: u32,
    zero: u32,
    step_size: f32,
    padding: u32,
    // Multiple of the step, and the weights of the moves up and down.
    pair: array<vec4<f32>, 2>,
}

// A value and what two moves change of it.
struct Moved {
    value: f32,
    change: vec2<f32>,
}

// [rows, variables]
@group(0) @binding(0) var<storage, read> x: array<f32>;
// [rows, 1 + quotients]
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

override WORKGROUP: u32;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let row = parameters.first + workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if row >= parameters.last {
        return;
    }
    let point = row * parameters.variables;
    let to = row * (1u + parameters.quotients);
    if parameters.quotients == 0u {
        out[to] = function(point, 0u, vec2<f32>()).value;
    }
    for (var variable = 0u; variable < parameters.quotients; variable++) {
        var sum = 0.0;
        for (var index = 0u; index < parameters.pairs; index++) {
            let pair = parameters.pair[index];
            let s = pair.x * parameters.step_size;
            let moved = function(point, variable, vec2<f32>(s, -s));
            // A weight of 0 leaves out even what is not finite.
            sum += pair.y * moved.change.x;
            if pair.z != 0.0 {
                sum += pair.z * moved.change.y;
            }
            out[to] = moved.value;
        }
        out[to + 1u + variable] = sum / parameters.step_size;
    }
}
