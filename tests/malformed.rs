//! Damaged files in the hands of the binary: each gives exit code 1, one `error:` line that names the file, and leaves
//! nothing behind. What is wrong with them in detail, the tests of the readers say.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use safetensors::tensor::{Dtype, TensorView, serialize};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

/// Demands that a call with a damaged file fails as it should, and that it leaves the folder as it was.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], file: &str, expected: &str) {
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    let mut lines = stderr.lines();
    let error = lines.next().unwrap_or_default();
    assert!(error.starts_with("error: ") && error.contains(file) && error.contains(expected), "{expected}: {stderr}");
    assert!(lines.all(|line| line.starts_with("hint: ")), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(names(), before, "{arguments:?} left something behind");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx(words: &[u32], rest: &[u8]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).chain(rest.iter().copied()).collect()
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// Four files of 4 and 2 images of 2 x 3 pixels in 2 classes.
fn sound_set(folder: &Path) {
    fs::write(folder.join(TRAIN_IMAGES), idx(&[0x0803, 4, 2, 3], &[7; 24])).unwrap();
    fs::write(folder.join(TRAIN_LABELS), idx(&[0x0801, 4], &[0, 1, 0, 1])).unwrap();
    fs::write(folder.join(TEST_IMAGES), idx(&[0x0803, 2, 2, 3], &[9; 12])).unwrap();
    fs::write(folder.join(TEST_LABELS), idx(&[0x0801, 2], &[1, 0])).unwrap();
}

const TRAIN: [&str; 9] = ["--device", "cpu", "--steps", "2", "--dataset", ".", "--quiet", "--save", "model"];

#[test]
fn damaged_data_sets() {
    let images = idx(&[0x0803, 4, 2, 3], &[7; 24]);
    let zipped = gzip(&images);
    let mut wrong_sum = zipped.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (TRAIN_IMAGES, vec![], "an empty file"),
        (TRAIN_IMAGES, images[..9].to_vec(), "the end of the file"),
        (TRAIN_IMAGES, images[..30].to_vec(), "truncated"),
        (TRAIN_IMAGES, [images.as_slice(), &[0]].concat(), "more bytes"),
        (TRAIN_IMAGES, zipped[..5].to_vec(), "the end of the file"),
        (TRAIN_IMAGES, zipped[..zipped.len() - 9].to_vec(), "the end of the file"),
        (TRAIN_IMAGES, wrong_sum, "CRC-32"),
        (TRAIN_IMAGES, [zipped.as_slice(), &[0]].concat(), "after the gzip trailer"),
        (TRAIN_IMAGES, gzip(&images[..30]), "the end of the data"),
        (TRAIN_IMAGES, idx(&[0x0801, 4], &[0, 1, 0, 1]), "0x00000801 (labels)"),
        (TRAIN_IMAGES, b"\x89PNG\r\n\x1a\n----------------".to_vec(), "0x89504e47"),
        (TRAIN_IMAGES, idx(&[0x0803, 0, 2, 3], &[]), "0 images"),
        (TRAIN_IMAGES, idx(&[0x0803, 4, 0, 3], &[]), "0 rows"),
        (TRAIN_IMAGES, idx(&[0x0803, u32::MAX, u32::MAX, u32::MAX], &[0; 24]), "4294967295"),
        (TRAIN_IMAGES, gzip(&idx(&[0x0803, u32::MAX, 28, 28], &[0; 24])), "3367254359280 bytes"),
        (TRAIN_LABELS, idx(&[0x0801, 4], &[0, 1, 0]), "truncated"),
        (TRAIN_LABELS, idx(&[0x0803, 4, 2, 3], &[7; 24]), "0x00000803 (images)"),
        (TEST_LABELS, idx(&[0x0801, 2], &[1, 0, 0]), "more bytes"),
        (TEST_IMAGES, idx(&[0x0803, 2, 2, 3], &[9; 11]), "truncated"),
    ];
    for (file, bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        sound_set(folder.path());
        fs::write(folder.path().join(file), bytes).unwrap();
        refused(folder.path(), &TRAIN, file, expected);
    }
}

#[test]
fn files_that_do_not_make_a_set() {
    let cases: [(&str, Vec<u8>, &str); 5] = [
        (TRAIN_LABELS, idx(&[0x0801, 3], &[0, 1, 0]), "4 training images but 3 training labels"),
        (TRAIN_LABELS, idx(&[0x0801, 4], &[0, 1, 0, 255]), "the label 2-254"),
        (TEST_LABELS, idx(&[0x0801, 2], &[1, 2]), "a test label is 2"),
        (TEST_LABELS, idx(&[0x0801, 1], &[1]), "2 test images but 1 test labels"),
        (TEST_IMAGES, idx(&[0x0803, 2, 3, 2], &[9; 12]), "2 x 3"),
    ];
    for (file, bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        sound_set(folder.path());
        fs::write(folder.path().join(file), bytes).unwrap();
        refused(folder.path(), &TRAIN, "data set .", expected);
    }
    let folder = tempfile::tempdir().unwrap();
    sound_set(folder.path());
    fs::remove_file(folder.path().join(TEST_LABELS)).unwrap();
    refused(folder.path(), &TRAIN, TEST_LABELS, "is not there");
    fs::create_dir(folder.path().join(TEST_LABELS)).unwrap();
    refused(folder.path(), &TRAIN, TEST_LABELS, "it is a folder");
}

/// A model of 6 inputs and 2 outputs, with one thing changed.
fn model(weight: &[usize], bias: &str, extra: bool, dtype: Dtype) -> Vec<u8> {
    let zeros = [0; 64];
    let view = |dtype: Dtype, shape: &[usize]| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        TensorView::new(dtype, shape.to_vec(), &zeros[..bytes]).unwrap()
    };
    let mut tensors = vec![("layers.0.weight", view(dtype, weight)), (bias, view(Dtype::F32, &[2]))];
    if extra {
        tensors.push(("layers.0.scale", view(Dtype::F32, &[2])));
    }
    serialize(tensors, None).unwrap()
}

#[test]
fn damaged_models() {
    let sound = model(&[2, 6], "layers.0.bias", false, Dtype::F32);
    let mut not_a_number = sound.clone();
    let end = not_a_number.len();
    not_a_number[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "too few"),
        (b"{}".to_vec(), "too few"),
        (b"a text that is longer than a header".to_vec(), "not a safetensors file"),
        ([&(1u64 << 60).to_le_bytes()[..], b"{}"].concat(), "1152921504606846976"),
        ([&2u64.to_le_bytes()[..], b"{}"].concat(), "layers.0.weight is missing"),
        (sound[..sound.len() - 1].to_vec(), "bytes where its header says"),
        ([sound.as_slice(), b"."].concat(), "bytes where its header says"),
        (not_a_number, "NaN"),
        (model(&[12], "layers.0.bias", false, Dtype::F32), "layers.0.weight has the shape [12]"),
        (model(&[3, 4], "layers.0.bias", false, Dtype::F32), "layers.0.bias has the shape [2]"),
        (model(&[2, 6], "layers.1.bias", false, Dtype::F32), "layers."),
        (model(&[2, 6], "layers.0.bias", true, Dtype::F32), "layers.0.scale"),
        (model(&[2, 6], "layers.0.bias", false, Dtype::I32), "layers.0.weight is I32"),
        (model(&[2, 6], "layers.0.bias", false, Dtype::F16), "layers.0.weight is F16"),
    ];
    for (bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        sound_set(folder.path());
        fs::write(folder.path().join("bad.safetensors"), bytes).unwrap();
        let common = ["--device", "cpu", "--dataset", "."];
        let evaluate = [["evaluate", "bad.safetensors"].as_slice(), &common].concat();
        refused(folder.path(), &evaluate, "bad.safetensors", expected);
        let train = [TRAIN.as_slice(), &["--start-from", "bad.safetensors"]].concat();
        refused(folder.path(), &train, "bad.safetensors", expected);
    }
}

/// What the damaged files are made from works.
#[test]
fn the_sound_files_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    sound_set(folder.path());
    fs::write(folder.path().join("good.safetensors"), model(&[2, 6], "layers.0.bias", false, Dtype::F32)).unwrap();
    for arguments in [
        TRAIN.as_slice(),
        &["evaluate", "good.safetensors", "--device", "cpu", "--dataset", "."],
        &["data", "info", "--dataset", "."],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(folder.path().join("model").is_file());
}
