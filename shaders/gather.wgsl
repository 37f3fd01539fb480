// A mini-batch out of bytes: inputs[n, i] = images[k, i] / 255, targets[n] = labels[k], k = indices[cursor * N + n].
// One invocation does four neighbouring inputs of a row; the first one of a row also does its target.

override WORKGROUP: u32;

struct Parameters {
    batch: u32,
    // Batches in `indices`; a cursor beyond them means the last one.
    batches: u32,
    // Images that there are; an index beyond them means the last one.
    images: u32,
    features: u32,
    // Invocations of a row: features / 4, rounded up.
    quads: u32,
}

@group(0) @binding(0) var<storage, read> images: array<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> cursor: array<u32>;
@group(0) @binding(4) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(5) var<storage, read_write> targets: array<u32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = workgroup_number(workgroup, workgroups) * WORKGROUP + local;
    let row = index / parameters.quads;
    if row >= parameters.batch {
        return;
    }
    let feature = (index - row * parameters.quads) * 4u;
    let first = min(cursor[0], parameters.batches - 1u) * parameters.batch;
    let image = min(indices[first + row], parameters.images - 1u);
    if feature == 0u {
        targets[row] = (labels[image / 4u] >> (image % 4u * 8u)) & 255u;
    }

    // Four bytes, which lie in two words where a row does not begin with a whole one.
    let byte = image * parameters.features + feature;
    let word = byte / 4u;
    let shift = byte % 4u * 8u;
    let next = images[min(word + 1u, arrayLength(&images) - 1u)];
    let bytes = (images[word] >> shift) | select(next << (32u - shift), 0u, shift == 0u);

    // A division, as on the CPU path: unpack4x8unorm may round otherwise.
    let values = vec4<f32>((vec4<u32>(bytes) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u)) / 255.0;
    let out = row * parameters.features + feature;
    let left = parameters.features - feature;
    inputs[out] = values.x;
    if left > 1u { inputs[out + 1u] = values.y; }
    if left > 2u { inputs[out + 2u] = values.z; }
    if left > 3u { inputs[out + 3u] = values.w; }
}
