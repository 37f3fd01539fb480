//! A mini-batch out of bytes. See `shaders/gather.wgsl`.

use super::memory::View;
use super::nonzeros::Nonzeros;
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Gather;

pub(super) fn run(op: &Gather, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.inputs.rows, 1);
    for_each(op, view, share, |bytes, _, inputs| scale(bytes, inputs));
}

/// The same, and the inputs that are not zero listed.
pub(super) fn run_and_list(op: &Gather, nonzeros: &Nonzeros, view: &View<'_>, worker: &mut Worker<'_>) {
    let features = op.inputs.columns;
    let share = worker.share(op.inputs.rows, 1);
    let first = share.start;
    let room = first * features..share.end * features;
    // SAFETY: this worker's samples, taken once.
    let counts = unsafe { view.words_mut(nonzeros.counts, share.clone()) };
    // SAFETY: as above.
    let places = unsafe { view.words_mut(nonzeros.places, room.clone()) };
    // SAFETY: as above.
    let values = unsafe { view.floats_mut(nonzeros.values, room) };
    for_each(op, view, share, |bytes, n, inputs| {
        scale(bytes, inputs);
        let at = (n - first) * features;
        counts[n - first] = list(bytes, inputs, &mut places[at..at + features], &mut values[at..at + features]);
    });
}

/// Does `sample` with the bytes, the number and the inputs of every sample of this share, and writes its target.
fn for_each(
    op: &Gather,
    view: &View<'_>,
    share: std::ops::Range<usize>,
    mut sample: impl FnMut(&[u8], usize, &mut [f32]),
) {
    let (batch, features) = (op.inputs.rows, op.inputs.columns);
    let (images, labels) = (view.bytes(op.images), view.bytes(op.labels));
    let batches = op.indices.len / batch;
    // A counter beyond the last batch reads the last one, as clamped bounds do in the shader.
    let first = (view.words(op.cursor)[0] as usize).min(batches - 1) * batch;
    let indices = &view.words(op.indices)[first + share.start..first + share.end];
    // SAFETY: this worker's rows of each result, taken once.
    let inputs = unsafe { view.floats_mut(op.inputs, share.start * features..share.end * features) };
    // SAFETY: as above.
    let targets = unsafe { view.words_mut(op.targets, share.clone()) };
    for (((row, target), &index), n) in inputs.chunks_exact_mut(features).zip(targets).zip(indices).zip(share) {
        let index = (index as usize).min(op.images.rows - 1);
        sample(&images[index * features..(index + 1) * features], n, row);
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

/// Lists the inputs that are not zero; returns how many. Zeros come in long runs, so eight bytes are looked at together.
fn list(bytes: &[u8], inputs: &[f32], places: &mut [u32], values: &mut [f32]) -> u32 {
    const TOGETHER: usize = 8;
    let mut count = 0;
    for (group, chunk) in bytes.chunks(TOGETHER).enumerate() {
        let first = group * TOGETHER;
        if let Ok(whole) = <[u8; TOGETHER]>::try_from(chunk)
            && u64::from_ne_bytes(whole) == 0
        {
            continue;
        }
        for (place, &byte) in (first..).zip(chunk) {
            // Written in any case, and kept by counting on: no branch to guess wrong. `count` stays at or below `place`.
            places[count] = place as u32;
            values[count] = inputs[place];
            count += usize::from(byte != 0);
        }
    }
    count as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_is_not_zero_in_order() {
        for length in [1, 7, 8, 9, 64, 101] {
            for every in [1, 2, 3, 50] {
                let bytes: Vec<u8> = (0..length).map(|i| if i % every == 0 { (i % 255 + 1) as u8 } else { 0 }).collect();
                let inputs: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let (mut places, mut values) = (vec![0; length], vec![0.0; length]);
                let count = list(&bytes, &inputs, &mut places, &mut values) as usize;
                let expected: Vec<_> = (0..length).filter(|&i| bytes[i] != 0).collect();
                assert_eq!(places[..count].iter().map(|&place| place as usize).collect::<Vec<_>>(), expected);
                assert_eq!(values[..count], expected.iter().map(|&i| inputs[i]).collect::<Vec<_>>());
            }
        }
    }
}
