//! Makes the embedded data set: `cargo run --release --example make-digits -- [FOLDER]` writes four gzipped IDX
//! files to `FOLDER` (`assets/digits`) and a sheet of samples beside it.

#[path = "make_digits/mod.rs"]
mod make_digits;

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::{Compression, GzBuilder};
use gpu_train::data::idx;
use make_digits::SIDE;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("assets/digits"), PathBuf::from);
    match write_all(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the digits to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (name, count, seed) in [("train", 10_000, 1), ("t10k", 2_000, 2)] {
        let digits = make_digits::draw(count, seed);
        gzip(&folder.join(format!("{name}-images-idx3-ubyte.gz")), &idx::encode_images(&digits.images, SIDE, SIDE)?)?;
        gzip(&folder.join(format!("{name}-labels-idx1-ubyte.gz")), &idx::encode_labels(&digits.labels)?)?;
        if name == "t10k" {
            sheet(&folder.with_file_name("digits-sheet.png"), &digits)?;
        }
    }
    Ok(())
}

fn gzip(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut encoder = GzBuilder::new().mtime(0).write(File::create(path)?, Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()?;
    Ok(())
}

/// Ten rows, one a class, of twenty samples.
fn sheet(path: &Path, digits: &make_digits::Digits) -> Result<(), Box<dyn Error>> {
    const COLUMNS: usize = 20;
    let mut pixels = vec![0; 10 * SIDE * COLUMNS * SIDE];
    for class in 0..10u8 {
        let of_class = digits.labels.iter().enumerate().filter(|(_, label)| **label == class).take(COLUMNS);
        for (column, (index, _)) in of_class.enumerate() {
            for y in 0..SIDE {
                let to = (usize::from(class) * SIDE + y) * COLUMNS * SIDE + column * SIDE;
                let from = index * SIDE * SIDE + y * SIDE;
                pixels[to..to + SIDE].copy_from_slice(&digits.images[from..from + SIDE]);
            }
        }
    }
    let mut encoder = png::Encoder::new(File::create(path)?, (COLUMNS * SIDE) as u32, (10 * SIDE) as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
