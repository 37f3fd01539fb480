//! The scanner: turns the pen's traces into 28x28 grey values, black paper and white ink.

use super::deform::{Nib, Trace};
use super::random::SplitMix64;

/// Rows and columns of an image.
pub(crate) const SIDE: usize = 28;
/// Pixels of an image.
pub(crate) const PIXELS: usize = SIDE * SIDE;

/// An image: rows from the top, 0 black to 255 white.
pub(crate) type Image = [u8; PIXELS];

/// Grey levels above black. Fewer than 255, as a cheap scanner has: nobody sees it, and the files are a fifth smaller.
const LEVELS: f32 = 51.0;
/// Probability that the ink is grainy.
const GRAINY: f32 = 0.3;
/// Probability that there is dust on the paper.
const DUSTY: f32 = 0.03;

/// Paints the traces, with the grain and dust that chance adds.
pub(crate) fn paint(traces: &[Trace], random: &mut SplitMix64) -> Image {
    let softness = random.between(0.9, 1.7);
    let mut grey = [0.0; PIXELS];
    for pair in traces.iter().flat_map(|trace| trace.windows(2)) {
        draw(&mut grey, &pair[0], &pair[1], softness);
    }
    if random.chance(GRAINY) {
        let depth = random.between(0.1, 0.35);
        for value in grey.iter_mut().filter(|value| **value > 0.0) {
            *value *= 1.0 - depth * random.unit();
        }
    }
    if random.chance(DUSTY) {
        for _ in 0..1 + random.below(5) {
            let speck = random.between(0.1, 0.5);
            let pixel = &mut grey[random.below(PIXELS)];
            *pixel = pixel.max(speck);
        }
    }
    grey.map(|value| ((value.min(1.0) * LEVELS + 0.5).floor() * (255.0 / LEVELS)) as u8)
}

/// Draws the straight piece from `a` to `b`, round at its ends, with an edge that fades over `softness` pixels.
fn draw(grey: &mut [f32; PIXELS], a: &Nib, b: &Nib, softness: f32) {
    let reach = a.radius.max(b.radius) + 0.5 * softness;
    let middle = 0.5 * SIDE as f32;
    // Pixel centres lie at half-integers; casts from negative floats give 0.
    let first = |low: f32| (low + middle - reach - 0.5).ceil() as usize;
    let last = |high: f32| ((high + middle + reach + 0.5).floor() as usize).min(SIDE);
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length_squared = dx * dx + dy * dy;
    for row in first(a.y.min(b.y))..last(a.y.max(b.y)) {
        for column in first(a.x.min(b.x))..last(a.x.max(b.x)) {
            let (x, y) = (column as f32 + 0.5 - middle - a.x, row as f32 + 0.5 - middle - a.y);
            // The nearest point of the piece: t = 0 at a, 1 at b.
            let t = if length_squared > 0.0 { ((x * dx + y * dy) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
            let (off_x, off_y) = (x - t * dx, y - t * dy);
            let distance = (off_x * off_x + off_y * off_y).sqrt();
            let radius = a.radius + t * (b.radius - a.radius);
            let coverage = ((radius - distance) / softness + 0.5).clamp(0.0, 1.0);
            let value = &mut grey[row * SIDE + column];
            *value = value.max(coverage * (a.ink + t * (b.ink - a.ink)));
        }
    }
}
