//! A function of two variables as bands of height, with arrows and paths over it.

use super::axes::{self, Frame, Mark, SMALL, Vertical};
use super::colors::{Color, Palette, mix};
use super::figure::{Contours, Series, Stroke};
use super::font;
use super::geometry::{clipped, straightened};
use super::isolines::{Grid, Ring};
use super::lines;
use super::scale::{self, Scale};
use super::scene::{Anchor, Area, Point, Scene};

/// The most that the panel takes in height, and what the bar of colours takes in width.
const TALLEST: f64 = 560.0;
const BAR: f64 = 110.0;

/// Draws the panel from `top` on and returns where it ends.
pub(super) fn draw(scene: &mut Scene, palette: &Palette, contours: &Contours, (left, top): Point, width: f64) -> f64 {
    let looks = lines::looks(&contours.paths, palette);
    let entries: Vec<_> = contours.paths.iter().zip(&looks).map(|(path, look)| path_entry(path, *look)).collect();
    let top = axes::legend(scene, palette, &entries, (left, top), width);
    let (x, y) = (Scale::new(&contours.x, [].into_iter(), 0.0), Scale::new(&contours.y, [].into_iter(), 0.0));
    let (wide, high) = (x.ends().1 - x.ends().0, y.ends().1 - y.ends().0);
    // About as much as the labels of the vertical axis take at most.
    let room = width - BAR - 90.0;
    // Right angles stay right where the picture stays readable.
    let (inner, height) = if (0.3..=3.0).contains(&(high / wide)) {
        let unit = (room / wide).min(TALLEST / high);
        (wide * unit, high * unit)
    } else {
        (room, 420.0)
    };
    let vertical = Vertical::new(&contours.y, y, height);
    let frame = axes::draw(scene, palette, (left, top), (&contours.x, x), &vertical, inner, false);
    let levels = levels(contours);
    bands(scene, palette, contours, &levels, &frame);
    for &arrow in &contours.arrows {
        draw_arrow(scene, palette, &frame, arrow);
    }
    for (path, look) in contours.paths.iter().zip(&looks) {
        draw_path(scene, palette, &frame, &path.points, look.color);
    }
    scene.frame(frame.area, 1.0, palette.axis);
    bar(scene, palette, contours, &levels, frame.area);
    frame.bottom
}

/// A path is drawn as a line whatever its stroke; one that is a single point is shown as that.
fn path_entry(path: &Series, look: lines::Look) -> (&str, Color, Mark, f64) {
    let (name, color, _, width) = look.entry(&path.name);
    (name, color, if path.stroke == Stroke::Points { Mark::Dot } else { Mark::Line }, width)
}

/// The values at which one band ends and the next begins, rising, with what they are called.
pub(super) fn levels(contours: &Contours) -> Vec<f64> {
    let finite = || contours.values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let range = high - low;
    if !range.is_finite() || range <= 1e-12 * low.abs().max(high.abs()) {
        return Vec::new();
    }
    if contours.logarithmic {
        // 1 and 3 times powers of ten above the smallest value, as far down as six of them.
        let least = finite().map(|value| value - low).filter(|&rise| rise > range * 1e-7).fold(range, f64::min);
        let (first, last) = (least.log10().floor() as i32, range.log10().ceil() as i32);
        let rises = (first..=last).flat_map(|power| [1.0, 3.0].map(|factor| factor * 10_f64.powi(power)));
        rises.filter(|&rise| rise > least && rise < range).map(|rise| low + rise).collect()
    } else {
        let step = scale::step(range, 11);
        let (first, last) = ((low / step).floor() as i64 + 1, (high / step).ceil() as i64);
        (first..last).map(|index| index as f64 * step).collect()
    }
}

/// The colour of a value between the ends of all, on its way from one band to the next.
pub(super) fn between(palette: &Palette, levels: &[f64], (low, high): (f64, f64), value: f64) -> Color {
    let above = levels.partition_point(|&level| level < value);
    let from = above.checked_sub(1).map_or(low, |below| levels[below]);
    let to = levels.get(above).copied().unwrap_or(high);
    let part = if from < to { (value - from) / (to - from) } else { 0.5 };
    palette.height((above as f64 + part) / (levels.len() as f64 + 1.0))
}

/// The colour of the band below the level with this number, of so many levels.
fn band(palette: &Palette, index: usize, levels: usize) -> Color {
    palette.height((index as f64 + 0.5) / (levels as f64 + 1.0))
}

/// Fills the bands, from the outermost ring inwards: each ring's inside is next to it one band higher, or lower in a
/// hole, until another ring paints over it.
fn bands(scene: &mut Scene, palette: &Palette, contours: &Contours, levels: &[f64], frame: &Frame) {
    let (rows, columns) = (contours.rows, contours.columns);
    let whole = rows > 1 && columns > 1 && contours.values.len() == rows * columns;
    if !whole || !contours.values.iter().any(|value| value.is_finite()) {
        axes::nothing(scene, palette, frame.area);
        return;
    }
    scene.rect(frame.area, band(palette, 0, levels.len()));
    let grid = Grid { values: &contours.values, columns, rows };
    let mut rings: Vec<(usize, Ring)> = Vec::new();
    for (index, &level) in levels.iter().enumerate() {
        rings.extend(grid.rings(level).into_iter().map(|ring| (index, ring)));
    }
    // Of rings of one size, hills rise and holes fall inwards.
    let inwards = |(index, ring): &(usize, Ring)| if ring.area > 0.0 { *index as i64 } else { -(*index as i64) };
    rings.sort_by(|a, b| b.1.area.abs().total_cmp(&a.1.area.abs()).then(inwards(a).cmp(&inwards(b))));
    let area = frame.area;
    let (cell_width, cell_height) = (area.width() / (columns - 1) as f64, area.height() / (rows - 1) as f64);
    let place = |x: f64, y: f64| (area.left + x * cell_width, area.bottom - y * cell_height);
    for (index, ring) in &rings {
        let color = band(palette, index + usize::from(ring.area > 0.0), levels.len());
        let corners: Vec<_> = ring.corners.iter().map(|corner| place(corner.x, corner.y)).collect();
        scene.polygon(straightened(&corners), color);
    }
    for (index, ring) in &rings {
        let color = mix(band(palette, *index, levels.len()), palette.text, 0.28);
        let closed: Vec<_> = ring.corners.iter().chain(ring.corners.first()).collect();
        for part in closed.chunk_by(|a, b| !(a.edge || b.edge)) {
            scene.line(part.iter().map(|corner| place(corner.x, corner.y)).collect(), 0.75, color);
        }
    }
    for row in 0..rows - 1 {
        let blank = |column: usize| {
            let corners = [(row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)];
            corners.iter().any(|(row, column)| !contours.values[row * columns + column].is_finite())
        };
        let cells: Vec<_> = (0..columns - 1).collect();
        for run in cells.chunk_by(|&a, &b| blank(a) == blank(b)).filter(|run| blank(run[0])) {
            let (left, bottom) = place(run[0] as f64, row as f64);
            let (right, top) = place((run[run.len() - 1] + 1) as f64, (row + 1) as f64);
            scene.rect(Area { left, top, right, bottom }, palette.ground);
        }
    }
}

/// Draws an arrow as long as it is.
fn draw_arrow(scene: &mut Scene, palette: &Palette, frame: &Frame, [x, y, dx, dy]: [f64; 4]) {
    let ends = (frame.place(x, y), frame.place(x + dx, y + dy));
    let (Some(from), Some(to)) = ends else { return };
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    if length < 1.0 || !frame.area.contains(from) {
        return;
    }
    let (ux, uy) = ((to.0 - from.0) / length, (to.1 - from.1) / length);
    let head = (0.45 * length).min(7.0);
    let neck = (to.0 - head * ux, to.1 - head * uy);
    for line in clipped(&[from, neck], frame.area) {
        scene.line(line, 1.2, palette.text);
    }
    if frame.area.contains(to) {
        let half = head * 0.42;
        let points = vec![to, (neck.0 - half * uy, neck.1 + half * ux), (neck.0 + half * uy, neck.1 - half * ux)];
        scene.polygon(points, palette.text);
    }
}

/// Draws a path with a rim that parts it from what it runs over, an open circle where it begins and a full one where
/// it ends.
fn draw_path(scene: &mut Scene, palette: &Palette, frame: &Frame, points: &[(f64, f64)], color: Color) {
    let places: Vec<_> = points.iter().map_while(|&(x, y)| frame.place(x, y)).collect();
    for (width, color) in [(4.5, palette.ground), (2.0, color)] {
        for line in clipped(&places, frame.area) {
            scene.line(line, width, color);
        }
    }
    let inside = |place: &&Point| frame.area.contains(**place);
    if (3..=80).contains(&places.len()) {
        for place in places.iter().filter(inside) {
            scene.circle(*place, 2.6, color);
        }
    }
    if let Some(first) = places.first().filter(inside) {
        for (radius, color) in [(6.5, palette.ground), (5.5, color), (3.0, palette.ground)] {
            scene.circle(*first, radius, color);
        }
    }
    if let Some(last) = places.last().filter(inside) {
        for (radius, color) in [(6.0, palette.ground), (5.0, color)] {
            scene.circle(*last, radius, color);
        }
    }
}

/// What the colours mean, right of the panel.
fn bar(scene: &mut Scene, palette: &Palette, contours: &Contours, levels: &[f64], area: Area) {
    let (left, width) = (area.right + 18.0, 16.0);
    let height = area.height().min(360.0);
    let top = area.center().1 - height / 2.0;
    let each = height / (levels.len() + 1) as f64;
    for index in 0..=levels.len() {
        let bottom = top + height - index as f64 * each;
        let part = Area { left, right: left + width, top: bottom - each, bottom };
        scene.rect(part, band(palette, index, levels.len()));
    }
    scene.frame(Area::new(left, top, width, height), 1.0, palette.axis);
    let every = (18.0 / each).ceil().max(1.0) as usize;
    let (step, largest) = match levels {
        [first, .., last] => ((levels[1] - first).abs(), first.abs().max(last.abs())),
        _ => (0.0, 0.0),
    };
    let (mut widest, mut before): (f64, _) = (0.0, String::new());
    for (index, &level) in levels.iter().enumerate().filter(|(index, _)| index.is_multiple_of(every)) {
        let label =
            if contours.logarithmic || step == 0.0 { scale::short(level) } else { scale::label(level, step, largest) };
        let y = top + height - (index + 1) as f64 * each;
        // Levels just above the smallest value may differ in no digit that is shown.
        if label == before {
            continue;
        }
        before.clone_from(&label);
        scene.rule((left + width, y), (left + width + 4.0, y), 1.0, palette.axis);
        widest = widest.max(font::width(&label, SMALL));
        scene.text(label, (left + width + 7.0, y + 0.36 * SMALL), Anchor::Start, SMALL, palette.soft);
    }
    if let Some(value) = contours.values.iter().find(|value| value.is_finite() && levels.is_empty()) {
        let label = scale::short(*value);
        widest = font::width(&label, SMALL);
        let place = (left + width + 7.0, top + height / 2.0 + 0.36 * SMALL);
        scene.text(label, place, Anchor::Start, SMALL, palette.soft);
    }
    let label = font::cut(&contours.label, axes::LABEL, height);
    let x = left + width + 7.0 + widest + 6.0 + axes::LABEL;
    scene.upwards(label, (x, top + height / 2.0), axes::LABEL, palette.text);
}
