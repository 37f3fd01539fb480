//! Smooth lines: a curve along control points, and noise that changes gently along it.

use super::random::SplitMix64;

/// x to the right, y down.
pub(crate) type Point = [f32; 2];

/// Straight pieces between two control points.
const PIECES: usize = 8;

/// A smooth path along the points (see [`spline`]), broken at corners.
pub(crate) fn curve(points: &[Point], roundness: f32) -> Vec<Point> {
    let mut path = vec![points[0]];
    for run in points.chunk_by(|a, b| a != b) {
        let last = run.len() - 1;
        for index in 0..last {
            let (from, to) = (run[index], run[index + 1]);
            // Beyond an end the neighbour is mirrored, which leaves the end unbent.
            let before = if index > 0 { run[index - 1] } else { mirror(from, to) };
            let after = if index + 1 < last { run[index + 2] } else { mirror(to, from) };
            for piece in 1..=PIECES {
                let t = piece as f32 / PIECES as f32;
                path.push([0, 1].map(|axis| spline([before, from, to, after].map(|point| point[axis]), t, roundness)));
            }
        }
    }
    path
}

/// `other` seen from the opposite side of `point`.
fn mirror(point: Point, other: Point) -> Point {
    [2.0 * point[0] - other[0], 2.0 * point[1] - other[1]]
}

/// From `p[1]` (t = 0) to `p[2]` (t = 1) between the uniform Catmull-Rom spline, which runs through the points
/// (`roundness` 0), and the uniform cubic B-spline, which cuts corners for a continuous curvature (`roundness` 1).
fn spline(p: [f32; 4], t: f32, roundness: f32) -> f32 {
    let slope = p[2] - p[0];
    let through = {
        let square = 2.0 * p[0] - 5.0 * p[1] + 4.0 * p[2] - p[3];
        let cube = 3.0 * (p[1] - p[2]) + p[3] - p[0];
        p[1] + 0.5 * t * (slope + t * (square + t * cube))
    };
    let round = {
        let square = p[0] - 2.0 * p[1] + p[2];
        let cube = (p[3] - p[0]) / 3.0 + p[1] - p[2];
        (p[0] + 4.0 * p[1] + p[2]) / 6.0 + 0.5 * t * (slope + t * (square + t * cube))
    };
    through + roundness * (round - through)
}

/// Smooth noise along a stroke: random values, one for every `spacing` steps, with smoothstep between them.
pub(crate) struct Noise {
    values: Vec<f32>,
    spacing: usize,
}

impl Noise {
    /// Draws noise for the steps `0..=steps`.
    pub(crate) fn draw(steps: usize, spacing: usize, random: &mut SplitMix64) -> Self {
        Self { values: (0..steps / spacing + 2).map(|_| random.bell()).collect(), spacing }
    }

    /// The noise at one step; its standard deviation is 1 at the drawn values and less between them.
    pub(crate) fn at(&self, step: usize) -> f32 {
        let (cell, rest) = (step / self.spacing, step % self.spacing);
        let t = rest as f32 / self.spacing as f32;
        let blend = t * t * (3.0 - 2.0 * t);
        self.values[cell] + blend * (self.values[cell + 1] - self.values[cell])
    }
}
