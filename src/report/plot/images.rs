//! Small images beside each other.

use super::axes::{self, SMALL};
use super::colors::{Color, Palette};
use super::figure::Images;
use super::font;
use super::scale;
use super::scene::{Anchor, Area, Point, Scene};

/// Pixels between two images, and the least and most that one takes.
const GAP: f64 = 10.0;
const SMALLEST: f64 = 56.0;
const LARGEST: f64 = 118.0;
/// Between the base lines of a caption, which has two at most.
const LINE: f64 = 15.0;

/// Draws the panel from `top` on and returns where it ends.
pub(super) fn draw(scene: &mut Scene, palette: &Palette, images: &Images, (left, top): Point, width: f64) -> f64 {
    let (columns, rows) = (images.width, images.height);
    let drawable = images.tiles.iter().all(|tile| tile.pixels.len() == columns * rows) && columns * rows > 0;
    if images.tiles.is_empty() || !drawable {
        let area = Area::new(left, top, width, 60.0);
        axes::nothing(scene, palette, area);
        return area.bottom;
    }
    // Captions want room: images are as wide as the widest of them, within bounds.
    let widest = images.tiles.iter().map(|tile| font::width(&tile.caption, SMALL)).fold(0.0, f64::max);
    let tile_width = (widest + 6.0).clamp(SMALLEST, LARGEST);
    let beside = ((width + GAP) / (tile_width + GAP)).floor().max(1.0) as usize;
    let beside = beside.min(images.tiles.len());
    let unit = tile_width / columns.max(rows) as f64;
    let (image_width, image_height) = (columns as f64 * unit, rows as f64 * unit);
    let captions: Vec<_> = images.tiles.iter().map(|tile| caption(&tile.caption, tile_width)).collect();
    let lines = captions.iter().map(Vec::len).max().unwrap_or(0);
    let pitch = image_height + GAP + lines as f64 * LINE + if lines > 0 { 4.0 } else { 0.0 };
    let largest = largest(images);
    for (index, tile) in images.tiles.iter().enumerate() {
        let x = left + (index % beside) as f64 * (tile_width + GAP);
        let y = top + (index / beside) as f64 * pitch;
        let area = Area::new(x + (tile_width - image_width) / 2.0, y, image_width, image_height);
        if !tile.caption.is_empty() {
            scene.note(area, tile.caption.clone());
        }
        let pixels =
            tile.pixels.iter().map(|&value| color(palette, images.signed, f64::from(value), largest)).collect();
        scene.shapes.push(super::scene::Shape::Image { area, columns, pixels });
        scene.frame(area, 1.0, palette.grid);
        for (line, text) in captions[index].iter().enumerate() {
            let place = (x + tile_width / 2.0, area.bottom + SMALL + 3.0 + line as f64 * LINE);
            scene.text(text.clone(), place, Anchor::Middle, SMALL, palette.soft);
        }
    }
    let bottom = top + images.tiles.len().div_ceil(beside) as f64 * pitch;
    if images.signed { bar(scene, palette, (left, bottom), largest) } else { bottom }
}

/// A caption in at most two lines.
fn caption(text: &str, room: f64) -> Vec<String> {
    let mut lines = font::wrapped(text, SMALL, room);
    if lines.len() > 2 {
        lines = vec![lines[0].clone(), lines[1..].join(" ")];
    }
    lines.iter().map(|line| font::cut(line, SMALL, room)).collect()
}

/// The largest size of a value: the colours' ends, for all images alike.
fn largest(images: &Images) -> f64 {
    let values = images.tiles.iter().flat_map(|tile| &tile.pixels).map(|&value| f64::from(value).abs());
    let largest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if largest > 0.0 { largest } else { 1.0 }
}

fn color(palette: &Palette, signed: bool, value: f64, largest: f64) -> Color {
    match (value.is_finite(), signed) {
        (false, _) => palette.missing,
        (true, true) => palette.signed(value / largest),
        (true, false) => palette.ink(value),
    }
}

/// What the colours of signed values mean; returns where it ends.
fn bar(scene: &mut Scene, palette: &Palette, (left, top): Point, largest: f64) -> f64 {
    const WIDTH: f64 = 160.0;
    const STEPS: usize = 40;
    let name = scale::short(largest);
    let ends = [format!("-{name}"), name];
    let (y, height) = (top + 4.0, 12.0);
    let base = y + height / 2.0 + 0.36 * SMALL;
    scene.text(ends[0].clone(), (left, base), Anchor::Start, SMALL, palette.soft);
    let from = left + font::width(&ends[0], SMALL) + 8.0;
    for step in 0..STEPS {
        let share = (step as f64 + 0.5) / STEPS as f64 * 2.0 - 1.0;
        let each = WIDTH / STEPS as f64;
        scene.rect(Area::new(from + step as f64 * each, y, each, height), palette.signed(share));
    }
    scene.frame(Area::new(from, y, WIDTH, height), 1.0, palette.axis);
    scene.text(ends[1].clone(), (from + WIDTH + 8.0, base), Anchor::Start, SMALL, palette.soft);
    y + height + 6.0
}
