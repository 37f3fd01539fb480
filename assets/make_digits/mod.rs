//! The embedded data set's generator: handwritten-looking digits from a seed, the same bytes on every platform.

mod curve;
mod deform;
mod files;
mod random;
mod raster;
mod strokes;

use std::io;

use files::Sheet;
use random::SplitMix64;
use raster::Image;

/// The seed of the committed files.
pub(crate) const SEED: u64 = 28;
/// Images to train on.
pub(crate) const TRAIN_COUNT: usize = 15_000;
/// Images to test on.
pub(crate) const TEST_COUNT: usize = 2_500;
/// Digits.
pub(crate) const CLASSES: usize = 10;
/// Images of each class on the sheet.
const SHEET_COLUMNS: usize = 20;

/// One file of the data set: its name within the output folder, what it holds, and how it is stored.
pub(crate) struct File {
    /// Path below the output folder, with `/`.
    pub(crate) name: &'static str,
    /// The bytes before compression; these, not the stored ones, are the same for every version of the compressor.
    pub(crate) contents: Vec<u8>,
    /// The bytes on disk.
    pub(crate) stored: Vec<u8>,
}

/// Images and their labels, in the order in which they were drawn.
struct Split {
    images: Vec<Image>,
    labels: Vec<u8>,
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

/// Makes the four IDX files and the sheet of the test images.
///
/// # Errors
/// Only if the compressor fails, which it has no reason to do in memory.
pub(crate) fn make(seed: u64) -> io::Result<[File; 5]> {
    // A seed each for the two splits: their streams have nothing to do with each other.
    let mut seeds = SplitMix64::new(seed);
    let train = Split::draw(TRAIN_COUNT, SplitMix64::new(seeds.next_u64()));
    let test = Split::draw(TEST_COUNT, SplitMix64::new(seeds.next_u64()));
    let sheet = test.sheet();
    let zipped = |name, contents: Vec<u8>| files::gzip(&contents).map(|stored| File { name, contents, stored });
    Ok([
        zipped("digits/train-images-idx3-ubyte.gz", files::idx_images(&train.images))?,
        zipped("digits/train-labels-idx1-ubyte.gz", files::idx_labels(&train.labels))?,
        zipped("digits/t10k-images-idx3-ubyte.gz", files::idx_images(&test.images))?,
        zipped("digits/t10k-labels-idx1-ubyte.gz", files::idx_labels(&test.labels))?,
        File { name: "digits-sheet.png", stored: sheet.png()?, contents: sheet.grey },
    ])
}
