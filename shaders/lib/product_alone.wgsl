// A product whose results are kept as they are.

@group(0) @binding(4) var<uniform> parameters: Parameters;

fn keep(at: u32, value: f32) {
    out[at] = value;
}
