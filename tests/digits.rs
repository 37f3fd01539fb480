//! The embedded digits: they are what their program makes, and they form a sound data set.
#![allow(clippy::unwrap_used, reason = "a test's helper fails by panicking, as the test itself does")]

#[path = "../assets/make_digits/mod.rs"]
mod make_digits;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;
use gpu_train::data::Dataset;
use make_digits::{CLASSES, Made, SEED, TEST_COUNT, TRAIN_COUNT};

const PIXELS: usize = 28 * 28;

/// What the program makes of the committed seed, made once for all tests.
static MADE: LazyLock<Made> = LazyLock::new(|| make_digits::make(SEED).unwrap());

/// The data set that is embedded.
static EMBEDDED: LazyLock<Dataset> = LazyLock::new(|| Dataset::open("digits", None).unwrap());

/// The committed bytes of a file.
fn committed(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)).unwrap()
}

/// The grey values of a PNG of ours: signature (8), IHDR (12 + 13), one IDAT, IEND (12); each row begins with its
/// filter's number, 0.
fn grey(png: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let width = u32::from_be_bytes(png[16..20].try_into().unwrap()) as usize;
    assert_eq!(&png[37..41], b"IDAT");
    ZlibDecoder::new(&png[41..]).read_to_end(&mut bytes).unwrap();
    bytes
        .chunks(width + 1)
        .flat_map(|row| {
            assert_eq!(row[0], 0, "only filter 0 is written");
            row[1..].iter().copied()
        })
        .collect()
}

/// Where two byte strings first differ, and how.
fn first_difference(expected: &[u8], got: &[u8]) -> Option<String> {
    if expected.len() != got.len() {
        return Some(format!("{} bytes expected, got {}", expected.len(), got.len()));
    }
    let at = expected.iter().zip(got).position(|(a, b)| a != b)?;
    Some(format!("at byte {at}: expected {}, got {}", expected[at], got[at]))
}

/// Images as rows of 784 bytes, and labels.
fn split(which: &str) -> (&'static [u8], &'static [u8]) {
    let split = if which == "train" { EMBEDDED.train() } else { EMBEDDED.test() };
    (split.images(), split.labels())
}

/// The blocks of images of a packed file: all but the table of frequencies, which the compressor's version decides.
fn blocks(packed: &[u8]) -> Vec<&[u8]> {
    let (sizes, mut rest) = packed.split_at(4 * 8);
    let pieces = sizes.as_chunks().0.iter().map(|size| {
        let (piece, behind) = rest.split_at(u32::from_le_bytes(*size) as usize);
        rest = behind;
        piece
    });
    pieces.skip(1).collect()
}

#[test]
fn embedded_images_are_what_the_program_makes() {
    for (name, made, split) in [("train", &MADE.train, EMBEDDED.train()), ("test", &MADE.test, EMBEDDED.test())] {
        assert_eq!(first_difference(made.images.as_flattened(), split.images()), None, "{name} images");
        assert_eq!(first_difference(&made.labels, split.labels()), None, "{name} labels");
    }
}

#[test]
fn committed_files_are_what_the_program_makes() {
    const RUN: &str = "run: cargo run --example make-digits";
    let packed = committed("digits.packed");
    assert!(packed.len() <= 1_700_000, "{} bytes are too many to embed", packed.len());
    let (expected, got) = (blocks(&MADE.packed), blocks(&packed));
    assert_eq!((expected.len(), got.len()), (7, 7));
    for (block, (expected, got)) in expected.iter().zip(&got).enumerate() {
        assert_eq!(first_difference(expected, got), None, "block {block}; {RUN}");
    }
    let sheet = committed("digits-sheet.png");
    assert!(sheet.len() <= 100_000);
    assert_eq!(first_difference(&MADE.sheet.grey, &grey(&sheet)), None, "digits-sheet.png; {RUN}");
    // What the program stores today unpacks to the same, whatever its compressor's version.
    assert_eq!(first_difference(&MADE.sheet.grey, &grey(&MADE.sheet.png().unwrap())), None);
}

#[test]
fn another_seed_gives_other_bytes() {
    let other = make_digits::make(SEED + 1).unwrap();
    for (made, other) in [(&MADE.train, &other.train), (&MADE.test, &other.test)] {
        let difference = first_difference(made.images.as_flattened(), other.images.as_flattened());
        assert!(difference.is_some(), "the seed has no effect");
        assert!(first_difference(&made.labels, &other.labels).is_some(), "the seed has no effect on labels");
    }
}

#[test]
fn splits_are_balanced_and_shuffled() {
    for (prefix, count) in [("train", TRAIN_COUNT), ("test", TEST_COUNT)] {
        let (_, labels) = split(prefix);
        assert_eq!(labels.len(), count, "{prefix}");
        let mut counts = [0usize; CLASSES];
        labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        for (class, &of_class) in counts.iter().enumerate() {
            let share = of_class as f64 / count as f64;
            assert!((0.08..0.12).contains(&share), "{prefix}: class {class} has a share of {share}");
        }
        // In a shuffled list a tenth of the neighbours are of one class; in a sorted one nearly all.
        let equal = labels.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / count as f64;
        assert!((0.07..0.13).contains(&equal), "{prefix}: {equal} of neighbours are equal");
    }
}

#[test]
fn images_have_the_form_of_mnist() {
    for (prefix, count) in [("train", TRAIN_COUNT), ("test", TEST_COUNT)] {
        let (images, _) = split(prefix);
        assert_eq!(images.len(), count * PIXELS, "{prefix}");
        let zeros = images.iter().filter(|&&pixel| pixel == 0).count() as f64 / images.len() as f64;
        assert!((0.78..0.83).contains(&zeros), "{prefix}: a share of {zeros} is 0");
        for (index, image) in images.chunks(PIXELS).enumerate() {
            assert!(image.iter().any(|&pixel| pixel > 128), "{prefix}: image {index} is too faint");
            let mass: f64 = image.iter().map(|&pixel| f64::from(pixel)).sum();
            for axis in 0..2 {
                let position = |at: usize| if axis == 0 { at / 28 } else { at % 28 };
                let moment: f64 = image.iter().enumerate().map(|(at, &ink)| f64::from(ink) * position(at) as f64).sum();
                let offset = moment / mass - 13.5;
                // 1.9 of drift, and what overlaps and stray marks add.
                assert!(offset.abs() < 4.0, "{prefix}: image {index} is {offset} pixels off centre on axis {axis}");
            }
        }
    }
}

#[test]
fn no_test_image_is_a_training_image() {
    let (train, _) = split("train");
    let (test, _) = split("test");
    let known: std::collections::HashSet<&[u8]> = train.chunks(PIXELS).collect();
    assert_eq!(known.len(), TRAIN_COUNT, "training images repeat");
    assert_eq!(test.chunks(PIXELS).filter(|image| known.contains(image)).count(), 0);
}

/// Test accuracy of the nearest class mean, for given training labels.
fn nearest_mean_accuracy(train: &[u8], train_labels: &[u8], test: &[u8], test_labels: &[u8]) -> f64 {
    let mut means = vec![[0.0f64; PIXELS]; CLASSES];
    for (class, mean) in means.iter_mut().enumerate() {
        let of_class = || train.chunks(PIXELS).zip(train_labels).filter(|(_, label)| usize::from(**label) == class);
        let count = of_class().count() as f64;
        for (image, _) in of_class() {
            mean.iter_mut().zip(image).for_each(|(sum, &pixel)| *sum += f64::from(pixel) / count);
        }
    }
    let distance = |image: &[u8], mean: &[f64; PIXELS]| -> f64 {
        image.iter().zip(mean).map(|(&pixel, mean)| (f64::from(pixel) - mean) * (f64::from(pixel) - mean)).sum()
    };
    let right = test.chunks(PIXELS).zip(test_labels).filter(|(image, label)| {
        let nearest = (0..CLASSES).min_by(|&a, &b| distance(image, &means[a]).total_cmp(&distance(image, &means[b])));
        nearest == Some(usize::from(**label))
    });
    right.count() as f64 / test_labels.len() as f64
}

#[test]
fn classes_can_be_learned_but_not_by_their_means() {
    let (train, train_labels) = split("train");
    let (test, test_labels) = split("test");
    // Far above chance and far below what a network reaches (0.94).
    let accuracy = nearest_mean_accuracy(train, train_labels, test, test_labels);
    assert!((0.6..0.85).contains(&accuracy), "accuracy {accuracy}");

    // Labels that belong to other images teach nothing.
    let mut rotated = train_labels.to_vec();
    rotated.rotate_left(1);
    let chance = nearest_mean_accuracy(train, &rotated, test, test_labels);
    assert!(chance < 0.25, "accuracy {chance} with wrong labels");
}
