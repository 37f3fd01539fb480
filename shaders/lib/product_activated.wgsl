// A product whose results are kept, and what the activation makes of them.

@group(0) @binding(4) var<storage, read_write> activated: array<f32>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

fn keep(at: u32, value: f32) {
    zero = parameters.zero;
    out[at] = value;
    activated[at] = activate(value);
}
