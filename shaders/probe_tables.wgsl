// What probe_fused reads many times, worked out once: the weights to the logits by unit behind, filled up with zeros to whole
// vectors, [V, BLOCKS]; then each unit behind, sample by sample: pre-activation, value, rest and slope, [N, V].

override WORKGROUP: u32;
override CLASSES: u32;

struct Parameters {
    // Units behind, and the first of the samples; how many there are.
    width: u32,
    begin: u32,
    samples: u32,
    zero: u32,
}

@group(0) @binding(0) var<storage, read> behind: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read_write> tables: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn to_class(k: u32, c: u32) -> f32 {
    return select(0.0, next[k * CLASSES + min(c, CLASSES - 1u)], c < CLASSES);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    zero = parameters.zero;
    let blocks = (CLASSES + 3u) / 4u;
    let weights = parameters.width * blocks;
    let all = parameters.samples * parameters.width;
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    if index < weights {
        let k = index / blocks;
        let c = (index - k * blocks) * 4u;
        tables[index] = vec4<f32>(to_class(k, c), to_class(k, c + 1u), to_class(k, c + 2u), to_class(k, c + 3u));
    } else if index < weights + all {
        let unit = unit_of(behind[parameters.begin * parameters.width + index - weights]);
        tables[index] = vec4<f32>(unit.a, unit.value, unit.rest, unit.slope);
    }
}
