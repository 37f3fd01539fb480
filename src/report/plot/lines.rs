//! Curves and points over one axis.

use super::axes::{self, Frame, Mark, Vertical};
use super::colors::{Color, Palette};
use super::figure::{Lines, Series, Stroke};
use super::geometry::{clipped, dashes, thinned};
use super::scale::{self, Scale};
use super::scene::{Area, Point, Scene};

/// Pixels of a line, and of one that stays in the background.
const WIDTH: f64 = 2.0;
const FAINT: f64 = 1.0;

/// Draws the panel from `top` on, `height` pixels of data, and returns where it ends.
pub(super) fn draw(
    scene: &mut Scene,
    palette: &Palette,
    lines: &Lines,
    (left, top): Point,
    width: f64,
    height: f64,
) -> f64 {
    let looks = looks(&lines.series, palette);
    let entries: Vec<_> = lines.series.iter().zip(&looks).map(|(series, look)| look.entry(&series.name)).collect();
    let top = axes::legend(scene, palette, &entries, (left, top), width);
    let points = || lines.series.iter().flat_map(|series| &series.points);
    // A value counts for an axis where its point is drawn.
    let drawn = |&&(x, y): &&(f64, f64)| {
        x.is_finite() && y.is_finite() && !(lines.x.logarithmic && x <= 0.0) && !(lines.y.logarithmic && y <= 0.0)
    };
    let alone = lines.series.iter().all(|series| series.stroke == Stroke::Points);
    let x = Scale::new(&lines.x, points().filter(drawn).map(|point| point.0), if alone { 0.03 } else { 0.0 });
    let y = Scale::new(&lines.y, points().filter(drawn).map(|point| point.1), 0.05);
    let vertical = Vertical::new(&lines.y, y, height);
    let inner = width - vertical.width - axes::BESIDE;
    let frame = axes::draw(scene, palette, (left, top), (&lines.x, x), &vertical, inner, true);
    if !points().any(|point| drawn(&point)) {
        axes::nothing(scene, palette, frame.area);
    }
    // What stays in the background is drawn first.
    for background in [true, false] {
        for (series, look) in lines.series.iter().zip(&looks) {
            if (series.stroke == Stroke::Faint) == background {
                curve(scene, &frame, series, *look);
            }
        }
    }
    notes(scene, &frame, lines);
    frame.bottom
}

/// Says the values above each place of the horizontal axis where there are some.
fn notes(scene: &mut Scene, frame: &Frame, lines: &Lines) {
    /// Between two places, in pixels.
    const APART: f64 = 6.0;
    let columns = (frame.area.width() / APART) as usize;
    // The value of each series that is nearest to the middle of each column.
    let mut values: Vec<Vec<Option<(f64, f64, f64)>>> = vec![vec![None; lines.series.len()]; columns];
    for (number, series) in lines.series.iter().enumerate() {
        for &(x, y) in &series.points {
            let Some(place) = frame.place(x, y).filter(|&place| frame.area.contains(place)) else { continue };
            let share = (place.0 - frame.area.left) / APART;
            let column = (share as usize).min(columns.saturating_sub(1));
            let off = (share - column as f64 - 0.5).abs();
            let Some(there) = values.get_mut(column).map(|column| &mut column[number]) else { continue };
            if there.is_none_or(|(nearest, ..)| off < nearest) {
                *there = Some((off, x, y));
            }
        }
    }
    for (column, values) in values.iter().enumerate() {
        let Some((_, x, _)) = values.iter().flatten().next() else { continue };
        let mut text = format!("{} {}", lines.x.label, scale::exact(*x));
        for (series, value) in lines.series.iter().zip(values) {
            if let Some((.., y)) = value {
                let name = if series.name.is_empty() { &lines.y.label } else { &series.name };
                text.push_str(&format!("\n{name}: {}", scale::exact(*y)));
            }
        }
        let left = frame.area.left + column as f64 * APART;
        scene.note(Area { left, right: left + APART, ..frame.area }, text);
    }
}

/// How a series looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) color: Color,
    width: f64,
    mark: Mark,
}

impl Look {
    pub(super) fn entry<'a>(&self, name: &'a str) -> (&'a str, Color, Mark, f64) {
        (name, self.color, self.mark, self.width)
    }
}

/// A colour for each: what is drawn faint has the paler colour of the next that is not, which is its mean.
pub(super) fn looks(series: &[Series], palette: &Palette) -> Vec<Look> {
    let mut index = 0;
    let look = |series: &Series| {
        let (color, round) = (palette.series(index), index / Palette::series_colors());
        if series.stroke == Stroke::Faint {
            return Look { color: palette.pale(color), width: FAINT, mark: Mark::Line };
        }
        index += 1;
        let mark = match series.stroke {
            Stroke::Points => Mark::Dot,
            Stroke::Dashed => Mark::Dashes,
            // Past the last colour they come again, broken.
            _ if round % 2 == 1 => Mark::Dashes,
            _ => Mark::Line,
        };
        Look { color, width: WIDTH, mark }
    };
    series.iter().map(look).collect()
}

/// Draws one series.
pub(super) fn curve(scene: &mut Scene, frame: &Frame, series: &Series, look: Look) {
    let places = series.points.iter().map(|&(x, y)| frame.place(x, y));
    if series.stroke == Stroke::Points {
        // Alone it would be lost on a line.
        let radius = if series.points.len() == 1 { 4.5 } else { 2.6 };
        let mut last = None;
        for place in places.flatten().filter(|&place| frame.area.contains(place)) {
            // One of many at the same place says all that they do.
            let pixel = Some(((place.0 * 2.0).round(), (place.1 * 2.0).round()));
            if pixel != last {
                scene.circle(place, radius, look.color);
            }
            last = pixel;
        }
        return;
    }
    let mut run = Vec::new();
    for place in places.chain([None]) {
        match place {
            Some(place) => {
                if let (Stroke::Steps, Some(&(_, y))) = (series.stroke, run.last()) {
                    run.push((place.0, y));
                }
                run.push(place);
            }
            None => piece(scene, frame, &std::mem::take(&mut run), look),
        }
    }
}

/// Draws what lies between two gaps.
fn piece(scene: &mut Scene, frame: &Frame, run: &[Point], look: Look) {
    if let [place] = run {
        if frame.area.contains(*place) {
            scene.circle(*place, look.width + 1.0, look.color);
        }
        return;
    }
    for line in clipped(&thinned(run), frame.area) {
        match look.mark {
            Mark::Dashes => {
                for dash in dashes(&line) {
                    scene.line(dash, look.width, look.color);
                }
            }
            _ => scene.line(line, look.width, look.color),
        }
    }
}
