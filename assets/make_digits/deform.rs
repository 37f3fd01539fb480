//! The hand: bends a skeleton the way writers, moods and pens do, and gives the pen's path over the paper.
//!
//! Lengths are fractions of the digit's height until [`write`] scales the path to pixels. Only `+ - * /` and `sqrt` on
//! floats, which IEEE 754 rounds the same way everywhere: rotations come from the half angle's tangent.

use super::curve::{Noise, Point, curve};
use super::random::SplitMix64;
use super::strokes::ALLOGRAPHS;

/// Standard deviation of a control point's own displacement.
const POINT_JITTER: f32 = 0.036;
/// Standard deviation of a whole stroke's displacement against the others.
const STROKE_JITTER: f32 = 0.022;
/// Standard deviation of each coefficient of the smooth warp.
const WARP: f32 = 0.074;
/// Standard deviation of the slant: sideways shift per unit of height.
const SLANT: f32 = 0.24;
/// Standard deviation of the tangent of half the rotation (0.065 is about 7.5 degrees).
const HALF_TURN: f32 = 0.065;
/// Largest amplitude of the tremor along the stroke.
const TREMOR: f32 = 0.016;
/// Probability that the pen skips for a moment.
const SKIP: f32 = 0.05;
/// Probability that the paper has a stray mark.
const STRAY: f32 = 0.04;
/// Largest distance, in pixels and along each axis, of the centre of mass from the image's middle.
const DRIFT: f32 = 1.9;
/// Side of the box, in pixels, that the digit's longer side fills at size 1 (as in the MNIST files).
const BOX: f32 = 20.0;

/// The pen at one moment; in pixels from the image's middle once [`write`] has returned it.
#[derive(Clone, Copy)]
pub(crate) struct Nib {
    /// Rightwards.
    pub(crate) x: f32,
    /// Downwards.
    pub(crate) y: f32,
    /// Half the width of the trace.
    pub(crate) radius: f32,
    /// How much ink flows: 1 is white.
    pub(crate) ink: f32,
}

/// What one sweep of the pen leaves: straight pieces between neighbouring nibs.
pub(crate) type Trace = Vec<Nib>;

/// Writes `digit` once, as chance will have it.
pub(crate) fn write(digit: usize, random: &mut SplitMix64) -> Vec<Trace> {
    let bend = Bend::draw(random);
    let roundness = random.between(0.3, 1.0);
    let mut paths: Vec<Vec<Point>> = choose(digit, random)
        .iter()
        .map(|stroke| {
            let mut path = curve(&bend.apply(&jitter(stroke, random)), roundness);
            tremble(&mut path, random);
            path
        })
        .collect();
    fit(&mut paths, BOX * random.between(0.82, 1.04));

    let mut traces = ink(&paths, random);
    if random.chance(SKIP) {
        skip(&mut traces, random);
    }
    let drift = [random.between(-DRIFT, DRIFT), random.between(-DRIFT, DRIFT)];
    centre(&mut traces, drift);
    if random.chance(STRAY) {
        traces.push(stray(random));
    }
    traces
}

/// One of the digit's allographs, by weight.
fn choose(digit: usize, random: &mut SplitMix64) -> &'static [&'static [(i8, i8)]] {
    let allographs = ALLOGRAPHS[digit];
    let total: usize = allographs.iter().map(|allograph| usize::from(allograph.weight)).sum();
    let mut ticket = random.below(total);
    let mut index = 0;
    while ticket >= usize::from(allographs[index].weight) {
        ticket -= usize::from(allographs[index].weight);
        index += 1;
    }
    allographs[index].strokes
}

/// Displaces a stroke as a whole and each of its points; corners (doubled points) stay corners.
fn jitter(stroke: &[(i8, i8)], random: &mut SplitMix64) -> Vec<Point> {
    let offset = [STROKE_JITTER * random.bell(), STROKE_JITTER * random.bell()];
    let mut points: Vec<Point> = Vec::with_capacity(stroke.len());
    for (index, &(x, y)) in stroke.iter().enumerate() {
        if index > 0 && stroke[index - 1] == (x, y) {
            points.push(points[index - 1]);
            continue;
        }
        // Ends are less sure than the middle of a movement.
        let size = if index == 0 || index + 1 == stroke.len() { 1.5 * POINT_JITTER } else { POINT_JITTER };
        points.push([
            f32::from(x) / 100.0 + offset[0] + size * random.bell(),
            f32::from(y) / 100.0 + offset[1] + size * random.bell(),
        ]);
    }
    points
}

/// What happens to the digit as a whole: a smooth warp, then aspect, slant and rotation.
struct Bend {
    /// Coefficients of `[u^2, u v, v^2, u^2 v, u v^2]` for each coordinate.
    warp: [[f32; 5]; 2],
    width: f32,
    slant: f32,
    cosine: f32,
    sine: f32,
}

impl Bend {
    fn draw(random: &mut SplitMix64) -> Self {
        let warp = [(); 2].map(|()| [(); 5].map(|()| WARP * random.bell()));
        let width = 1.0 + 0.16 * random.bell();
        // Most writers lean to the right.
        let slant = 0.12 + SLANT * random.bell();
        let half = HALF_TURN * random.bell();
        let norm = 1.0 + half * half;
        Self { warp, width, slant, cosine: (1.0 - half * half) / norm, sine: 2.0 * half / norm }
    }

    fn apply(&self, points: &[Point]) -> Vec<Point> {
        let bent = |&[x, y]: &Point| {
            // From the digit's middle, so that the warp is of the size of its coefficients at the edges.
            let (u, v) = (2.0 * x - 0.66, 2.0 * y - 1.0);
            let terms = [u * u, u * v, v * v, u * u * v, u * v * v];
            let shift = |row: &[f32; 5]| row.iter().zip(terms).fold(0.0, |sum, (weight, term)| sum + weight * term);
            let x = 0.5 * self.width * (u + shift(&self.warp[0]));
            let y = 0.5 * (v + shift(&self.warp[1]));
            let x = x - self.slant * y;
            [self.cosine * x - self.sine * y, self.sine * x + self.cosine * y]
        };
        points.iter().map(bent).collect()
    }
}

/// An unsteady hand: shifts the path smoothly to and fro.
fn tremble(path: &mut [Point], random: &mut SplitMix64) {
    let amplitude = TREMOR * random.unit();
    for axis in 0..2 {
        let noise = Noise::draw(path.len(), 5, random);
        for (step, point) in path.iter_mut().enumerate() {
            point[axis] += amplitude * noise.at(step);
        }
    }
}

/// Scales the paths so that their bounding box's longer side is `side` pixels.
fn fit(paths: &mut [Vec<Point>], side: f32) {
    let points = || paths.iter().flatten();
    let extent = |axis: usize| {
        let low = points().fold(f32::INFINITY, |low, point| low.min(point[axis]));
        let high = points().fold(f32::NEG_INFINITY, |high, point| high.max(point[axis]));
        high - low
    };
    let scale = side / extent(0).max(extent(1));
    for point in paths.iter_mut().flatten() {
        *point = point.map(|coordinate| coordinate * scale);
    }
}

/// Gives the paths a pen: width and ink vary along each stroke, which thins out towards its end.
fn ink(paths: &[Vec<Point>], random: &mut SplitMix64) -> Vec<Trace> {
    let pen = random.between(0.75, 1.8);
    let pressure = random.between(0.04, 0.2);
    let taper = random.between(0.0, 0.5);
    let flow = random.between(0.85, 1.4);
    let dryness = random.between(0.0, 0.12);
    let trace = |path: &Vec<Point>| {
        let width = Noise::draw(path.len(), 9, random);
        let wetness = Noise::draw(path.len(), 7, random);
        let mut trace = Trace::with_capacity(path.len());
        for (step, &[x, y]) in path.iter().enumerate() {
            let done = step as f32 / path.len() as f32;
            let radius = pen * (1.0 + pressure * width.at(step)) * (1.0 - taper * done * done * done);
            trace.push(Nib { x, y, radius: radius.max(0.45), ink: flow + dryness * wetness.at(step) });
        }
        trace
    };
    paths.iter().map(trace).collect()
}

/// The pen loses contact for a moment: cuts a few steps out of one trace.
fn skip(traces: &mut Vec<Trace>, random: &mut SplitMix64) {
    let index = random.below(traces.len());
    let trace = &mut traces[index];
    let start = 1 + random.below(trace.len() - 1);
    let rest = trace.split_off(start);
    let gap = 2 + random.below(5);
    if rest.len() > gap + 1 {
        traces.push(rest[gap..].to_vec());
    }
}

/// Moves the ink's centre of mass to `drift` pixels from the middle.
fn centre(traces: &mut [Trace], drift: Point) {
    let (mut mass, mut moment) = (0.0, [0.0, 0.0]);
    for pair in traces.iter().flat_map(|trace| trace.windows(2)) {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        let weight = (dx * dx + dy * dy).sqrt() * (pair[0].radius + pair[1].radius);
        mass += weight;
        moment[0] += weight * 0.5 * (pair[0].x + pair[1].x);
        moment[1] += weight * 0.5 * (pair[0].y + pair[1].y);
    }
    for nib in traces.iter_mut().flatten() {
        nib.x += drift[0] - moment[0] / mass;
        nib.y += drift[1] - moment[1] / mass;
    }
}

/// A dash of ink that does not belong to the digit: the end of a neighbour, or a slip of the pen.
fn stray(random: &mut SplitMix64) -> Trace {
    let (x, y) = (random.between(-10.0, 10.0), random.between(-10.0, 10.0));
    let (dx, dy) = (random.between(-2.5, 2.5), random.between(-2.5, 2.5));
    let (radius, ink) = (random.between(0.4, 0.9), random.between(0.4, 1.0));
    vec![Nib { x, y, radius, ink }, Nib { x: x + dx, y: y + dy, radius, ink }]
}
