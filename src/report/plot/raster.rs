//! Shapes as runs of pixels, and pixels as PNG: what plotters' bitmap backend is given to fill.

use std::io::{self, Cursor};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::colors::Color;
use super::scene::Point;

/// A row, and the first and last of its pixels.
pub(super) type Span = (i32, i32, i32);

/// The pixels whose centres are inside a polygon, by the even-odd rule.
pub(super) fn polygon(points: &[Point]) -> Vec<Span> {
    let mut crossings = Vec::new();
    let next = points.iter().cycle().skip(1);
    for (&from, &to) in points.iter().zip(next) {
        let (upper, lower) = if from.1 <= to.1 { (from, to) } else { (to, from) };
        let slope = (lower.0 - upper.0) / (lower.1 - upper.1);
        // Rows whose centre is below the upper end, and above the lower one: each corner counts once.
        let rows = (upper.1 - 0.5).ceil() as i32..(lower.1 - 0.5).ceil() as i32;
        crossings.extend(rows.map(|row| (row, upper.0 + (f64::from(row) + 0.5 - upper.1) * slope)));
    }
    crossings.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut spans = Vec::with_capacity(crossings.len() / 2);
    for pair in crossings.chunks_exact(2) {
        let (from, to) = ((pair[0].1 - 0.5).ceil() as i32, (pair[1].1 - 0.5).ceil() as i32 - 1);
        if from <= to {
            spans.push((pair[0].0, from, to));
        }
    }
    spans
}

/// A line of some width, with round joints.
pub(super) fn stroke(points: &[Point], width: f64) -> Vec<Span> {
    let mut spans = Vec::new();
    for pair in points.windows(2) {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        let length = dx.hypot(dy);
        if length > 0.0 {
            let (across, along) = (-dy / length * width / 2.0, dx / length * width / 2.0);
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            let corners = [
                (x0 + across, y0 + along),
                (x1 + across, y1 + along),
                (x1 - across, y1 - along),
                (x0 - across, y0 - along),
            ];
            spans.extend(polygon(&corners));
        }
        // A joint of a thin line hides in its neighbours.
        if width > 2.0 {
            spans.extend(disc(pair[1], width / 2.0));
        }
    }
    spans
}

/// A disc.
pub(super) fn disc((x, y): Point, radius: f64) -> Vec<Span> {
    let rows = (y - radius - 0.5).ceil() as i32..=(y + radius - 0.5).floor() as i32;
    rows.filter_map(|row| {
        let up = f64::from(row) + 0.5 - y;
        let half = (radius * radius - up * up).max(0.0).sqrt();
        let (from, to) = ((x - half - 0.5).ceil() as i32, (x + half - 0.5).floor() as i32);
        (from <= to).then_some((row, from, to))
    })
    .collect()
}

/// An RGB image with each `factor x factor` pixels as one, their mean.
pub(super) fn shrunk(pixels: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let (columns, rows) = (width / factor, pixels.len() / 3 / width / factor);
    let area = (factor * factor) as u32;
    let mut small = Vec::with_capacity(columns * rows * 3);
    for row in 0..rows {
        for column in 0..columns {
            for channel in 0..3 {
                let mut sum = 0;
                for y in row * factor..(row + 1) * factor {
                    for x in column * factor..(column + 1) * factor {
                        sum += u32::from(pixels[(y * width + x) * 3 + channel]);
                    }
                }
                small.push(((sum + area / 2) / area) as u8);
            }
        }
    }
    small
}

/// A PNG file of pixels in rows of `columns`.
///
/// # Errors
/// What the encoder refuses, as rows of no length.
pub(super) fn png_of(columns: usize, pixels: &[Color]) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    let rows = pixels.len() / columns.max(1);
    PngEncoder::new(Cursor::new(&mut file))
        .write_image(pixels.as_flattened(), columns as u32, rows as u32, ExtendedColorType::Rgb8)
        .map_err(io::Error::other)?;
    Ok(file)
}

/// Bytes as text, as RFC 4648 writes them.
pub(in crate::report) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        for position in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(spans: &[Span]) -> i32 {
        spans.iter().map(|(_, from, to)| to - from + 1).sum()
    }

    #[test]
    fn polygons_are_filled_to_their_edges() {
        assert_eq!(area(&polygon(&[(1.0, 1.0), (5.0, 1.0), (5.0, 4.0), (1.0, 4.0)])), 12);
        // Concave: an L, and the same with a corner in the middle of an edge.
        let l = [(0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (4.0, 4.0), (4.0, 10.0), (0.0, 10.0)];
        assert_eq!(area(&polygon(&l)), 64);
        assert!(polygon(&[(1.0, 1.0), (5.0, 1.0)]).is_empty());
        assert!(polygon(&[]).is_empty());
    }

    #[test]
    fn discs_and_strokes_have_their_area() {
        let found = f64::from(area(&disc((50.0, 50.0), 20.0)));
        assert!((found / (std::f64::consts::PI * 400.0) - 1.0).abs() < 0.02, "{found}");
        assert_eq!(area(&stroke(&[(0.0, 5.0), (10.0, 5.0)], 2.0)), 20);
    }

    #[test]
    fn base64_is_the_standards() {
        // RFC 4648, section 10.
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in pairs {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
