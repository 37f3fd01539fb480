//! A mini-batch out of bytes. See `shaders/gather.wgsl`.

use super::memory::View;
use super::nonzeros::{Nonzeros, SECTION};
use super::prefetch::{NEAR, NEAREST, prefetch};
use super::simd::{Float, vectorized};
use super::team::Worker;
use crate::backend::op::Gather;

pub(super) fn run(op: &Gather, view: &View<'_>, worker: &mut Worker<'_>) {
    let share = worker.share(op.inputs.rows, 1);
    for_each(op, view, share, |bytes, _, inputs| scale(bytes, inputs));
}

/// The same, and the inputs that are not zero listed.
pub(super) fn run_and_list(op: &Gather, nonzeros: &Nonzeros, view: &View<'_>, worker: &mut Worker<'_>) {
    let room = nonzeros.values.columns;
    let share = worker.share(op.inputs.rows, 1);
    let first = share.start;
    let range = first * room..share.end * room;
    // SAFETY: this worker's samples, taken once.
    let counts = unsafe { view.words_mut(nonzeros.counts, share.clone()) };
    // SAFETY: as above.
    let places = unsafe { view.words_mut(nonzeros.places, range.clone()) };
    // SAFETY: as above.
    let values = unsafe { view.floats_mut(nonzeros.values, range) };
    let sections = Nonzeros::sections(nonzeros.inputs);
    // SAFETY: as above.
    let starts = unsafe { view.words_mut(nonzeros.starts, share.start * sections..share.end * sections) };
    for_each(op, view, share, |bytes, n, inputs| {
        let n = n - first;
        let room = n * room..(n + 1) * room;
        let list = List {
            places: &mut places[room.clone()],
            values: &mut values[room],
            starts: &mut starts[n * sections..(n + 1) * sections],
        };
        counts[n] = scale_and_list(bytes, inputs, list);
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
    for (((row, target), (at, &index)), n) in
        inputs.chunks_exact_mut(features).zip(targets).zip(indices.iter().enumerate()).zip(share)
    {
        // Images drawn at random are nowhere near: they are called for some samples ahead.
        if let Some(&soon) = indices.get(at + AHEAD) {
            let soon = (soon as usize).min(op.images.rows - 1);
            prefetch::<NEAREST, _>(&images[soon * features..(soon + 1) * features]);
        }
        let index = (index as usize).min(op.images.rows - 1);
        sample(&images[index * features..(index + 1) * features], n, row);
        *target = u32::from(labels[index]);
    }
}

/// How many samples ahead of the one at hand the images are called for.
const AHEAD: usize = 4;

/// The images of the batch after the one at hand, which whoever computes with this one calls for: so they come while there is
/// something to do.
#[derive(Clone, Copy)]
pub(super) struct NextBatch<'a> {
    images: &'a [u8],
    features: usize,
    indices: &'a [u32],
}

impl<'a> NextBatch<'a> {
    /// The batch after the one that `op` gathers; nothing where there is none, or where it would not stay in the cache.
    pub(super) fn of(op: &Gather, view: &View<'a>) -> Self {
        /// Half of a small second-level cache.
        const MOST_BYTES: usize = 1 << 19;
        let (batch, features) = (op.inputs.rows, op.inputs.columns);
        let first = (view.words(op.cursor)[0] as usize).saturating_add(1).saturating_mul(batch);
        let is_kept = batch * features <= MOST_BYTES;
        let indices = view.words(op.indices).get(first..first.saturating_add(batch)).filter(|_| is_kept);
        Self { images: view.bytes(op.images), features, indices: indices.unwrap_or_default() }
    }

    /// Calls for a sample's image.
    pub(super) fn call_for(&self, sample: usize) {
        let Some(&index) = self.indices.get(sample) else { return };
        let first = (index as usize).saturating_mul(self.features);
        if let Some(image) = self.images.get(first..first.saturating_add(self.features)) {
            prefetch::<NEAR, _>(image);
        }
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

/// One sample's list in [`Nonzeros`], to be written.
struct List<'a> {
    places: &'a mut [u32],
    values: &'a mut [f32],
    starts: &'a mut [u32],
}

/// `inputs = bytes / 255`, and lists which are not zero; returns how many. The list has the room that [`Nonzeros`] gives.
fn scale_and_list(bytes: &[u8], inputs: &mut [f32], list: List<'_>) -> u32 {
    assert!(inputs.len() == bytes.len() && list.places.len().min(list.values.len()) >= Nonzeros::room(bytes.len()));
    assert!(list.starts.len() == Nonzeros::sections(bytes.len()));
    #[cfg(target_arch = "x86_64")]
    if super::simd::level() == super::simd::Level::Avx512 {
        // SAFETY: the processor has AVX-512, and the lists have room for a vector behind their last entry.
        return unsafe { compressed::scale_and_list(bytes, inputs, list) };
    }
    scale(bytes, inputs);
    list_scaled(bytes, inputs, list)
}

/// Lists the inputs that are not zero. Zeros come in long runs, so eight bytes are looked at together.
fn list_scaled(bytes: &[u8], inputs: &[f32], list: List<'_>) -> u32 {
    const TOGETHER: usize = 8;
    let mut count = 0;
    for (group, chunk) in bytes.chunks(TOGETHER).enumerate() {
        let first = group * TOGETHER;
        if first.is_multiple_of(SECTION) {
            list.starts[first / SECTION] = count as u32;
        }
        if let Ok(whole) = <[u8; TOGETHER]>::try_from(chunk)
            && u64::from_ne_bytes(whole) == 0
        {
            continue;
        }
        for (place, &byte) in (first..).zip(chunk) {
            // Written in any case, and kept by counting on: no branch to guess wrong. `count` stays at or below `place`.
            list.places[count] = place as u32;
            list.values[count] = inputs[place];
            count += usize::from(byte != 0);
        }
    }
    count as u32
}

/// With AVX-512, sixteen inputs at a time: it can close the gaps between the lanes that count.
#[cfg(target_arch = "x86_64")]
mod compressed {
    use std::arch::x86_64::*;

    use super::{List, SECTION};

    /// A section is a vector.
    const LANES: usize = SECTION;

    /// # Safety
    /// The processor has AVX-512 F, BW and VL; `inputs` is as long as `bytes`, and the list's places and values are longer
    /// by [`LANES`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,fma,popcnt")]
    pub(super) unsafe fn scale_and_list(bytes: &[u8], inputs: &mut [f32], list: List<'_>) -> u32 {
        let mut count = 0;
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (first, start) in (0..bytes.len()).step_by(LANES).zip(list.starts) {
            *start = count as u32;
            let there: __mmask16 = match bytes.len() - first {
                LANES.. => 0xffff,
                left => (1 << left) - 1,
            };
            // SAFETY: only the lanes of `there` are read and written in `bytes` and `inputs`; `count` is at most `first`,
            // so that a vector from there on fits into the lists.
            unsafe {
                let raw = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, bytes.as_ptr().add(first).cast()));
                let value = over_255(_mm512_cvtepi32_ps(raw));
                _mm512_mask_storeu_ps(inputs.as_mut_ptr().add(first), there, value);
                let counts = _mm512_test_epi32_mask(raw, raw);
                let place = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
                let (place, value) =
                    (_mm512_maskz_compress_epi32(counts, place), _mm512_maskz_compress_ps(counts, value));
                _mm512_storeu_epi32(list.places.as_mut_ptr().add(count).cast(), place);
                _mm512_storeu_ps(list.values.as_mut_ptr().add(count), value);
                count += counts.count_ones() as usize;
            }
        }
        count as u32
    }

    /// `x / 255`, rounded as a division rounds it: the product with the reciprocal, corrected by what it leaves
    /// (Markstein, 1990).
    #[target_feature(enable = "avx512f,fma")]
    fn over_255(x: __m512) -> __m512 {
        let reciprocal = _mm512_set1_ps(1.0 / 255.0);
        let quotient = _mm512_mul_ps(x, reciprocal);
        let left = _mm512_fnmadd_ps(quotient, _mm512_set1_ps(255.0), x);
        _mm512_fmadd_ps(left, reciprocal, quotient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form for this processor against the plain one, bit by bit, and every byte against a division.
    #[test]
    fn lists_hold_what_is_not_zero_in_order() {
        for length in [1, 7, 8, 9, 15, 16, 17, 64, 101, 784] {
            for every in [1, 2, 3, 50] {
                let bytes: Vec<u8> =
                    (0..length).map(|i| if i % every == 0 { (i % 255 + 1) as u8 } else { 0 }).collect();
                let expected: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let places_expected: Vec<usize> = (0..length).filter(|&i| bytes[i] != 0).collect();
                let room = Nonzeros::room(length);
                for plain in [false, true] {
                    let (mut inputs, mut places, mut values) = (vec![-1.0; length], vec![0; room], vec![0.0; room]);
                    let mut starts = vec![u32::MAX; Nonzeros::sections(length)];
                    let list = List { places: &mut places, values: &mut values, starts: &mut starts };
                    let count = if plain {
                        scale(&bytes, &mut inputs);
                        list_scaled(&bytes, &inputs, list)
                    } else {
                        scale_and_list(&bytes, &mut inputs, list)
                    } as usize;
                    for (section, &start) in starts.iter().enumerate() {
                        let before = places_expected.iter().filter(|&&place| place < section * SECTION).count();
                        assert_eq!(start as usize, before, "{length} {every} {plain}: section {section}");
                    }
                    assert_eq!(inputs, expected, "{length} {every} {plain}");
                    assert_eq!(
                        places[..count].iter().map(|&place| place as usize).collect::<Vec<_>>(),
                        places_expected
                    );
                    let listed: Vec<f32> = places_expected.iter().map(|&i| expected[i]).collect();
                    assert_eq!(values[..count], listed, "{length} {every} {plain}");
                }
            }
        }
    }
}
