// One step of gradient descent on a block of parameters. `Element` is one number, or four neighbours: `lib/one.wgsl`,
// `lib/four.wgsl`.

// 0 plain, 1 momentum, 2 Adam
override RULE: u32;
override WORKGROUP: u32;

struct Parameters {
    // Elements.
    len: u32,
    zero: u32,
    rate: f32,
    // The momentum, or Adam's beta1 and beta2.
    beta1: f32,
    beta2: f32,
    // Their logarithms: beta^t as a power of float32 numbers would lose what 1 - beta^t is made of.
    ln_beta1: f32,
    ln_beta2: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<Element>;
@group(0) @binding(1) var<storage, read> steps: array<u32>;
@group(0) @binding(2) var<storage, read_write> theta: array<Element>;
// Velocity, or first and second moment one after the other; nothing for plain descent.
@group(0) @binding(3) var<storage, read_write> state: array<Element>;
@group(0) @binding(4) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index >= parameters.len {
        return;
    }
    let g = gradient[index];
    if RULE == 0u {
        theta[index] -= parameters.rate * g;
    } else if RULE == 1u {
        let velocity = parameters.beta1 * state[index] + g;
        state[index] = velocity;
        theta[index] -= parameters.rate * velocity;
    } else {
        let step = f32(steps[0]) + 1.0;
        let corrections = -expm1_pair(step * vec2<f32>(parameters.ln_beta1, parameters.ln_beta2));
        let first = parameters.beta1 * state[index] + (1.0 - parameters.beta1) * g;
        let at = parameters.len + index;
        let second = parameters.beta2 * state[at] + (1.0 - parameters.beta2) * g * g;
        state[index] = first;
        state[at] = second;
        let rate = parameters.rate / corrections.x;
        theta[index] -= rate * first / (sqrt(second / corrections.y) + parameters.epsilon);
    }
}
