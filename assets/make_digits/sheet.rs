//! The sheet of some images, as a PNG (ISO/IEC 15948).

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::raster::{Image, SIDE};

/// Black pixels between two images of the sheet, and the side of the square that each pixel becomes.
const GAP: usize = 2;
const ZOOM: usize = 2;

/// The sheet's grey values, row by row: `rows` of images with small gaps, every pixel doubled.
pub(crate) struct Sheet {
    /// Pixels in a row of the sheet.
    pub(crate) width: usize,
    /// Rows of the sheet.
    pub(crate) height: usize,
    /// `[height, width]`.
    pub(crate) grey: Vec<u8>,
}

impl Sheet {
    /// Lays out `rows` of equally many images each.
    pub(crate) fn new(rows: &[Vec<Image>]) -> Self {
        let cell = SIDE + GAP;
        let columns = rows.first().map_or(0, Vec::len);
        let (width, height) = ((columns * cell + GAP) * ZOOM, (rows.len() * cell + GAP) * ZOOM);
        let value = |x: usize, y: usize| {
            // From the sheet's pixel to the image's; a gap lies before each image and after the last.
            let (column, x) = ((x / ZOOM) / cell, (x / ZOOM) % cell);
            let (row, y) = ((y / ZOOM) / cell, (y / ZOOM) % cell);
            if x < GAP || y < GAP { 0 } else { rows[row][column][(y - GAP) * SIDE + x - GAP] }
        };
        let grey = (0..height).flat_map(|y| (0..width).map(move |x| value(x, y))).collect();
        Self { width, height, grey }
    }

    /// The sheet as an 8-bit greyscale PNG.
    pub(crate) fn png(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::from((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        // Bit depth 8, greyscale, deflate, adaptive filters, no interlace.
        header.extend([8, 0, 0, 0, 0]);

        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in self.grey.chunks(self.width) {
            // Filter 0: mostly black rows compress best as they are.
            encoder.write_all(&[0])?;
            encoder.write_all(row)?;
        }

        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png_chunk(&mut png, *b"IHDR", &header);
        png_chunk(&mut png, *b"IDAT", &encoder.finish()?);
        png_chunk(&mut png, *b"IEND", &[]);
        Ok(png)
    }
}

/// Appends a PNG chunk: length, type, data, CRC-32 of type and data.
fn png_chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    png.extend(crc.sum().to_be_bytes());
}
