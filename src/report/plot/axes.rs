//! The frame of a panel: axes with ticks and labels, and the legend above it.

use super::colors::{Color, Palette};
use super::figure::Axis;
use super::font;
use super::scale::{Scale, Tick};
use super::scene::{Anchor, Area, Point, Scene, Text};

/// Letters of axes' and legends' labels, and of ticks, in pixels.
pub(super) const LABEL: f64 = 13.0;
pub(super) const SMALL: f64 = 12.0;
/// What the labels below a panel take.
const BELOW: f64 = 46.0;
/// Half of the last tick's label, right of a panel.
pub(super) const BESIDE: f64 = 14.0;
/// Between two labels of ticks.
const GAP: f64 = 10.0;
const TICK: f64 = 5.0;

/// A panel's axes, drawn.
#[derive(Debug)]
pub(super) struct Frame {
    /// Where data go.
    pub(super) area: Area,
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// The lowest that is taken.
    pub(super) bottom: f64,
}

impl Frame {
    /// Where a point is, if it has a place.
    pub(super) fn place(&self, x: f64, y: f64) -> Option<Point> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }
}

/// A vertical axis whose labels are chosen: how much room it takes depends on them.
pub(super) struct Vertical {
    ticks: Vec<Tick>,
    label: Vec<String>,
    scale: Scale,
    height: f64,
    /// Left of the data.
    pub(super) width: f64,
}

impl Vertical {
    pub(super) fn new(axis: &Axis, scale: Scale, height: f64) -> Self {
        let ticks = scale.ticks((height / 42.0) as usize);
        let widest = ticks.iter().map(|tick| font::width(&tick.label, SMALL)).fold(0.0, f64::max);
        let label = label_lines(&axis.label, height);
        let width = widest + TICK + 5.0 + label.len() as f64 * (LABEL + 4.0) + 4.0;
        Self { ticks, label, scale, height, width }
    }
}

/// A label in at most two lines.
fn label_lines(label: &str, room: f64) -> Vec<String> {
    let lines = font::wrapped(label, LABEL, room);
    match lines.len() {
        0..=2 => lines.iter().map(|line| font::cut(line, LABEL, room)).collect(),
        _ => vec![font::cut(&lines[0], LABEL, room), font::cut(&lines[1..].join(" "), LABEL, room)],
    }
}

/// Draws axes around an area of `width` times the vertical axis's height, whose labels begin at `left` and which itself
/// begins at `top`; with a grid, where nothing is painted over it.
pub(super) fn draw(
    scene: &mut Scene,
    palette: &Palette,
    (left, top): Point,
    (axis, x): (&Axis, Scale),
    vertical: &Vertical,
    width: f64,
    grid: bool,
) -> Frame {
    let area = Area::new(left + vertical.width, top, width, vertical.height);
    let (x, y) = (x.between(area.left, area.right), vertical.scale.between(area.bottom, area.top));
    let ticks = fitting(&x, scene.width, width);
    for tick in &vertical.ticks {
        let Some(place) = y.place(tick.value) else { continue };
        let labelled = !tick.label.is_empty();
        if grid && labelled {
            scene.rule((area.left, place), (area.right, place), 1.0, palette.grid);
        }
        let length = if labelled { TICK } else { TICK / 2.0 };
        scene.rule((area.left - length, place), (area.left, place), 1.0, palette.axis);
        if labelled {
            let at = (area.left - TICK - 4.0, place + 0.36 * SMALL);
            scene.text(tick.label.clone(), at, Anchor::End, SMALL, palette.soft);
        }
    }
    for (tick, place, text) in ticks {
        let labelled = !tick.label.is_empty();
        if grid && labelled {
            scene.rule((place, area.top), (place, area.bottom), 1.0, palette.grid);
        }
        let length = if labelled { TICK } else { TICK / 2.0 };
        scene.rule((place, area.bottom), (place, area.bottom + length), 1.0, palette.axis);
        if labelled {
            scene.text(tick.label, (text, area.bottom + TICK + SMALL + 1.0), Anchor::Middle, SMALL, palette.soft);
        }
    }
    scene.line(vec![(area.left, area.top), (area.left, area.bottom), (area.right, area.bottom)], 1.0, palette.axis);
    let (middle_x, middle_y) = area.center();
    for (index, line) in vertical.label.iter().enumerate() {
        scene.upwards(line.clone(), (left + LABEL - 2.0 + index as f64 * (LABEL + 4.0), middle_y), LABEL, palette.text);
    }
    let label = font::cut(&axis.label, LABEL, 2.0 * (middle_x - left).min(scene.width - middle_x));
    if !label.is_empty() {
        scene.text(label, (middle_x, area.bottom + 40.0), Anchor::Middle, LABEL, palette.text);
    }
    Frame { area, x, y, bottom: area.bottom + if axis.label.is_empty() { 26.0 } else { BELOW } }
}

/// As many marks as have room beside each other: each with its place and its label's.
fn fitting(scale: &Scale, right: f64, width: f64) -> Vec<(Tick, f64, f64)> {
    let mut wanted = (width / 55.0) as usize;
    loop {
        let mut end = f64::NEG_INFINITY;
        let mut fits = true;
        let mut placed = Vec::new();
        let mut ticks = scale.ticks(wanted);
        ticks.sort_by(|a, b| a.value.total_cmp(&b.value));
        for tick in ticks {
            let Some(place) = scale.place(tick.value) else { continue };
            let half = font::width(&tick.label, SMALL) / 2.0;
            let text = place.min(right - half - 2.0);
            if !tick.label.is_empty() {
                fits &= text - half >= end + GAP;
                end = text + half;
            }
            placed.push((tick, place, text));
        }
        if fits || wanted <= 1 {
            return placed;
        }
        wanted -= 1;
    }
}

/// How an entry of a legend is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Line,
    Dashes,
    Dot,
}

/// Draws a legend from `top` on, in as many rows as it takes, and returns where it ends.
pub(super) fn legend(
    scene: &mut Scene,
    palette: &Palette,
    entries: &[(&str, Color, Mark, f64)],
    (left, top): Point,
    width: f64,
) -> f64 {
    const MARK: f64 = 24.0;
    const ROW: f64 = 20.0;
    let (mut x, mut y) = (left, top);
    for &(name, color, mark, thickness) in entries.iter().filter(|entry| !entry.0.is_empty()) {
        let name = font::cut(name, LABEL, width - MARK - 6.0);
        let taken = MARK + 6.0 + font::width(&name, LABEL);
        if x > left && x + taken > left + width {
            (x, y) = (left, y + ROW);
        }
        let middle = y + ROW / 2.0;
        match mark {
            Mark::Line => scene.rule((x, middle), (x + MARK, middle), thickness, color),
            Mark::Dashes => {
                for dash in 0..3 {
                    let from = x + f64::from(dash) * 9.0;
                    scene.rule((from, middle), (from + 5.0, middle), thickness, color);
                }
            }
            Mark::Dot => scene.circle((x + MARK / 2.0, middle), 3.5, color),
        }
        scene.text(name, (x + MARK + 6.0, middle + 0.36 * LABEL), Anchor::Start, LABEL, palette.text);
        x += taken + 20.0;
    }
    if x > left { y + ROW + 8.0 } else { y }
}

/// Says in the middle of an area why it is empty.
pub(super) fn nothing(scene: &mut Scene, palette: &Palette, area: Area) {
    let (x, y) = area.center();
    let text = Text {
        text: "no values".into(),
        place: (x, y + 0.36 * LABEL),
        anchor: Anchor::Middle,
        size: LABEL,
        color: palette.soft,
        upwards: false,
    };
    let Area { left, top, right, bottom } = text.area();
    // The grid would run through it.
    scene.rect(Area { left: left - 6.0, top: top - 3.0, right: right + 6.0, bottom: bottom + 3.0 }, palette.ground);
    scene.text(text.text, text.place, text.anchor, text.size, text.color);
}
