//! Digits drawn as in an image program: a round brush along strokes; and pictures that are no digits.

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

/// Points of a stroke, in hundredths of the digit's height, x to the right and y down; smooth between them.
type Stroke = &'static [(f32, f32)];

/// A hand's ten digits, apart from those that the embedded data set is made of.
const DIGITS: [&[Stroke]; 10] = [
    &[&[
        (48.0, 3.0),
        (28.0, 4.0),
        (10.0, 26.0),
        (6.0, 55.0),
        (16.0, 86.0),
        (36.0, 97.0),
        (56.0, 84.0),
        (64.0, 54.0),
        (60.0, 22.0),
        (46.0, 3.0),
        (38.0, 1.0),
    ]],
    &[&[(34.0, 0.0), (32.0, 33.0), (29.0, 66.0), (27.0, 100.0)]],
    &[
        &[(6.0, 20.0), (16.0, 5.0), (38.0, 0.0), (56.0, 12.0), (54.0, 34.0), (38.0, 60.0), (18.0, 82.0), (4.0, 97.0)],
        &[(4.0, 97.0), (30.0, 94.0), (66.0, 96.0)],
    ],
    &[
        &[(8.0, 10.0), (26.0, 1.0), (48.0, 4.0), (54.0, 20.0), (44.0, 38.0), (24.0, 46.0)],
        &[(24.0, 46.0), (50.0, 52.0), (60.0, 70.0), (50.0, 91.0), (26.0, 99.0), (4.0, 90.0)],
    ],
    &[
        &[(14.0, 4.0), (10.0, 26.0), (6.0, 50.0), (26.0, 56.0), (62.0, 50.0)],
        &[(56.0, 4.0), (52.0, 36.0), (47.0, 70.0), (43.0, 100.0)],
    ],
    &[
        &[(60.0, 3.0), (36.0, 4.0), (18.0, 6.0)],
        &[(18.0, 6.0), (15.0, 24.0), (13.0, 42.0)],
        &[(13.0, 42.0), (34.0, 37.0), (55.0, 50.0), (58.0, 74.0), (42.0, 95.0), (20.0, 98.0), (4.0, 89.0)],
    ],
    &[&[
        (46.0, 1.0),
        (26.0, 20.0),
        (11.0, 46.0),
        (6.0, 72.0),
        (14.0, 93.0),
        (34.0, 99.0),
        (52.0, 88.0),
        (53.0, 67.0),
        (36.0, 56.0),
        (18.0, 62.0),
        (8.0, 76.0),
    ]],
    &[&[(2.0, 6.0), (30.0, 4.0), (62.0, 3.0)], &[(62.0, 3.0), (46.0, 34.0), (34.0, 66.0), (26.0, 100.0)]],
    &[&[
        (50.0, 12.0),
        (32.0, 0.0),
        (12.0, 12.0),
        (16.0, 32.0),
        (38.0, 50.0),
        (56.0, 70.0),
        (48.0, 94.0),
        (26.0, 99.0),
        (8.0, 84.0),
        (18.0, 62.0),
        (42.0, 42.0),
        (56.0, 22.0),
        (48.0, 10.0),
    ]],
    &[
        &[(52.0, 14.0), (32.0, 2.0), (12.0, 14.0), (10.0, 36.0), (28.0, 48.0), (48.0, 36.0), (54.0, 14.0)],
        &[(54.0, 14.0), (53.0, 44.0), (48.0, 76.0), (42.0, 100.0)],
    ],
];

/// Ink, from 0 to 1 a pixel.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    ink: Vec<f32>,
}

impl Canvas {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, ink: vec![0.0; (width * height) as usize] }
    }

    /// Draws a digit, its top left corner at `at`, so many pixels high, with a brush of this radius.
    pub(crate) fn digit(&mut self, digit: usize, at: (f32, f32), height: f32, radius: f32) {
        for stroke in DIGITS[digit] {
            let points: Vec<_> =
                stroke.iter().map(|(x, y)| (at.0 + x * height / 100.0, at.1 + y * height / 100.0)).collect();
            for piece in 0..points.len() - 1 {
                let p = |at: isize| points[at.clamp(0, points.len() as isize - 1) as usize];
                let piece = piece as isize;
                let (a, b, c, d) = (p(piece - 1), p(piece), p(piece + 1), p(piece + 2));
                for step in 0..=24 {
                    let t = step as f32 / 24.0;
                    let x = spline([a.0, b.0, c.0, d.0], t);
                    self.dab((x, spline([a.1, b.1, c.1, d.1], t)), radius);
                }
            }
        }
    }

    /// A round spot, soft over its last pixel.
    fn dab(&mut self, at: (f32, f32), radius: f32) {
        let range = |centre: f32, side: u32| {
            let first = (centre - radius - 1.0).max(0.0) as u32;
            first..((centre + radius + 2.0).max(0.0) as u32).min(side)
        };
        for y in range(at.1, self.height) {
            for x in range(at.0, self.width) {
                let distance = (x as f32 + 0.5 - at.0).hypot(y as f32 + 0.5 - at.1);
                let ink = &mut self.ink[(y * self.width + x) as usize];
                *ink = ink.max((radius + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    /// On paper of one grey value, with a pen of another.
    pub(crate) fn over(&self, paper: u8, pen: u8) -> DynamicImage {
        let (paper, pen) = (f32::from(paper), f32::from(pen));
        DynamicImage::ImageLuma8(GrayImage::from_fn(self.width, self.height, |x, y| {
            let ink = self.ink[(y * self.width + x) as usize];
            Luma([(paper * (1.0 - ink) + pen * ink).round() as u8])
        }))
    }

    /// In one colour on nothing.
    pub(crate) fn over_nothing(&self, pen: [u8; 3]) -> RgbaImage {
        RgbaImage::from_fn(self.width, self.height, |x, y| {
            let ink = self.ink[(y * self.width + x) as usize];
            Rgba([pen[0], pen[1], pen[2], (255.0 * ink).round() as u8])
        })
    }
}

/// Between the second and the third of four points (Catmull and Rom, 1974).
fn spline(p: [f32; 4], t: f32) -> f32 {
    let [a, b, c, d] = p;
    0.5 * (2.0 * b + (c - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t + (3.0 * b - a - 3.0 * c + d) * t * t * t)
}

/// A digit as somebody drew it: each in a picture of its own size, elsewhere, with another brush, on other paper.
pub(crate) fn drawing(digit: usize) -> DynamicImage {
    /// Width, height, left, top, height of the digit, brush, paper, pen.
    type Picture = (u32, u32, f32, f32, f32, f32, u8, u8);
    const PICTURES: [Picture; 10] = [
        (280, 280, 80.0, 60.0, 150.0, 11.0, 255, 0),
        (64, 96, 14.0, 20.0, 52.0, 3.5, 0, 255),
        (640, 480, 350.0, 60.0, 300.0, 22.0, 250, 40),
        (200, 200, 20.0, 90.0, 90.0, 8.0, 20, 240),
        (1200, 900, 100.0, 300.0, 520.0, 40.0, 255, 10),
        (150, 300, 40.0, 150.0, 100.0, 6.0, 235, 20),
        (400, 400, 150.0, 40.0, 200.0, 18.0, 0, 200),
        (333, 222, 200.0, 30.0, 140.0, 8.0, 255, 0),
        (96, 96, 22.0, 14.0, 66.0, 5.0, 10, 255),
        (512, 512, 60.0, 200.0, 260.0, 16.0, 245, 0),
    ];
    let (width, height, left, top, tall, radius, paper, pen) = PICTURES[digit];
    let mut canvas = Canvas::new(width, height);
    canvas.digit(digit, (left, top), tall, radius);
    canvas.over(paper, pen)
}

/// What a camera sees outdoors: a sky that pales towards hills, a field with grain, a few trees.
pub(crate) fn landscape() -> DynamicImage {
    let (width, height) = (320.0f32, 240.0f32);
    DynamicImage::ImageRgb8(RgbImage::from_fn(320, 240, |column, row| {
        let (x, y) = (column as f32, row as f32);
        let hills = 110.0 + 18.0 * (x / 41.0).sin() + 9.0 * (x / 13.0).cos();
        let grain = ((column * 7919 + row * 104_729) % 37) as f32;
        let tree = [60.0, 170.0, 255.0].iter().any(|at| (x - at).hypot(1.3 * (y - 125.0)) < 26.0);
        let (r, g, b) = if tree {
            (20.0 + grain, 60.0 + grain, 25.0)
        } else if y < hills {
            (120.0 + 90.0 * y / height, 160.0 + 60.0 * y / height, 235.0)
        } else {
            (70.0 + grain + 40.0 * x / width, 110.0 + grain, 60.0)
        };
        Rgb([r as u8, g as u8, b as u8])
    }))
}

/// What a camera sees indoors: a face before an even wall, lit from one side.
pub(crate) fn portrait() -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(240, 300, |column, row| {
        let (x, y) = (column as f32 - 120.0, row as f32 - 140.0);
        let light = 1.0 - 0.5 * ((x + 60.0) / 160.0).clamp(0.0, 1.0);
        let inside = |cx: f32, cy: f32, rx: f32, ry: f32| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
        let (r, g, b) = if inside(-25.0, -15.0, 9.0, 6.0) || inside(25.0, -15.0, 9.0, 6.0) {
            (50.0, 40.0, 35.0)
        } else if inside(0.0, 50.0, 24.0, 7.0) {
            (170.0 * light, 80.0, 80.0)
        } else if inside(0.0, 0.0, 62.0, 90.0) {
            (225.0 * light, 180.0 * light, 155.0 * light)
        } else if inside(0.0, 190.0, 110.0, 100.0) {
            (90.0 * light, 100.0 * light, 140.0 * light)
        } else {
            (228.0, 226.0, 220.0)
        };
        Rgb([r as u8, g as u8, b as u8])
    }))
}
