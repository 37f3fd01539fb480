//! PNG and JPEG files as grey values.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::Picture;
use crate::{Error, Result};

/// How much red, green and blue count for brightness (ITU-R BT.601).
const BRIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

pub(super) fn read(path: &Path) -> Result<Picture> {
    let io = |error| Error::io("read", path, error);
    let refuse = |problem: String| {
        let problem = problem.replace(char::is_control, " ");
        Error::Image { path: path.into(), problem }
    };
    let file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if about.is_dir() {
        return Err(io(io::ErrorKind::IsADirectory.into()));
    }
    if !about.is_file() {
        return Err(refuse("it is not a regular file".into()));
    }
    // What the file is shows in its first bytes, whatever its name ends on.
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(io)?;
    if reader.format().is_none() {
        return Err(refuse("it is neither PNG nor JPEG".into()));
    }
    let mut decoder = reader.into_decoder().map_err(|error| refuse(error.to_string()))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| refuse(error.to_string()))?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 {
        return Err(refuse("it has no pixels".into()));
    }
    Ok(Picture { width, height, grey: grey(&image.into_rgba8()) })
}

/// Brightness from 0 to 1, over whatever contrasts with what can be seen where the picture is transparent.
fn grey(pixels: &[u8]) -> Vec<f32> {
    let brightness = |pixel: &[u8]| pixel.iter().zip(BRIGHTNESS).map(|(&c, weight)| f32::from(c) * weight).sum::<f32>();
    let share = |byte: u8| f32::from(byte) / 255.0;
    let pixels = || pixels.chunks_exact(4);
    let (mut seen, mut light) = (0.0, 0.0);
    for pixel in pixels() {
        let alpha = f64::from(share(pixel[3]));
        seen += alpha;
        light += alpha * f64::from(brightness(&pixel[..3]) / 255.0);
    }
    let behind = if light < 0.5 * seen || seen == 0.0 { 1.0 } else { 0.0 };
    let over = |pixel: &[u8]| {
        let alpha = share(pixel[3]);
        alpha * brightness(&pixel[..3]) / 255.0 + (1.0 - alpha) * behind
    };
    pixels().map(over).collect()
}
