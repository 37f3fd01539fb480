//! A function of two variables as a shaded surface, seen from above one corner.

use super::axes::{self, LABEL, Mark, SMALL};
use super::colors::{Color, Palette, mix};
use super::contours;
use super::figure::{Axis, Contours};
use super::font;
use super::lines;
use super::scale::Scale;
use super::scene::{Anchor, Area, Point, Scene};

/// Cells along each side at most: more would be smaller than they can be seen, and make large files.
const CELLS: usize = 50;
/// What the panel takes in height at most, without its labels.
const TALLEST: f64 = 400.0;
/// The heights' range, as a share of a side's length.
const HEIGHT: f64 = 0.6;
/// Where it is seen from: so far turned from the vertical axis's far end, and so far above the ground, in degrees.
const TURN: f64 = 30.0;
const ABOVE: f64 = 36.0;
/// Room for ticks' labels left and right, and for them and the axes' labels below.
const BESIDE: f64 = 70.0;
const BELOW: f64 = 52.0;
/// What a path is lifted by, so that the cell that it lies on does not cover it.
const LIFT: f64 = 0.008;

/// Draws the panel from `top` on and returns where it ends.
pub(super) fn draw(scene: &mut Scene, palette: &Palette, contours: &Contours, (left, top): Point, width: f64) -> f64 {
    let looks = lines::looks(&contours.paths, palette);
    let entries: Vec<_> = contours
        .paths
        .iter()
        .zip(&looks)
        .map(|(path, look)| {
            let (name, color, _, width) = look.entry(&path.name);
            (name, color, Mark::Line, width)
        })
        .collect();
    let top = axes::legend(scene, palette, &entries, (left, top), width);
    let Some(surface) = Surface::new(contours) else {
        let area = Area::new(left, top, width, 120.0);
        axes::nothing(scene, palette, area);
        return area.bottom;
    };
    let view = View::new((left, top), width);
    view.walls(scene, palette);
    view.labels(scene, palette, contours, &surface, (left, top, width));
    let levels = contours::levels(contours);
    let paths: Vec<_> = contours.paths.iter().map(|path| surface.lifted(&path.points)).collect();
    surface.cells(scene, palette, &levels, &view, &paths, &looks);
    for (path, look) in paths.iter().zip(&looks) {
        // What hills hide is seen through them, as a thin line.
        for part in path.split(Option::is_none).filter(|part| part.len() > 1) {
            let places = part.iter().flatten().map(|&place| view.place(place)).collect();
            scene.line(places, 0.9, look.color);
        }
        let mut ends = path.iter().flatten().map(|&place| view.place(place));
        if let Some(first) = ends.next() {
            for (radius, color) in [(5.5, palette.ground), (4.5, look.color), (2.4, palette.ground)] {
                scene.circle(first, radius, color);
            }
        }
        if let Some(last) = path.last().copied().flatten().filter(|_| path.len() > 1) {
            for (radius, color) in [(5.5, palette.ground), (4.5, look.color)] {
                scene.circle(view.place(last), radius, color);
            }
        }
    }
    view.bottom + BELOW
}

/// A place in the box: from -0.5 to 0.5 along both variables, from 0 to [`HEIGHT`] upwards.
type Place = [f64; 3];

/// From places in the box to the picture, in parallel.
struct View {
    center: Point,
    unit: f64,
    bottom: f64,
}

impl View {
    /// The box as large as it fits.
    fn new((left, top): Point, width: f64) -> Self {
        let corners = (0..8).map(|corner| {
            let side = |bit: u32, low: f64, high: f64| if corner >> bit & 1 == 0 { low } else { high };
            flat([side(0, -0.5, 0.5), side(1, -0.5, 0.5), side(2, 0.0, HEIGHT)])
        });
        let (mut wide, mut high, mut low) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (x, y) in corners {
            (wide, high, low) = (wide.max(x.abs()), high.max(-y), low.max(y));
        }
        let unit = ((width - 2.0 * BESIDE) / (2.0 * wide)).min(TALLEST / (high + low));
        let center = (left + width / 2.0, top + 6.0 + high * unit);
        Self { center, unit, bottom: center.1 + low * unit }
    }

    fn place(&self, place: Place) -> Point {
        let (x, y) = flat(place);
        (self.center.0 + self.unit * x, self.center.1 + self.unit * y)
    }

    fn rule(&self, scene: &mut Scene, from: Place, to: Place, color: Color) {
        scene.rule(self.place(from), self.place(to), 1.0, color);
    }

    /// The ground and the edges behind the surface.
    fn walls(&self, scene: &mut Scene, palette: &Palette) {
        let (low, high) = (-0.5, 0.5);
        for (from, to) in [
            ([low, high, 0.0], [high, high, 0.0]),
            ([low, low, 0.0], [low, high, 0.0]),
            ([low, high, 0.0], [low, high, HEIGHT]),
            ([high, high, 0.0], [high, high, HEIGHT]),
            ([low, low, HEIGHT], [low, high, HEIGHT]),
            ([low, high, HEIGHT], [high, high, HEIGHT]),
        ] {
            self.rule(scene, from, to, palette.grid);
        }
        for (from, to) in [
            ([low, low, 0.0], [high, low, 0.0]),
            ([high, low, 0.0], [high, high, 0.0]),
            ([low, low, 0.0], [low, low, HEIGHT]),
        ] {
            self.rule(scene, from, to, palette.axis);
        }
    }

    /// Ticks and labels of the three axes.
    fn labels(
        &self,
        scene: &mut Scene,
        palette: &Palette,
        contours: &Contours,
        surface: &Surface,
        (left, top, width): (f64, f64, f64),
    ) {
        let length = |from: Place, to: Place| {
            let (from, to) = (self.place(from), self.place(to));
            (to.0 - from.0).hypot(to.1 - from.1)
        };
        let ground = [
            (&contours.x, [-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], -1.0, Anchor::End),
            (&contours.y, [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], 1.0, Anchor::Start),
        ];
        for (axis, from, to, side, anchor) in ground {
            let scale = Scale::new(axis, [].into_iter(), 0.0).between(0.0, 1.0);
            let mut widest = 0.0_f64;
            for tick in scale.ticks((length(from, to) / 55.0) as usize) {
                let Some(share) = scale.place(tick.value).filter(|_| !tick.label.is_empty()) else { continue };
                let (x, y) = self.place([0, 1, 2].map(|i: usize| from[i] + share * (to[i] - from[i])));
                widest = widest.max(font::width(&tick.label, SMALL));
                scene.rule((x, y), (x + 4.0 * side, y + 4.0), 1.0, palette.axis);
                scene.text(tick.label, (x + 6.0 * side, y + 5.0 + SMALL), anchor, SMALL, palette.soft);
            }
            // Beside the middle of its edge, or where that is too narrow below all.
            let middle = self.place([0, 1, 2].map(|i: usize| f64::midpoint(from[i], to[i])));
            let beside = (middle.0 + side * (16.0 + widest), middle.1 + 42.0);
            let room = if side < 0.0 { beside.0 - left } else { left + width - beside.0 };
            if font::width(&axis.label, LABEL) <= room {
                scene.text(axis.label.clone(), beside, anchor, LABEL, palette.text);
            } else {
                let label = font::cut(&axis.label, LABEL, width / 2.0 - 20.0);
                let place = (left + width / 2.0 + side * width / 4.0, self.bottom + BELOW - 8.0);
                scene.text(label, place, Anchor::Middle, LABEL, palette.text);
            }
        }
        let (foot, head) = ([-0.5, -0.5, 0.0], [-0.5, -0.5, HEIGHT]);
        let heights = Axis { label: String::new(), logarithmic: false, range: Some((surface.low, surface.high)) };
        let scale = Scale::new(&heights, [].into_iter(), 0.0).between(0.0, 1.0);
        let (mut widest, at) = (0.0_f64, self.place(foot));
        for tick in scale.ticks((length(foot, head) / 30.0) as usize) {
            let Some(share) = scale.place(tick.value) else { continue };
            let (x, y) = self.place([-0.5, -0.5, share * HEIGHT]);
            scene.rule((x - 5.0, y), (x, y), 1.0, palette.axis);
            // The first tick of the horizontal axis is there.
            if at.1 - y > SMALL {
                widest = widest.max(font::width(&tick.label, SMALL));
                scene.text(tick.label, (x - 9.0, y + 0.36 * SMALL), Anchor::End, SMALL, palette.soft);
            }
        }
        let label = font::cut(&contours.label, LABEL, self.bottom - top);
        let x = (at.0 - 9.0 - widest - 8.0).max(left + LABEL);
        scene.upwards(label, (x, f64::midpoint(top, self.bottom)), LABEL, palette.text);
    }
}

/// Where a place is seen, in sides of the box, downwards.
fn flat([x, y, z]: Place) -> Point {
    let ((turn, turned), (above, level)) = (TURN.to_radians().sin_cos(), ABOVE.to_radians().sin_cos());
    let (right, away) = (x * turned + y * turn, y * turned - x * turn);
    (right, -(away * above + z * level))
}

/// The function on a coarser grid, as heights.
struct Surface {
    low: f64,
    high: f64,
    columns: usize,
    rows: usize,
    /// Row-major from the smallest y and x; those that are not finite are no part of it.
    values: Vec<f64>,
    x: Scale,
    y: Scale,
}

impl Surface {
    /// `None` where there is nothing to see.
    fn new(contours: &Contours) -> Option<Self> {
        let Contours { rows, columns, values, .. } = contours;
        if *rows < 2 || *columns < 2 || values.len() != rows * columns {
            return None;
        }
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let range = high - low;
        if !range.is_finite() {
            return None;
        }
        // What rounding alone parts is level: half way up.
        let size = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
        let (low, high) = if range > 1e-12 * size { (low, high) } else { (low - 0.1 * size, high + 0.1 * size) };
        let places = |count: usize| -> Vec<usize> {
            let cells = (count - 1).min(CELLS);
            (0..=cells).map(|cell| cell * (count - 1) / cells).collect()
        };
        let (across, along) = (places(*columns), places(*rows));
        let kept = along.iter().flat_map(|row| across.iter().map(move |column| values[row * columns + column]));
        let scale = |axis: &Axis| Scale::new(axis, [].into_iter(), 0.0).between(-0.5, 0.5);
        Some(Self {
            low,
            high,
            values: kept.collect(),
            columns: across.len(),
            rows: along.len(),
            x: scale(&contours.x),
            y: scale(&contours.y),
        })
    }

    fn height(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low) * HEIGHT
    }

    /// A corner of the grid.
    fn corner(&self, column: usize, row: usize) -> Place {
        let share = |index: usize, count: usize| index as f64 / (count - 1) as f64 - 0.5;
        let value = self.values[row * self.columns + column];
        [share(column, self.columns), share(row, self.rows), self.height(value)]
    }

    /// The cell in which a place is, and where in it; `None` outside of the ground.
    fn cell(&self, x: f64, y: f64) -> Option<(usize, usize, f64, f64)> {
        let part = |at: f64, count: usize| {
            let at = (at + 0.5) * (count - 1) as f64;
            let cell = (at as usize).min(count - 2);
            (-1e-9..=(count - 1) as f64 + 1e-9).contains(&at).then_some((cell, at - cell as f64))
        };
        let ((column, u), (row, v)) = (part(x, self.columns)?, part(y, self.rows)?);
        Some((column, row, u, v))
    }

    /// A path on the surface, in steps of half a cell; gaps where it leaves it.
    fn lifted(&self, points: &[(f64, f64)]) -> Vec<Option<Place>> {
        let on_ground = |&(x, y): &(f64, f64)| Some((self.x.place(x)?, self.y.place(y)?));
        let up = |(x, y): Point| {
            let (column, row, u, v) = self.cell(x, y)?;
            let [a, b, c, d] = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| self.corner(column + i, row + j)[2]);
            let z = (a * (1.0 - u) + b * u) * (1.0 - v) + (c * (1.0 - u) + d * u) * v + LIFT;
            z.is_finite().then_some([x, y, z])
        };
        let mut lifted: Vec<_> = points.first().map(|point| on_ground(point).and_then(up)).into_iter().collect();
        for pair in points.windows(2) {
            let (Some(from), Some(to)) = (on_ground(&pair[0]), on_ground(&pair[1])) else {
                lifted.push(on_ground(&pair[1]).and_then(up));
                continue;
            };
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let pieces = (length * 2.0 * CELLS as f64).ceil().clamp(1.0, 4.0 * CELLS as f64);
            for piece in 1..=pieces as usize {
                let share = piece as f64 / pieces;
                lifted.push(up((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))));
            }
        }
        lifted
    }

    /// The cells from the farthest to the nearest, each with what runs over it.
    fn cells(
        &self,
        scene: &mut Scene,
        palette: &Palette,
        levels: &[f64],
        view: &View,
        paths: &[Vec<Option<Place>>],
        looks: &[lines::Look],
    ) {
        let (columns, rows) = (self.columns - 1, self.rows - 1);
        let mut over: Vec<Vec<(usize, Place, Place)>> = vec![Vec::new(); columns * rows];
        for (index, path) in paths.iter().enumerate() {
            for pair in path.windows(2) {
                let (Some(from), Some(to)) = (pair[0], pair[1]) else { continue };
                let middle = (f64::midpoint(from[0], to[0]), f64::midpoint(from[1], to[1]));
                if let Some((column, row, ..)) = self.cell(middle.0, middle.1) {
                    over[row * columns + column].push((index, from, to));
                }
            }
        }
        for row in (0..rows).rev() {
            for column in 0..columns {
                let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(i, j)| self.corner(column + i, row + j));
                if corners.iter().all(|corner| corner[2].is_finite()) {
                    let value = corners.iter().map(|corner| corner[2]).sum::<f64>() / 4.0 / HEIGHT;
                    let value = self.low + value * (self.high - self.low);
                    let color = shaded(contours::between(palette, levels, (self.low, self.high), value), &corners);
                    let places = corners.map(|corner| view.place(corner));
                    scene.polygon(places.to_vec(), color);
                    // The edges towards the eye: the others belong to the cells behind.
                    let edges = vec![places[0], places[1], places[2]];
                    scene.line(edges, 0.5, mix(color, palette.text, 0.22));
                }
                for &(index, from, to) in &over[row * columns + column] {
                    scene.line(vec![view.place(from), view.place(to)], 2.6, looks[index].color);
                }
            }
        }
    }
}

/// A colour in the light that falls from the left and above.
fn shaded(color: Color, corners: &[Place; 4]) -> Color {
    let [a, b, c, d] = corners;
    let across = (b[2] + c[2] - a[2] - d[2]) / 2.0 / (b[0] - a[0]);
    let along = (c[2] + d[2] - a[2] - b[2]) / 2.0 / (d[1] - a[1]);
    let light = [-0.55, -0.3, 0.78];
    let length = (across * across + along * along + 1.0).sqrt();
    let lit = ((light[2] - light[0] * across - light[1] * along) / length).clamp(0.0, 1.0);
    // Level ground keeps its colour; what turns to the light is paler, what turns from it darker.
    if lit > light[2] {
        mix(color, [255; 3], 0.9 * (lit - light[2]))
    } else {
        mix(color, [0; 3], 0.42 * (light[2] - lit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::{Series, Stroke, Theme};

    fn contours(f: fn(f64, f64) -> f64, points: &[(f64, f64)]) -> Contours {
        let axis = |label: &str| Axis { label: label.into(), logarithmic: false, range: Some((-2.0, 2.0)) };
        let at = |index: usize| index as f64 / 40.0 * 4.0 - 2.0;
        Contours {
            x: axis("x0"),
            y: axis("x1"),
            label: "f".into(),
            values: (0..41 * 41).map(|index| f(at(index % 41), at(index / 41))).collect(),
            columns: 41,
            rows: 41,
            logarithmic: false,
            arrows: Vec::new(),
            paths: vec![Series { name: "way".into(), points: points.to_vec(), stroke: Stroke::Solid }],
        }
    }

    #[test]
    fn a_path_lies_on_the_surface_and_has_gaps_where_there_is_none() {
        let all = contours(|x, y| x * x + y * y, &[(-2.0, 0.0), (0.0, 0.0), (f64::NAN, 0.0), (1.0, 1.0), (9.0, 9.0)]);
        let surface = Surface::new(&all).unwrap();
        let path = surface.lifted(&all.paths[0].points);
        // From the middle of an edge, half way up, to the bottom.
        assert!((path[0].unwrap()[2] - 0.5 * HEIGHT - LIFT).abs() < 1e-12, "{:?}", path[0]);
        let bottom = path.iter().position(Option::is_none).unwrap() - 1;
        assert_eq!(path[bottom].map(|place| place[..2].to_vec()), Some(vec![0.0, 0.0]));
        assert!(path[..=bottom].windows(2).all(|pair| pair[1].unwrap()[2] < pair[0].unwrap()[2] + 1e-12));
        assert!(path.last().unwrap().is_none(), "it ends outside");
    }

    #[test]
    fn what_is_nearer_is_drawn_later_and_level_ground_is_half_way_up() {
        let near = |x: f64, y: f64| flat([x, y, 0.0]).1;
        assert!(near(0.5, -0.5) > near(-0.5, -0.5) && near(0.5, 0.5) > near(-0.5, 0.5));
        assert!(near(0.0, -0.5) > near(0.0, 0.5) && flat([0.0, 0.0, HEIGHT]).1 < 0.0);
        let level = Surface::new(&contours(|_, _| 3.0, &[])).unwrap();
        assert!((level.height(3.0) - HEIGHT / 2.0).abs() < 1e-9);
        assert!(Surface::new(&contours(|_, _| f64::NAN, &[])).is_none());
        let mut scene = Scene { width: 800.0, height: 0.0, title: String::new(), shapes: Vec::new() };
        let bottom = draw(&mut scene, Palette::of(Theme::Light), &contours(|_, _| f64::NAN, &[]), (20.0, 20.0), 760.0);
        assert!(bottom > 20.0 && !scene.shapes.is_empty(), "it says that there are no values");
    }

    #[test]
    fn what_turns_to_the_light_is_paler() {
        let cell = |slope: f64| [[0.0, 0.0, 0.0], [0.1, 0.0, 0.1 * slope], [0.1, 0.1, 0.1 * slope], [0.0, 0.1, 0.0]];
        let [rising, level, falling] = [0.6, 0.0, -0.6].map(|slope| shaded([120; 3], &cell(slope))[0]);
        assert!(rising > level && level > falling && level == 120, "{rising} {level} {falling}");
    }
}
