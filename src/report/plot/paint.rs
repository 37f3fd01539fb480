//! A scene as SVG or PNG, through plotters' backends. Both draw the same shapes at the same places.

use std::io::{self, Cursor};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, RGBColor, ShapeStyle, TextStyle};

use super::colors::Color;
use super::font;
use super::raster;
use super::scene::{Anchor, Area, Point, Scene, Shape, Text};

/// Backends draw at whole units: a quarter of a pixel each.
const UNITS: f64 = 4.0;

/// Pixels of a PNG for one of the scene, so that it is sharp on dense screens and on paper.
pub(super) const DENSITY: usize = 2;

/// From the top of a text to its base line, in ems, as plotters' backends place it.
const SVG_BASE_LINE: f64 = 0.76;
const BITMAP_BASE_LINE: f64 = 0.62;

/// Attributes that say what holds without them. No text of a picture has them: its quotation marks are escaped.
const DEFAULTS: [&str; 4] =
    [" opacity=\"1\"", " stroke=\"none\" stroke-width=\"0\"", " stroke=\"none\"", " text-anchor=\"start\""];

/// The scene as an SVG document, the same bytes each time.
///
/// # Errors
/// When the font cannot be read.
pub(super) fn svg(scene: &Scene) -> io::Result<String> {
    let mut document = String::new();
    let mut backend = SVGBackend::with_string(&mut document, (units(scene.width) as u32, units(scene.height) as u32));
    for shape in &scene.shapes {
        draw_vector(&mut backend, shape)?;
    }
    backend.present().map_err(io::Error::other)?;
    drop(backend);
    // The backend's head knows one size alone, and no title; images are not its matter.
    let body = document.find('>').map_or("", |end| &document[end + 1..]);
    let body = body.trim_end().trim_end_matches("</svg>");
    // Nor does it leave out what goes without saying, or say once what holds for all: a tenth of a picture.
    let family = format!(" font-family=\"{}\"", font::FAMILY);
    let spare = DEFAULTS.iter().copied().chain([family.as_str()]);
    let body = spare.fold(body.to_string(), |body, attribute| body.replace(attribute, ""));
    let (width, height) = (scene.width, scene.height);
    let title = escaped(&scene.title);
    let mut whole = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\"{family} stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{title}</title>{body}",
        units(width),
        units(height)
    );
    for shape in &scene.shapes {
        match shape {
            Shape::Image { area, columns, pixels } => {
                let data = raster::base64(&raster::png_of(*columns, pixels)?);
                whole.push_str(&format!(
                    "<image {} preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
                     href=\"data:image/png;base64,{data}\"/>\n",
                    attributes(*area)
                ));
            }
            Shape::Note { area, text } => {
                let (place, text) = (attributes(*area), escaped(text));
                whole.push_str(&format!("<rect {place} fill-opacity=\"0\"><title>{text}</title></rect>\n"));
            }
            _ => {}
        }
    }
    whole.push_str("</svg>\n");
    Ok(whole)
}

/// The scene as a PNG file of [`DENSITY`] times its size.
///
/// # Errors
/// When the font cannot be read.
pub(super) fn png(scene: &Scene) -> io::Result<Vec<u8>> {
    let [width, height] = [scene.width, scene.height].map(|side| units(side) as u32);
    let mut fine = vec![0; width as usize * height as usize * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut fine, (width, height));
        for shape in &scene.shapes {
            draw_pixels(&mut backend, shape)?;
        }
        backend.present().map_err(io::Error::other)?;
    }
    let shrink = UNITS as usize / DENSITY;
    let small = raster::shrunk(&fine, width as usize, shrink);
    let [width, height] = [width, height].map(|side| side / shrink as u32);
    let mut file = Vec::new();
    let encoder = PngEncoder::new(Cursor::new(&mut file));
    encoder.write_image(&small, width, height, ExtendedColorType::Rgb8).map_err(io::Error::other)?;
    Ok(file)
}

fn draw_vector<B: DrawingBackend>(backend: &mut B, shape: &Shape) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    match shape {
        Shape::Rect { area, color } => {
            let corners = [(area.left, area.top), (area.right, area.bottom)].map(place);
            backend.draw_rect(corners[0], corners[1], &filled(*color), true)
        }
        Shape::Line { points, width, color } => {
            let style = ShapeStyle { color: rgb(*color).into(), filled: false, stroke_width: units(*width) as u32 };
            backend.draw_path(points.iter().copied().map(place), &style)
        }
        Shape::Polygon { points, color } => backend.fill_polygon(points.iter().copied().map(place), &filled(*color)),
        Shape::Circle { center, radius, color } => {
            backend.draw_circle(place(*center), units(*radius) as u32, &filled(*color), true)
        }
        Shape::Text(text) => return draw_text(backend, text, SVG_BASE_LINE),
        Shape::Image { .. } | Shape::Note { .. } => return Ok(()),
    }
    .map_err(io::Error::other)
}

/// Plotters' own rasteriser has no joints in lines and trips over the corners of concave polygons: shapes come to it as
/// rectangles.
fn draw_pixels<B: DrawingBackend>(backend: &mut B, shape: &Shape) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    let (spans, color) = match shape {
        Shape::Rect { area, color } => {
            let [(left, top), (right, bottom)] = [(area.left, area.top), (area.right, area.bottom)].map(place);
            return fill(backend, (left, top), (right, bottom), *color);
        }
        Shape::Line { points, width, color } => (raster::stroke(&scaled(points), (width * UNITS).max(1.0)), color),
        Shape::Polygon { points, color } => (raster::polygon(&scaled(points)), color),
        Shape::Circle { center, radius, color } => (raster::disc(scaled(&[*center])[0], radius * UNITS), color),
        Shape::Text(text) => return draw_text(backend, text, BITMAP_BASE_LINE),
        Shape::Image { area, columns, pixels } => return draw_image(backend, *area, *columns, pixels),
        Shape::Note { .. } => return Ok(()),
    };
    spans.iter().try_for_each(|&(y, from, to)| fill(backend, (from, y), (to + 1, y + 1), *color))
}

/// Up to the second corner, which is outside; the bitmap backend draws so, and the rest of plotters does not.
fn fill<B: DrawingBackend>(backend: &mut B, from: (i32, i32), to: (i32, i32), color: Color) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    backend.draw_rect(from, to, &filled(color), true).map_err(io::Error::other)
}

fn draw_image<B: DrawingBackend>(backend: &mut B, area: Area, columns: usize, pixels: &[Color]) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    let rows = pixels.len().div_ceil(columns.max(1)).max(1);
    let (width, height) = (area.width() / columns.max(1) as f64, area.height() / rows as f64);
    for (index, &color) in pixels.iter().enumerate() {
        let (column, row) = (index % columns, index / columns);
        let corner =
            |column: usize, row: usize| place((area.left + column as f64 * width, area.top + row as f64 * height));
        let (from, (right, bottom)) = (corner(column, row), corner(column + 1, row + 1));
        fill(backend, from, (right, bottom), color)?;
    }
    Ok(())
}

fn draw_text<B: DrawingBackend>(backend: &mut B, text: &Text, base_line: f64) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    let Text { place: (x, y), size, upwards, .. } = *text;
    let horizontal = match text.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let color = rgb(text.color);
    let mut style = TextStyle::from(font::font((size * UNITS).round())?).color(&color);
    style.pos = Pos::new(horizontal, VPos::Top);
    let lift = base_line * size;
    let corner = if upwards {
        style = style.transform(FontTransform::Rotate270);
        (x - lift, y)
    } else {
        (x, y - lift)
    };
    backend.draw_text(&text.text, &style, place(corner)).map_err(io::Error::other)
}

fn rgb([red, green, blue]: Color) -> RGBColor {
    RGBColor(red, green, blue)
}

fn filled(color: Color) -> ShapeStyle {
    ShapeStyle { color: rgb(color).into(), filled: true, stroke_width: 0 }
}

fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

fn place((x, y): Point) -> (i32, i32) {
    (units(x), units(y))
}

fn scaled(points: &[Point]) -> Vec<Point> {
    points.iter().map(|&(x, y)| (x * UNITS, y * UNITS)).collect()
}

/// An area as SVG's attributes.
fn attributes(area: Area) -> String {
    let [left, top, width, height] = [area.left, area.top, area.width(), area.height()].map(units);
    format!("x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"")
}

/// As text stands in XML.
pub(in crate::report) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(letter),
        }
    }
    safe
}
