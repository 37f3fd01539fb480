//! A mini-batch out of bytes. See `shaders/gather.wgsl`.

use super::memory::View;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Gather;

pub(super) fn run(op: &Gather, view: &View<'_>, worker: &mut Worker<'_>) {
    let (batch, features) = (op.inputs.rows, op.inputs.columns);
    let share = worker.share(batch, 1);
    let (images, labels) = (view.bytes(op.images), view.bytes(op.labels));
    let batches = op.indices.len / batch;
    // A counter beyond the last batch reads the last one, as clamped bounds do in the shader.
    let first = (view.words(op.cursor)[0] as usize).min(batches - 1) * batch;
    let indices = &view.words(op.indices)[first + share.start..first + share.end];
    // SAFETY: this worker's rows of each result, taken once.
    let inputs = unsafe { view.floats_mut(op.inputs, share.start * features..share.end * features) };
    // SAFETY: as above.
    let targets = unsafe { view.words_mut(op.targets, share) };
    for ((row, target), &index) in inputs.chunks_exact_mut(features).zip(targets).zip(indices) {
        let index = (index as usize).min(op.images.rows - 1);
        scale(&images[index * features..(index + 1) * features], row);
        *target = u32::from(labels[index]);
    }
}

vectorized! {
    /// `out = bytes / 255`
    fn scale(bytes: &[u8], out: &mut [f32]) = body
}

#[inline(always)]
fn body<F: Float>(bytes: &[u8], out: &mut [f32]) {
    for (out, &byte) in out.iter_mut().zip(bytes) {
        *out = f32::from(byte) / 255.0;
    }
}
