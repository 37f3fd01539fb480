//! Packs the images into the one file that is embedded. `src/data/digits/model.rs` says what is coded, and how.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::Split;
use super::model::{BLOCK, CONTEXTS, Coder, LANES, LOW, Levels, SCALE_BITS, SIDE, STEP, SYMBOLS, code_group};
use super::raster::Image;

/// A lane, a context, and the symbol in it.
type Symbol = (usize, usize, u8);

/// Takes down the symbols with their contexts.
#[derive(Default)]
struct Record(Vec<Symbol>);

impl Coder for Record {
    fn code(&mut self, lane: usize, context: usize, truth: u8) -> u8 {
        self.0.push((lane, context, truth));
        truth
    }
}

/// The packed file: the size of each of its pieces, then the pieces. These are the table of frequencies, deflated, and
/// the blocks of images.
pub(super) fn pack(splits: [&Split; 2]) -> io::Result<Vec<u8>> {
    let images = splits.iter().flat_map(|split| split.images.iter().zip(&split.labels));
    let images: Vec<(&Image, u8)> = images.map(|(image, label)| (image, *label)).collect();
    let blocks: Vec<Record> = images
        .chunks(BLOCK)
        .map(|block| {
            let mut record = Record::default();
            block.as_chunks().0.iter().for_each(|group| take_down(&mut record, group));
            record
        })
        .collect();

    let mut frequencies = vec![[0u32; SYMBOLS]; CONTEXTS];
    for &(_, context, symbol) in blocks.iter().flat_map(|block| &block.0) {
        frequencies[context][usize::from(symbol)] += 1;
    }
    frequencies.iter_mut().for_each(scale);

    let mut table = DeflateEncoder::new(Vec::new(), Compression::best());
    for frequency in frequencies.iter().flatten() {
        table.write_all(&(*frequency as u16).to_le_bytes())?;
    }
    let mut pieces = vec![table.finish()?];
    pieces.extend(blocks.iter().map(|block| encode(&block.0, &frequencies)));
    let sizes = pieces.iter().flat_map(|piece| (piece.len() as u32).to_le_bytes());
    Ok(sizes.chain(pieces.iter().flatten().copied()).collect())
}

fn take_down(record: &mut Record, group: &[(&Image, u8); LANES]) {
    let mut levels = [const { Levels::new() }; LANES];
    let row = |row: &usize| group.iter().any(|(image, _)| image[row * SIDE..][..SIDE].iter().any(|&pixel| pixel > 0));
    let column =
        |column: &usize| group.iter().any(|(image, _)| image[*column..].iter().step_by(SIDE).any(|&pixel| pixel > 0));
    let edges = [(0..SIDE).find(row), (0..SIDE).rfind(row), (0..SIDE).find(column), (0..SIDE).rfind(column)];
    for (levels, (image, _)) in levels.iter_mut().zip(group) {
        for (row, pixels) in image.chunks(SIDE).enumerate() {
            for (level, pixel) in levels.row(row).iter_mut().zip(pixels) {
                *level = pixel / STEP;
            }
        }
    }
    code_group(record, group.map(|(_, label)| label), edges.map(|edge| edge.unwrap_or_default() as u8), &mut levels);
}

/// Makes counts frequencies that add up to the scale, none of them 0 that was not.
fn scale(counts: &mut [u32; SYMBOLS]) {
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    if total == 0 {
        return;
    }
    for count in counts.iter_mut().filter(|count| **count > 0) {
        *count = ((u64::from(*count) << SCALE_BITS) / total).max(1) as u32;
    }
    // Roundings are the most frequent symbols' gain or loss, where they matter least.
    loop {
        let sum: u32 = counts.iter().sum();
        let Some(most) = counts.iter_mut().max() else { return };
        match sum.cmp(&(1 << SCALE_BITS)) {
            std::cmp::Ordering::Less => *most += 1,
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Greater => *most -= 1,
        }
    }
}

/// The range coder, which runs from the last symbol to the first.
fn encode(symbols: &[Symbol], frequencies: &[[u32; SYMBOLS]]) -> Vec<u8> {
    let mut states = [u64::from(LOW); LANES];
    let mut words = Vec::new();
    for &(lane, context, symbol) in symbols.iter().rev() {
        let (below, own) = frequencies[context].split_at(symbol.into());
        let (below, own): (u32, u64) = (below.iter().sum(), own[0].into());
        let state = &mut states[lane];
        if *state >= ((own * u64::from(LOW)) >> SCALE_BITS) << 16 {
            words.push(*state as u16);
            *state >>= 16;
        }
        *state = ((*state / own) << SCALE_BITS) + *state % own + u64::from(below);
    }
    let mut bytes: Vec<u8> = states.iter().flat_map(|&state| (state as u32).to_le_bytes()).collect();
    bytes.extend(words.iter().rev().flat_map(|word| word.to_le_bytes()));
    bytes
}
