//! The embedded data set's generator: handwritten-looking digits from a seed, the same bytes on every platform.

mod curve;
mod deform;
#[path = "../../src/data/digits/model.rs"]
mod model;
mod pack;
mod random;
mod raster;
mod sheet;
mod strokes;

use std::io;

pub(crate) use model::{TEST_COUNT, TRAIN_COUNT};
use random::SplitMix64;
use raster::Image;
use sheet::Sheet;

/// The seed of the committed files.
pub(crate) const SEED: u64 = 28;
/// Digits.
pub(crate) const CLASSES: usize = 10;
/// Images of each class on the sheet.
const SHEET_COLUMNS: usize = 20;

/// What there is to store.
pub(crate) struct Made {
    pub(crate) train: Split,
    pub(crate) test: Split,
    /// Both of them, as they are embedded.
    pub(crate) packed: Vec<u8>,
    /// Some of the test images.
    pub(crate) sheet: Sheet,
}

/// Images and their labels, in the order in which they were drawn.
pub(crate) struct Split {
    pub(crate) images: Vec<Image>,
    pub(crate) labels: Vec<u8>,
}

impl Split {
    /// Draws `count` images; every label is drawn anew, so the classes are only roughly equally frequent.
    fn draw(count: usize, mut random: SplitMix64) -> Self {
        let mut split = Self { images: Vec::with_capacity(count), labels: Vec::with_capacity(count) };
        for _ in 0..count {
            let digit = random.below(CLASSES);
            let traces = deform::write(digit, &mut random);
            split.images.push(raster::paint(&traces, &mut random));
            split.labels.push(digit as u8);
        }
        split
    }

    /// The first images of each class, one row a class.
    fn sheet(&self) -> Sheet {
        let rows: Vec<Vec<Image>> = (0..CLASSES)
            .map(|class| {
                let of_class = self.images.iter().zip(&self.labels).filter(|(_, label)| usize::from(**label) == class);
                of_class.take(SHEET_COLUMNS).map(|(image, _)| *image).collect()
            })
            .collect();
        Sheet::new(&rows)
    }
}

/// Makes both splits and the sheet.
///
/// # Errors
/// Only if the compressor fails, which it has no reason to do in memory.
pub(crate) fn make(seed: u64) -> io::Result<Made> {
    // A seed each for the two splits: their streams have nothing to do with each other.
    let mut seeds = SplitMix64::new(seed);
    let train = Split::draw(TRAIN_COUNT, SplitMix64::new(seeds.next_u64()));
    let test = Split::draw(TEST_COUNT, SplitMix64::new(seeds.next_u64()));
    let packed = pack::pack([&train, &test])?;
    let sheet = test.sheet();
    Ok(Made { train, test, packed, sheet })
}
