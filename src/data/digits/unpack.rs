//! Unpacks the embedded digits. `model.rs` says what the symbols mean.

use std::io::Read;
use std::thread;

use flate2::read::DeflateDecoder;

use super::model::{
    BLOCK, CONTEXTS, Coder, LANES, LOW, Levels, SCALE_BITS, SIDE, STEP, SYMBOLS, TEST_COUNT, TRAIN_COUNT, code_group,
};

/// Pixels of an image.
const PIXELS: usize = SIDE * SIDE;

/// Slots of a context.
const SCALE: usize = 1 << SCALE_BITS;

/// Images `[len, 28, 28]` and labels `[len]`, the training images' first; `None`: the data are damaged.
pub(super) fn unpack(packed: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (sizes, mut rest) = packed.split_at_checked(4 * (1 + (TRAIN_COUNT + TEST_COUNT) / BLOCK))?;
    let mut pieces = sizes.as_chunks::<4>().0.iter().map(|size| {
        let (piece, behind) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        rest = behind;
        Some(piece)
    });
    let slots = slots(pieces.next()??)?;
    let blocks: Vec<&[u8]> = pieces.collect::<Option<_>>()?;

    let mut images = vec![0; (TRAIN_COUNT + TEST_COUNT) * PIXELS];
    let mut labels = vec![0; TRAIN_COUNT + TEST_COUNT];
    let parts = blocks.iter().zip(images.chunks_mut(BLOCK * PIXELS)).zip(labels.chunks_mut(BLOCK));
    let mut parts: Vec<_> = parts.map(|((block, images), labels)| (*block, images, labels)).collect();
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(parts.len());
    let each = parts.len().div_ceil(threads);
    let work = |parts: &mut [(&[u8], &mut [u8], &mut [u8])]| {
        parts.iter_mut().all(|(block, images, labels)| unpack_block(block, &slots, images, labels))
    };
    let sound = thread::scope(|scope| {
        let mut shares = parts.chunks_mut(each);
        let own = shares.next();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
        let own = own.is_none_or(work);
        others.into_iter().fold(own, |sound, other| other.join().unwrap_or(false) && sound)
    });
    sound.then_some((images, labels))
}

/// What a state's low bits mean, `[CONTEXTS, SCALE]`: the symbol, its frequency, and the slot's place among its own.
fn slots(packed: &[u8]) -> Option<Vec<Slot>> {
    let mut frequencies = Vec::with_capacity(CONTEXTS * SYMBOLS * 2);
    DeflateDecoder::new(packed).take(1 << 20).read_to_end(&mut frequencies).ok()?;
    let mut slots = vec![Slot::default(); CONTEXTS * SCALE];
    let contexts = frequencies.as_chunks::<2>().0.chunks_exact(SYMBOLS);
    if contexts.len() != CONTEXTS {
        return None;
    }
    for (slots, context) in slots.chunks_exact_mut(SCALE).zip(contexts) {
        let mut first = 0;
        for (symbol, frequency) in context.iter().enumerate() {
            let frequency = u16::from_le_bytes(*frequency);
            let own = slots.get_mut(first..first + usize::from(frequency))?;
            first += own.len();
            for (place, slot) in own.iter_mut().enumerate() {
                *slot = Slot::new(symbol as u32, frequency.into(), place as u32);
            }
        }
    }
    Some(slots)
}

/// Symbol, frequency and place in one word: 8, 12 and 12 bits.
#[derive(Clone, Copy, Default)]
struct Slot(u32);

impl Slot {
    fn new(symbol: u32, frequency: u32, place: u32) -> Self {
        Self(symbol | frequency << 8 | place << 20)
    }
}

/// The range coder, reading a block.
struct Reader<'a> {
    slots: &'a [Slot],
    states: [u32; LANES],
    words: std::slice::Iter<'a, [u8; 2]>,
}

impl Coder for Reader<'_> {
    #[inline(always)]
    fn code(&mut self, lane: usize, context: usize, _truth: u8) -> u8 {
        let state = &mut self.states[lane];
        let Slot(slot) = self.slots[context * SCALE + (*state as usize & (SCALE - 1))];
        *state = (slot >> 8 & 0xfff).wrapping_mul(*state >> SCALE_BITS).wrapping_add(slot >> 20);
        if *state < LOW {
            let next = self.words.next().map_or(0, |word| u16::from_le_bytes(*word));
            *state = *state << 16 | u32::from(next);
        }
        slot as u8
    }
}

/// Fills `images` `[len, 28, 28]`, which hold zeros, and `labels`; `false`: the data are damaged.
fn unpack_block(block: &[u8], slots: &[Slot], images: &mut [u8], labels: &mut [u8]) -> bool {
    let Some((states, words)) = block.split_first_chunk::<{ 4 * LANES }>() else { return false };
    let mut reader = Reader { slots, states: [LOW; LANES], words: words.as_chunks().0.iter() };
    for (state, bytes) in reader.states.iter_mut().zip(states.as_chunks().0) {
        *state = u32::from_le_bytes(*bytes);
    }
    for (images, labels) in images.chunks_exact_mut(LANES * PIXELS).zip(labels.as_chunks_mut::<LANES>().0) {
        let mut levels = [const { Levels::new() }; LANES];
        *labels = code_group(&mut reader, [0; LANES], [0; 4], &mut levels);
        for (image, levels) in images.chunks_exact_mut(PIXELS).zip(&mut levels) {
            for (row, pixels) in image.chunks_exact_mut(SIDE).enumerate() {
                for (pixel, level) in pixels.iter_mut().zip(levels.row(row)) {
                    *pixel = level.wrapping_mul(STEP);
                }
            }
        }
    }
    // The states that the packer began with, and nothing left over: each symbol was the one that was packed.
    reader.states == [LOW; LANES] && reader.words.len() == 0
}

#[cfg(test)]
mod tests {
    use super::super::PACKED;
    use super::*;

    #[test]
    fn damaged_data_are_noticed() {
        assert!(unpack(PACKED).is_some());
        for end in [0, 3, 40, PACKED.len() / 2, PACKED.len() - 1] {
            assert!(unpack(&PACKED[..end]).is_none(), "{end} bytes");
        }
        for at in [1, 50, PACKED.len() / 3, PACKED.len() - 2] {
            let mut damaged = PACKED.to_vec();
            damaged[at] ^= 0x11;
            assert!(unpack(&damaged).is_none(), "a wrong byte at {at}");
        }
    }
}
