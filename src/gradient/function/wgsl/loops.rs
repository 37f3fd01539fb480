//! Whether a driver stops long loops, which some software drivers do without a word.

use crate::Result;
use crate::backend::gpu::GpuBackend;
use crate::backend::gpu::user::UserShader;

/// Trips that a sound driver makes.
const TRIPS: u32 = 100_000;

/// Counts its trips.
const SOURCE: &str = "
@group(0) @binding(0) var<storage, read> unused: array<u32>;
@group(0) @binding(1) var<storage, read> also_unused: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> words: vec4<u32>;
@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3<u32>) {
    var trips = 0.0;
    for (var i = 0u; i < words.y; i++) { trips += select(1.0, 0.0, i == words.z); }
    out[id.x] = trips;
}";

/// The trips after which this device stops, if it does; and the device.
pub(super) fn stop_early(backend: GpuBackend) -> Result<(GpuBackend, Option<u32>)> {
    let mut counter = UserShader::new(backend, &[(SOURCE, &["count"])])?;
    let buffers =
        [counter.allocate(16, "unused")?, counter.allocate(16, "unused")?, counter.allocate(256, "trips of a loop")?];
    let read = counter.run(0, buffers, [64, TRIPS, u32::MAX, 0], 64, 256)?;
    let trips = counter.finish(read)?.into_iter().fold(f32::INFINITY, f32::min) as u32;
    Ok((counter.into_backend(), (trips < TRIPS).then_some(trips)))
}
