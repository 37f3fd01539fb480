//! `gpu-train predict`: pictures of any size and polarity, samples of a data set, and what is no digit.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/brush.rs"]
mod brush;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use brush::Canvas;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).env_remove("GPU_TRAIN_DATA_DIR").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The data to train on: MNIST where it is, else the embedded digits, and that is said.
fn data() -> Vec<String> {
    let folder = std::env::var_os("GPU_TRAIN_DATA_DIR").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    if folder.join("mnist").is_dir() {
        return vec!["--dataset".into(), "mnist".into(), "--data-dir".into(), folder.to_str().unwrap().into()];
    }
    eprintln!("MNIST is not in {}: the network was trained on the embedded digits instead", folder.display());
    vec!["--dataset".into(), "digits".into()]
}

/// A trained network in a folder.
fn trained(folder: &Path) -> String {
    let model = folder.join("model.safetensors").to_str().unwrap().to_string();
    let data = data();
    let mut arguments: Vec<&str> = data.iter().map(String::as_str).collect();
    arguments.extend(["--device", "cpu", "--gradient", "backprop", "--steps", "3000", "--lr", "0.5"]);
    arguments.extend(["--init", "xavier", "--json", "--save", &model]);
    assert!(json(&arguments)["test_accuracy"].as_f64().unwrap() > 0.9);
    model
}

/// A small one that knows the embedded digits a little, for what needs no more.
fn taught(folder: &Path) -> String {
    let model = folder.join("taught.safetensors").to_str().unwrap().to_string();
    let how = ["--device", "cpu", "--steps", "400", "--gradient", "backprop", "--lr", "0.5", "--init", "xavier"];
    json(&[how.as_slice(), &["--json", "--save", &model]].concat());
    model
}

fn save(image: &DynamicImage, path: &Path) -> String {
    image.save(path).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn digits_drawn_with_round_brushes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained(folder.path());
    let drawings = folder.path().join("drawings");
    fs::create_dir(&drawings).unwrap();
    for digit in 0..10 {
        let ending = if digit % 3 == 0 { "jpg" } else { "png" };
        brush::drawing(digit).save(drawings.join(format!("{digit}.{ending}"))).unwrap();
    }
    fs::write(drawings.join("notes.txt"), "no picture").unwrap();
    let found = json(&["predict", &model, drawings.to_str().unwrap(), "--device", "cpu", "--json"]);
    let predictions = found["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 10);
    let mut right = 0;
    for (digit, prediction) in predictions.iter().enumerate() {
        let source = Path::new(prediction["source"].as_str().unwrap());
        assert_eq!(source.file_stem().unwrap().to_str().unwrap(), digit.to_string(), "sorted by name");
        assert!(prediction["unlike_digit"].is_null(), "{prediction}");
        let probabilities: Vec<f64> = serde_json::from_value(prediction["probabilities"].clone()).unwrap();
        assert_eq!(probabilities.len(), 10);
        // Ten float32 numbers, each rounded.
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{prediction}");
        let class = prediction["class"].as_u64().unwrap() as usize;
        assert!(probabilities.iter().all(|&p| p <= probabilities[class]), "{prediction}");
        right += usize::from(class == digit);
    }
    let classes: Vec<_> = predictions.iter().map(|prediction| prediction["class"].clone()).collect();
    eprintln!("{right} of 10 drawn digits were read: {classes:?}");
    assert!(right >= 8, "{right} of 10 right: {classes:?}");
    // The control: rotated by a quarter, most are something else.
    for digit in 0..10 {
        let ending = if digit % 3 == 0 { "jpg" } else { "png" };
        brush::drawing(digit).rotate90().save(drawings.join(format!("{digit}.{ending}"))).unwrap();
    }
    let turned = json(&["predict", &model, drawings.to_str().unwrap(), "--device", "cpu", "--json"]);
    let turned = turned["predictions"].as_array().unwrap().clone();
    let still = (0..10).filter(|&digit| turned[digit]["class"] == digit).count();
    assert!(still <= 6, "{still} of 10 were read lying on their side");
}

#[test]
fn polarity_colour_alpha_and_size_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let at = |name: &str| folder.path().join(name);
    let canvas = |scale: f32| {
        let mut canvas = Canvas::new((200.0 * scale) as u32, (200.0 * scale) as u32);
        canvas.digit(5, (50.0 * scale, 40.0 * scale), 110.0 * scale, 9.0 * scale);
        canvas
    };
    let (small, large) = (canvas(1.0), canvas(7.0));
    let transparent = DynamicImage::ImageRgba8(small.over_nothing([200, 30, 30]));
    let white = DynamicImage::ImageRgba8(small.over_nothing([255, 255, 255]));
    let paths = [
        save(&small.over(255, 0), &at("a.png")),
        save(&small.over(0, 255), &at("b.png")),
        save(&small.over(235, 60), &at("c.png")),
        save(&large.over(255, 0), &at("d.png")),
        save(&transparent, &at("e.png")),
        save(&white, &at("f.png")),
        save(&small.over(255, 0), &at("g.jpg")),
        save(&DynamicImage::ImageLuma16(small.over(255, 0).into_luma16()), &at("h.png")),
    ];
    // A wrong ending is no obstacle.
    fs::copy(at("a.png"), at("i.jpeg")).unwrap();
    let mut arguments = vec!["predict", &model, "--device", "cpu", "--json"];
    arguments.extend(paths.iter().map(String::as_str));
    let last = at("i.jpeg").to_str().unwrap().to_string();
    arguments.push(&last);
    let found = json(&arguments);
    let outputs: Vec<Vec<f64>> = (0..9)
        .map(|index| serde_json::from_value(found["predictions"][index]["probabilities"].clone()).unwrap())
        .collect();
    for (index, other) in outputs.iter().enumerate() {
        assert!(found["predictions"][index]["unlike_digit"].is_null(), "{}", found["predictions"][index]);
        for (a, b) in outputs[0].iter().zip(other) {
            // Pixels differ by a few units at the strokes' edges, which moves no probability far.
            assert!((a - b).abs() < 0.05, "picture {index}: {a} and {b}");
        }
    }
    // The control: another digit gives other numbers.
    let mut other = Canvas::new(200, 200);
    other.digit(1, (50.0, 40.0), 110.0, 9.0);
    let other = json(&["predict", &model, &save(&other.over(255, 0), &at("z.png")), "--device", "cpu", "--json"]);
    let other: Vec<f64> = serde_json::from_value(other["predictions"][0]["probabilities"].clone()).unwrap();
    assert!(outputs[0].iter().zip(&other).any(|(a, b)| (a - b).abs() > 0.05), "{other:?}");
}

#[test]
fn what_is_no_digit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let at = |name: &str| folder.path().join(name);
    let blank = |grey: u8| DynamicImage::ImageLuma8(GrayImage::from_pixel(120, 90, Luma([grey])));
    let clear = DynamicImage::new_rgba8(50, 60);
    let paper =
        DynamicImage::ImageLuma8(GrayImage::from_fn(200, 150, |x, y| Luma([240 + ((x * 7 + y * 13) % 9) as u8])));
    let pictures = [
        ("white.png", blank(255)),
        ("black.png", blank(0)),
        ("clear.png", clear),
        ("paper.png", paper),
        ("dot.png", DynamicImage::ImageLuma8(GrayImage::from_pixel(1, 1, Luma([9])))),
        ("landscape.jpg", brush::landscape()),
        ("face.jpg", brush::portrait()),
        (
            "checks.png",
            DynamicImage::ImageLuma8(GrayImage::from_fn(160, 160, |x, y| {
                Luma([if (x / 20 + y / 20) % 2 == 0 { 255 } else { 0 }])
            })),
        ),
        (
            "full.png",
            DynamicImage::ImageLuma8(GrayImage::from_fn(100, 100, |x, y| {
                Luma([if (10..90).contains(&x) && (10..90).contains(&y) { 0 } else { 255 }])
            })),
        ),
    ];
    for (name, picture) in &pictures {
        let path = save(picture, &at(name));
        let found = json(&["predict", &model, &path, "--device", "cpu", "--json"]);
        assert!(found["predictions"][0]["unlike_digit"].is_string(), "{name}: {found}");
        let told = run(&["predict", &model, &path, "--device", "cpu", "--quiet"]);
        assert!(text(&told.stdout).contains("unlike a digit: "), "{name}: {}", text(&told.stdout));
    }
    let blank = json(&["predict", &model, at("white.png").to_str().unwrap(), "--device", "cpu", "--json"]);
    assert!(blank["predictions"][0]["unlike_digit"].as_str().unwrap().starts_with("blank"), "{blank}");
}

#[test]
fn real_digits_are_like_digits() {
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let data = data();
    let (name, data_dir) = (&data[1], data.get(3).map(Path::new));
    let set = gpu_train::data::Dataset::open(name, data_dir).unwrap();
    let (count, images) = (400, folder.path().join("images"));
    fs::create_dir(&images).unwrap();
    for index in 0..count {
        let image = GrayImage::from_raw(28, 28, set.test().image(index).to_vec()).unwrap();
        image.save(images.join(format!("{index:04}.png"))).unwrap();
    }
    let found = json(&["predict", &model, images.to_str().unwrap(), "--device", "cpu", "--json"]);
    let unlike: Vec<_> =
        found["predictions"].as_array().unwrap().iter().filter(|one| !one["unlike_digit"].is_null()).collect();
    assert!(unlike.len() * 100 <= count, "{} of {count}: {unlike:?}", unlike.len());
}

#[test]
fn samples_of_a_data_set_are_predicted_as_they_are_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model").to_str().unwrap().to_string();
    json(&["--device", "cpu", "--steps", "1500", "--gradient", "backprop", "--lr", "0.5", "--json", "--save", &model]);
    let evaluated = json(&["evaluate", &model, "--device", "cpu", "--json"]);
    let found = json(&["predict", &model, "--index", "0..2500", "--device", "cpu", "--json"]);
    let predictions = found["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 2_500);
    assert_eq!(predictions[7]["source"], "digits test 7");
    let right = predictions.iter().filter(|one| one["class"] == one["label"]).count();
    assert_eq!(right as f64 / 2_500.0, evaluated["accuracy"].as_f64().unwrap());
    let train = json(&["predict", &model, "--index", "3,1", "--split", "train", "--device", "cpu", "--json"]);
    assert_eq!(train["predictions"][0]["source"], "digits train 3");
    assert_ne!(train["predictions"][1]["probabilities"], predictions[1]["probabilities"]);
}

#[test]
fn people_see_bars_and_what_the_network_sees() {
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let found = run(&["predict", &model, "--index", "0", "--show", "--device", "cpu"]);
    let shown = text(&found.stdout);
    let rows: Vec<&str> = shown.lines().collect();
    assert!(rows[0].starts_with("digits test 0: ") && rows.len() == 1 + 28 + 10, "{shown}");
    assert!(rows[1..29].iter().any(|row| row.contains("██")), "{shown}");
    assert!(rows[29..].iter().all(|row| row.contains('%')), "{shown}");
    assert!(rows[29..].iter().any(|row| row.contains('█')), "{shown}");
    let plain = run(&["predict", &model, "--index", "0", "--device", "cpu"]);
    assert_eq!(text(&plain.stdout).lines().count(), 11);
    // With JSON the pictures do not get into the document.
    json(&["predict", &model, "--index", "0", "--show", "--device", "cpu", "--json"]);
}

#[test]
fn a_photograph_lying_on_its_side_is_turned() {
    // An upright digit whose file says that it is to be turned (EXIF orientation 6) is seen turned by a quarter.
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let mut canvas = Canvas::new(160, 160);
    canvas.digit(7, (40.0, 30.0), 90.0, 8.0);
    let upright = canvas.over(255, 0);
    let mut jpeg = std::io::Cursor::new(Vec::new());
    upright.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let exif: &[u8] = &[
        0xff, 0xe1, 0, 34, b'E', b'x', b'i', b'f', 0, 0, b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0,
        0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
    ];
    let tagged = folder.path().join("tagged.jpg");
    fs::write(&tagged, [&jpeg[..2], exif, &jpeg[2..]].concat()).unwrap();
    let plain = folder.path().join("plain.jpg");
    fs::write(&plain, &jpeg).unwrap();
    let seen = |path: &str| {
        let output = run(&["predict", &model, path, "--show", "--device", "cpu", "--quiet"]);
        text(&output.stdout).lines().skip(1).take(28).map(String::from).collect::<Vec<_>>()
    };
    let turned = seen(&save(&upright.rotate90(), &folder.path().join("turned.png")));
    let differing = |a: &[String], b: &[String]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    let tagged = seen(tagged.to_str().unwrap());
    // Shades at the edges of a JPEG may fall on the other side of a threshold.
    assert!(differing(&tagged, &turned) <= 14, "{}\n{}", tagged.join("\n"), turned.join("\n"));
    assert!(differing(&seen(plain.to_str().unwrap()), &turned) > 14);
}

#[test]
fn wrong_calls_end_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::write(at("text.png"), "this is no picture").unwrap();
    fs::write(at("gif.png"), b"GIF89a\x01\0\x01\0\0\0\0;").unwrap();
    fs::write(at("empty.png"), "").unwrap();
    fs::create_dir(at("nothing")).unwrap();
    let whole = save(&brush::drawing(3), &folder.path().join("whole.png"));
    let bytes = fs::read(&whole).unwrap();
    fs::write(at("cut.png"), &bytes[..bytes.len() / 2]).unwrap();
    // A header that promises four thousand million pixels.
    let mut bomb = bytes.clone();
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    fs::write(at("bomb.png"), bomb).unwrap();
    let small = at("small.safetensors");
    let idx = folder.path().join("set");
    fs::create_dir(&idx).unwrap();
    let (images, labels) = (vec![7u8; 4 * 9], vec![0u8, 1, 0, 1]);
    for split in ["train", "t10k"] {
        let images = gpu_train::data::idx::encode_images(&images, 3, 3).unwrap();
        fs::write(idx.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        let labels = gpu_train::data::idx::encode_labels(&labels).unwrap();
        fs::write(idx.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    let set = idx.to_str().unwrap();
    json(&["--device", "cpu", "--steps", "1", "--hidden", "2", "--dataset", set, "--json", "--save", &small]);
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &[&model], "required"),
        (2, &[&model, "--index", "x"], "no index"),
        (2, &[&model, "--index", "0", "--split", "both"], "both"),
        (1, &[&model, &at("none.png")], "none.png"),
        (1, &[&model, &at("text.png")], "neither PNG nor JPEG"),
        (1, &[&model, &at("empty.png")], "neither PNG nor JPEG"),
        (1, &[&model, &at("gif.png")], "gif.png"),
        (1, &[&model, &at("cut.png")], "cut.png"),
        (1, &[&model, &at("bomb.png")], "bomb.png"),
        (1, &[&model, &whole, &at("cut.png")], "cut.png"),
        (1, &[&model, &at("nothing")], "no picture"),
        (1, &[&at("none.safetensors"), &whole], "none.safetensors"),
        (1, &[&whole, &whole], "whole.png"),
        (2, &[&model, "--index", "2500"], "no sample 2500"),
        (1, &[&model, "--index", "0", "--dataset", set], "3 x 3"),
        (1, &[&small, &whole], "9 inputs"),
    ];
    for (code, arguments, expected) in cases {
        let output = run(&[&["predict"], *arguments, &["--device", "cpu"]].concat());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error:")).count(), 1, "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
    // And what is no wrong call: a small set's samples with the network made for it.
    let found = json(&["predict", &small, "--index", "1", "--dataset", set, "--device", "cpu", "--json"]);
    assert_eq!(found["predictions"][0]["probabilities"].as_array().unwrap().len(), 2);
}

#[test]
fn a_colour_photograph_of_a_digit_on_paper_is_read_as_one() {
    // Uneven light over yellowish paper, a blue pen: what a telephone sees.
    let folder = tempfile::tempdir().unwrap();
    let model = taught(folder.path());
    let mut canvas = Canvas::new(300, 300);
    canvas.digit(2, (90.0, 70.0), 150.0, 9.0);
    let ink = canvas.over(0, 255).into_luma8();
    let lit = RgbImage::from_fn(300, 300, |x, y| {
        let light = 1.0 - 0.08 * x as f32 / 300.0 - 0.04 * y as f32 / 300.0;
        let ink = f32::from(ink.get_pixel(x, y)[0]) / 255.0;
        let mix = |paper: f32, pen: f32| (light * (paper * (1.0 - ink) + pen * ink)) as u8;
        Rgb([mix(245.0, 30.0), mix(238.0, 40.0), mix(210.0, 140.0)])
    });
    let path = save(&DynamicImage::ImageRgb8(lit), &folder.path().join("paper.jpg"));
    let clean = save(&canvas.over(255, 0), &folder.path().join("clean.png"));
    let found = json(&["predict", &model, &path, &clean, "--device", "cpu", "--json"]);
    assert!(found["predictions"][0]["unlike_digit"].is_null(), "{found}");
    let outputs = |index: usize| {
        serde_json::from_value::<Vec<f64>>(found["predictions"][index]["probabilities"].clone()).unwrap()
    };
    // The paper's shade is cut off, and the strokes become a little thinner with it.
    assert!(outputs(0).iter().zip(outputs(1)).all(|(a, b)| (a - b).abs() < 0.1), "{found}");
}
