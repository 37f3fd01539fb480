// Adds 1 to the place in the block of batches and to the steps done in the run.

@group(0) @binding(0) var<storage, read_write> cursor: array<u32>;
@group(0) @binding(1) var<storage, read_write> steps: array<u32>;

@compute @workgroup_size(1)
fn main() {
    cursor[0] += 1u;
    steps[0] += 1u;
}
