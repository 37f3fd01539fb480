//! How often values fall between two edges, as bars.

use super::axes::{self, Vertical};
use super::colors::Palette;
use super::figure::{Axis, Histogram};
use super::scale::{self, Scale};
use super::scene::{Area, Point, Scene};

/// Draws the panel from `top` on, `height` pixels of data, and returns where it ends.
pub(super) fn draw(
    scene: &mut Scene,
    palette: &Palette,
    histogram: &Histogram,
    (left, top): Point,
    width: f64,
    height: f64,
) -> f64 {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let counts = Axis { label: "count".into(), logarithmic: false, range: Some((0.0, most * 1.05)) };
    let x = Scale::new(&histogram.x, histogram.edges.iter().copied(), 0.01);
    let vertical = Vertical::new(&counts, Scale::new(&counts, [].into_iter(), 0.0), height);
    let inner = width - vertical.width - axes::BESIDE;
    let frame = axes::draw(scene, palette, (left, top), (&histogram.x, x), &vertical, inner, true);
    if histogram.counts.iter().all(|&count| count == 0) {
        axes::nothing(scene, palette, frame.area);
    }
    for (edges, &count) in histogram.edges.windows(2).zip(&histogram.counts) {
        let places = [frame.place(edges[0], 0.0), frame.place(edges[1], count as f64)];
        let [Some((from, bottom)), Some((to, top))] = places else { continue };
        let (from, to) = (from.max(frame.area.left), to.min(frame.area.right));
        if count > 0 && from < to {
            // Bars part where they are wide enough to.
            let gap = if to - from > 4.0 { 1.0 } else { 0.0 };
            scene.rect(Area { left: from, right: to - gap, top: top.min(bottom - 1.0), bottom }, palette.series(0));
            let [low, high] = [edges[0], edges[1]].map(scale::short);
            let whole = Area { left: from, right: to, top: frame.area.top, bottom };
            scene.note(whole, format!("from {low} to {high}: {}", crate::report::count(count)));
        }
    }
    frame.bottom
}
