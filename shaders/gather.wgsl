// A mini-batch out of bytes: inputs[n, i] = images[k, i] / 255, targets[n] = labels[k], k = indices[cursor * N + n].
// A workgroup does a row, four neighbouring inputs at a time; its first invocation also does the target.

override WORKGROUP: u32;
// Whether rows are whole words of images, and whole fours of inputs: `put` knows, of `lib/inputs_four.wgsl` or
// `lib/inputs_one.wgsl`.
override WHOLE: bool;

struct Parameters {
    batch: u32,
    // Batches in `indices`; a cursor beyond them means the last one.
    batches: u32,
    // Images that there are; an index beyond them means the last one.
    images: u32,
    features: u32,
}

@group(0) @binding(0) var<storage, read> images: array<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> cursor: array<u32>;
@group(0) @binding(5) var<storage, read_write> targets: array<u32>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup_number(workgroup, workgroups);
    if row >= parameters.batch {
        return;
    }
    let first = min(cursor[0], parameters.batches - 1u) * parameters.batch;
    let image = min(indices[first + row], parameters.images - 1u);
    if local == 0u {
        targets[row] = (labels[image / 4u] >> (image % 4u * 8u)) & 255u;
    }
    for (var feature = local * 4u; feature < parameters.features; feature += WORKGROUP * 4u) {
        let byte = image * parameters.features + feature;
        let word = byte / 4u;
        var bytes = images[word];
        if !WHOLE {
            // Four bytes, which lie in two words where a row does not begin with a whole one.
            let shift = byte % 4u * 8u;
            let next = images[min(word + 1u, arrayLength(&images) - 1u)];
            bytes = (bytes >> shift) | select(next << (32u - shift), 0u, shift == 0u);
        }
        // A division, as on the CPU path: unpack4x8unorm may round otherwise.
        let values = vec4<f32>((vec4<u32>(bytes) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u)) / 255.0;
        put(row * parameters.features + feature, parameters.features - feature, values);
    }
}
