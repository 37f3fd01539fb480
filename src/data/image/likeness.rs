//! Whether a picture is like a drawn digit: a few measures, each with a bound that drawn digits keep to.

use super::Picture;
use super::form::STROKE;

/// More of the border than this is no paper: the picture goes on beyond it.
const BUSY_BORDER: f32 = 0.4;
/// More of the ink than this is neither pale nor full.
const SHADED: f32 = 0.6;
/// Pictures of shorter sides are mostly edges, which are shaded.
const LEAST_SIDE: usize = 64;
/// Ink of the 28 x 28 pixels; of MNIST's 70,000 digits a handful lie outside.
const INK: std::ops::RangeInclusive<f32> = 0.015..=0.4;
/// Strokes that hang together nowhere.
const MOST_STROKES: usize = 6;

/// What is measured of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measures {
    /// Share of the border that is no paper.
    border: f32,
    /// Share of the ink that is neither pale nor full, where that can be judged.
    shaded: Option<f32>,
    /// Parts of ink that hang together, dust not counted.
    pub(super) strokes: usize,
    /// Mean of the pixels of the final form, from 0 to 1.
    ink: f32,
}

impl Measures {
    /// What can be seen before the digit is cut out.
    pub(super) fn of(ink: &Picture, border: f32) -> Self {
        let inked = || ink.grey.iter().filter(|&&ink| ink > STROKE);
        let shaded = inked().filter(|&ink| (0.25..0.75).contains(ink)).count() as f32 / inked().count().max(1) as f32;
        Self { border, shaded: (ink.width.min(ink.height) >= LEAST_SIDE).then_some(shaded), strokes: 0, ink: 0.0 }
    }

    /// What can be seen of its final form.
    pub(super) fn see_form(&mut self, pixels: &[u8]) {
        let sum: f32 = pixels.iter().map(|&pixel| f32::from(pixel)).sum();
        self.ink = sum / (255.0 * pixels.len() as f32);
    }

    /// The first measure that no drawn digit has.
    pub(super) fn verdict(&self) -> Option<String> {
        let percent = |share: f32| format!("{:.0}%", 100.0 * share);
        if self.border > BUSY_BORDER {
            return Some(format!("no even border: {} of it is not like the rest", percent(self.border)));
        }
        if let Some(shaded) = self.shaded.filter(|&shaded| shaded > SHADED) {
            return Some(format!("shaded like a photograph: {} of what stands out is half-tone", percent(shaded)));
        }
        if self.strokes > MOST_STROKES {
            return Some(format!("{} separate parts where a digit has a few strokes", self.strokes));
        }
        if self.ink > *INK.end() {
            return Some(format!("{} ink where a digit has at most {}", percent(self.ink), percent(*INK.end())));
        }
        if self.ink < *INK.start() {
            return Some(format!("only {:.1}% ink: too thin to be seen", 100.0 * self.ink));
        }
        None
    }
}

/// Ink that hangs together.
pub(super) struct Component {
    /// Places of its pixels.
    pub(super) pixels: Vec<usize>,
    /// The sum of them.
    pub(super) ink: f32,
}

/// The parts of the ink above `threshold` that hang together, over edges or corners of pixels.
pub(super) fn components(ink: &Picture, threshold: f32) -> Vec<Component> {
    let (width, height) = (ink.width, ink.height);
    let mut free: Vec<bool> = ink.grey.iter().map(|&ink| ink > threshold).collect();
    let mut found = Vec::new();
    for start in 0..free.len() {
        if !free[start] {
            continue;
        }
        free[start] = false;
        let mut pixels = vec![start];
        let mut seen = 0;
        while let Some(&at) = pixels.get(seen) {
            seen += 1;
            let (row, column) = (at / width, at % width);
            for row in row.saturating_sub(1)..=(row + 1).min(height - 1) {
                for column in column.saturating_sub(1)..=(column + 1).min(width - 1) {
                    let next = row * width + column;
                    if std::mem::take(&mut free[next]) {
                        pixels.push(next);
                    }
                }
            }
        }
        let sum = pixels.iter().map(|&at| ink.grey[at]).sum();
        found.push(Component { pixels, ink: sum });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hang_together_over_corners() {
        let grey = vec![1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 1.0];
        let found = components(&Picture { width: 3, height: 5, grey }, 0.1);
        let parts: Vec<_> = found.iter().map(|part| (part.pixels.clone(), part.ink)).collect();
        assert_eq!(parts, [(vec![0, 4], 1.5), (vec![14], 1.0)]);
    }
}
