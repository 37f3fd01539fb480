//! Digits from picture files: read as grey, and brought to the form that MNIST's have.

mod form;
mod likeness;
mod read;

use std::path::Path;

use crate::Result;

/// Pixels of a side of what a network is shown.
pub const SIDE: usize = 28;

/// A picture in grey.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels from left to right; at least 1.
    pub width: usize,
    /// Pixels from top to bottom; at least 1.
    pub height: usize,
    /// `[height, width]`, row-major, from 0 (black) to 1 (white).
    pub grey: Vec<f32>,
}

/// A picture as MNIST shows digits: light on black, in a box of 20 x 20, its mass in the middle of 28 x 28.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigitImage {
    /// `[28, 28]`, row-major; 255 is ink.
    pub pixels: Vec<u8>,
    /// Why it is not like a drawn digit, where it is not.
    pub unlike: Option<String>,
}

impl Picture {
    /// Reads a PNG or JPEG file of any size, turned as its EXIF data say. What is transparent is filled so that it
    /// contrasts with what can be seen.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when it cannot be read, [`Error::Image`](crate::Error::Image) when it is no such
    /// file, damaged, or larger than 512 MiB unpacked.
    pub fn read(path: &Path) -> Result<Self> {
        read::read(path)
    }

    /// Brings it to MNIST's form, and says whether it is like a digit at all.
    #[must_use]
    pub fn to_digit(&self) -> DigitImage {
        form::digit(self)
    }

    /// The picture with sides of `width` and `height` pixels, each the mean of the area that it covers.
    fn resized(&self, width: usize, height: usize) -> Self {
        let across = areas(self.width, width);
        let down = areas(self.height, height);
        // Rows first, then columns: the mean over a rectangle is a mean of means.
        let mut rows = Vec::with_capacity(self.height * width);
        for row in self.grey.chunks_exact(self.width) {
            rows.extend(across.iter().map(|area| area.mean(|at| row[at])));
        }
        let mut grey = Vec::with_capacity(width * height);
        for area in &down {
            grey.extend((0..width).map(|column| area.mean(|at| rows[at * width + column])));
        }
        Self { width, height, grey }
    }
}

/// Pixels that one pixel of a resized picture covers, the first and the last of them in part.
struct Area {
    first: usize,
    /// Of each pixel, the part that is covered.
    parts: Vec<f32>,
}

impl Area {
    fn mean(&self, value: impl Fn(usize) -> f32) -> f32 {
        let sum: f32 = self.parts.iter().enumerate().map(|(at, part)| part * value(self.first + at)).sum();
        sum / self.parts.iter().sum::<f32>()
    }
}

/// What each of `to` pixels covers of `from`.
fn areas(from: usize, to: usize) -> Vec<Area> {
    let scale = from as f64 / to as f64;
    let area = |at: usize| {
        let (start, end) = (at as f64 * scale, (at + 1) as f64 * scale);
        let first = (start.floor() as usize).min(from - 1);
        let last = (end.ceil() as usize).clamp(first + 1, from);
        let part = |pixel: usize| (end.min(pixel as f64 + 1.0) - start.max(pixel as f64)).max(1e-6) as f32;
        Area { first, parts: (first..last).map(part).collect() }
    };
    (0..to).map(area).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_averaged() {
        let picture = Picture { width: 3, height: 2, grey: vec![0.0, 0.5, 1.0, 1.0, 0.5, 0.0] };
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        // Two pixels of one and a half: 0 and half of 0.5, then half of 0.5 and 1.
        assert!(near(&picture.resized(2, 2).grey, &[1.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0, 1.0 / 6.0]));
        assert!(near(&picture.resized(1, 1).grey, &[0.5]));
        assert!(near(&picture.resized(3, 2).grey, &picture.grey));
        assert!(near(&picture.resized(6, 4).grey[..6], &[0.0, 0.0, 0.5, 0.5, 1.0, 1.0]));
    }
}
