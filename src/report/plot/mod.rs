//! Pictures: figures as data, drawn as SVG or PNG in one style.

mod axes;
mod colors;
mod contours;
mod figure;
mod font;
mod geometry;
mod histogram;
mod images;
mod isolines;
mod lines;
mod matrix;
mod paint;
mod raster;
mod scale;
mod scene;
mod surface;

use std::io;
use std::path::Path;

pub(super) use self::paint::escaped;
pub(super) use self::scale::exact;
pub use figure::{Axis, Contours, Figure, Histogram, Images, Lines, Matrix, Panel, Series, Stroke, Theme, Tile};

use self::colors::Palette;
use self::scene::{Anchor, Area, Scene, Shape};
use crate::{Error, Result, files};

/// The kinds of picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vectors.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The kind that a file's name ends on.
    ///
    /// # Errors
    /// [`Error::Config`] for another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Error::config_hint(
                format!("{} is neither .svg nor .png", path.display()),
                "name a file that ends on .svg or .png",
            )),
        }
    }
}

/// Draws a figure into a file, SVG or PNG by the ending of its name: complete, or not at all.
///
/// # Errors
/// [`Error::Config`] for another ending, [`Error::Io`] when it cannot be written.
pub fn save(figure: &Figure, path: &Path, theme: Theme) -> Result<()> {
    let drawn = match Format::of(path)? {
        Format::Svg => svg(figure, theme).map(String::into_bytes),
        Format::Png => png(figure, theme),
    };
    let written = drawn.and_then(|bytes| files::write_whole(path, |out| out.write_all(&bytes)));
    written.map_err(|error| Error::io("write", path, error))
}

/// A figure as an SVG document: the same bytes each time.
///
/// # Errors
/// When the font cannot be read.
pub fn svg(figure: &Figure, theme: Theme) -> io::Result<String> {
    paint::svg(&scene(figure, theme, WIDTH))
}

/// The same for a narrow column, as on a page with others beside it or on a phone.
///
/// # Errors
/// As [`svg`].
pub fn narrow_svg(figure: &Figure, theme: Theme) -> io::Result<String> {
    paint::svg(&scene(figure, theme, NARROW))
}

/// Grey pixels (0 white, 255 black) in rows of `columns`, as the address of an image in a page.
///
/// # Errors
/// For rows of no length.
pub fn image_address(columns: usize, pixels: &[u8]) -> io::Result<String> {
    let pixels: Vec<_> = pixels.iter().map(|&pixel| [255 - pixel; 3]).collect();
    Ok(format!("data:image/png;base64,{}", raster::base64(&raster::png_of(columns, &pixels)?)))
}

/// A figure as a PNG file, twice as many pixels each way as the SVG has.
///
/// # Errors
/// When the font cannot be read.
pub fn png(figure: &Figure, theme: Theme) -> io::Result<Vec<u8>> {
    paint::png(&scene(figure, theme, WIDTH))
}

/// Pixels of a picture's width, and of its margin.
const WIDTH: f64 = 800.0;
const NARROW: f64 = 500.0;
const MARGIN: f64 = 20.0;
/// Letters of the title.
const TITLE: f64 = 17.0;

/// Where everything is, `full` pixels wide.
fn scene(figure: &Figure, theme: Theme, full: f64) -> Scene {
    let palette = Palette::of(theme);
    let mut scene = Scene { width: full, height: 0.0, title: figure.title.clone(), shapes: Vec::new() };
    let width = full - 2.0 * MARGIN;
    let mut y = MARGIN;
    for line in font::wrapped(&figure.title, TITLE, width) {
        y += TITLE;
        let line = font::cut(&line, TITLE, width);
        scene.text(line, (MARGIN, y), Anchor::Start, TITLE, palette.text);
        y += 5.0;
    }
    // A panel alone may be taller than one of several.
    let height = if figure.panels.len() == 1 { 0.45 * full } else { 250.0 };
    for panel in &figure.panels {
        y += 12.0;
        let (palette, corner, scene) = (palette, (MARGIN, y), &mut scene);
        y = match panel {
            Panel::Lines(lines) => lines::draw(scene, palette, lines, corner, width, height),
            Panel::Contours(contours) => contours::draw(scene, palette, contours, corner, width),
            Panel::Surface(contours) => surface::draw(scene, palette, contours, corner, width),
            Panel::Matrix(matrix) => matrix::draw(scene, palette, matrix, corner, width),
            Panel::Images(images) => images::draw(scene, palette, images, corner, width),
            Panel::Histogram(histogram) => histogram::draw(scene, palette, histogram, corner, width, height),
        };
    }
    scene.height = (y + MARGIN).ceil();
    scene.shapes.insert(0, Shape::Rect { area: Area::new(0.0, 0.0, full, scene.height), color: palette.ground });
    scene
}

#[cfg(test)]
pub(super) use raster::base64;

#[cfg(test)]
mod tests;
