//! Draws the embedded digits. Only additions, multiplications, divisions and square roots are used, and a generator
//! of known sequence, so that every platform draws the same bytes.

mod glyphs;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Pixels of a side.
pub(crate) const SIDE: usize = 28;

/// Images and labels of one split.
pub(crate) struct Digits {
    /// `[count, 28 * 28]`
    pub(crate) images: Vec<u8>,
    /// `[count]`
    pub(crate) labels: Vec<u8>,
}

/// Draws `count` digits, the classes in turn before they are shuffled by the draw of each label.
pub(crate) fn draw(count: usize, seed: u64) -> Digits {
    let mut random = Random(Pcg64::seed_from_u64(seed));
    let mut labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
    for index in (1..count).rev() {
        labels.swap(index, random.below(index + 1));
    }
    let images = labels.iter().flat_map(|&label| digit(label, &mut random)).collect();
    Digits { images, labels }
}

/// Uniform and bell-shaped numbers.
struct Random(Pcg64);

impl Random {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// Mean 0, variance 1, at most 3.5: the sum of twelve uniform numbers, near enough to a normal one.
    fn bell(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        (sum - 6.0).clamp(-3.5, 3.5)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }
}

/// A point of a stroke, in a box of side 1 with y downwards.
type Point = [f64; 2];

/// One hand-drawn digit.
fn digit(label: u8, random: &mut Random) -> Vec<u8> {
    let shapes = glyphs::of(label);
    let shape = shapes[random.below(shapes.len())];
    let hand = Hand::new(random);
    let wobble = random.between(0.02, 0.065);
    let mut segments = Vec::new();
    for stroke in shape {
        let points: Vec<Point> =
            stroke.iter().map(|[x, y]| [x + wobble * random.bell(), y + wobble * random.bell()]).collect();
        let curve: Vec<Point> = smooth(&points).into_iter().map(|point| hand.place(point)).collect();
        let break_at = if random.unit() < 0.06 { random.below(curve.len()) } else { usize::MAX };
        for (index, pair) in curve.windows(2).enumerate() {
            if index.abs_diff(break_at) > 1 {
                let along = index as f64 / curve.len() as f64;
                segments.push((pair[0], pair[1], hand.width * (1.0 + hand.taper * (along - 0.5))));
            }
        }
    }
    if random.unit() < 0.12 {
        let from = [random.between(4.0, 24.0), random.between(4.0, 24.0)];
        let to = [from[0] + 2.5 * random.bell(), from[1] + 2.5 * random.bell()];
        segments.push((from, to, 0.8 * hand.width));
    }
    rasterize(&segments, hand.ink, random)
}

/// How one writer holds one pen: slant, rotation, size, bend, position, width.
struct Hand {
    matrix: [f64; 4],
    bend: [f64; 2],
    centre: Point,
    width: f64,
    taper: f64,
    ink: f64,
}

impl Hand {
    fn new(random: &mut Random) -> Self {
        // A rotation without a sine: t is the tangent of half the angle.
        let t = 0.075 * random.bell();
        let (cosine, sine) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let slant = 0.08 + 0.22 * random.bell();
        let width = 13.5 + 1.9 * random.bell();
        let height = 19.0 + 1.2 * random.bell();
        // Slant first, then size, then rotation.
        let (xx, xy, yy) = (width, -slant * height, height);
        Self {
            matrix: [cosine * xx, cosine * xy - sine * yy, sine * xx, sine * xy + cosine * yy],
            bend: [0.10 * random.bell(), 0.08 * random.bell()],
            centre: [13.5 + 1.1 * random.bell(), 13.5 + 1.1 * random.bell()],
            width: random.between(0.75, 1.75),
            taper: 0.35 * random.bell(),
            ink: random.between(0.75, 1.0),
        }
    }

    fn place(&self, [x, y]: Point) -> Point {
        let (x, y) = (x - 0.5, y - 0.5);
        let (x, y) = (x + self.bend[0] * (4.0 * y * y - 0.5), y + self.bend[1] * (4.0 * x * x - 0.5));
        let [a, b, c, d] = self.matrix;
        [self.centre[0] + a * x + b * y, self.centre[1] + c * x + d * y]
    }
}

/// A Catmull-Rom curve through the points.
fn smooth(points: &[Point]) -> Vec<Point> {
    const PIECES: usize = 8;
    let at = |index: isize| points[index.clamp(0, points.len() as isize - 1) as usize];
    let mut curve = vec![points[0]];
    for index in 0..points.len() as isize - 1 {
        let [p, q, r, s] = [at(index - 1), at(index), at(index + 1), at(index + 2)];
        for piece in 1..=PIECES {
            let t = piece as f64 / PIECES as f64;
            let blend = |axis: usize| {
                let (p, q, r, s) = (p[axis], q[axis], r[axis], s[axis]);
                let square = 2.0 * p - 5.0 * q + 4.0 * r - s;
                let cube = 3.0 * (q - r) + s - p;
                q + 0.5 * t * (r - p + t * (square + t * cube))
            };
            curve.push([blend(0), blend(1)]);
        }
    }
    curve
}

/// Grey ink on black: full within a stroke, fading over a pixel at its edge.
fn rasterize(segments: &[(Point, Point, f64)], ink: f64, random: &mut Random) -> Vec<u8> {
    let mut image = vec![0; SIDE * SIDE];
    for (place, pixel) in image.iter_mut().enumerate() {
        let at = [(place % SIDE) as f64, (place / SIDE) as f64];
        let cover = segments.iter().map(|&(from, to, width)| width + 0.5 - distance(at, from, to)).fold(0.0, f64::max);
        if cover > 0.0 {
            let grain = 1.0 - 0.12 * random.unit();
            // Sixteen levels of grey compress to half of 256.
            let level = (cover.min(1.0) * ink * grain * 15.0 + 0.5) as u8;
            *pixel = level * 17;
        }
    }
    image
}

/// From a point to a segment.
fn distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (ex, ey) = (x - ax - t * dx, y - ay - t * dy);
    (ex * ex + ey * ey).sqrt()
}
