//! A picture as shapes in pixels, before it is a file: what is drawn where, for either kind of file and for tests.

use super::colors::Color;
use super::font;

/// A place, in pixels from the top left.
pub(super) type Point = (f64, f64);

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    pub(super) fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, right: left + width, bottom: top + height }
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(super) fn center(&self) -> Point {
        (f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom))
    }

    /// Whether the point lies inside or on the edge.
    pub(super) fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }
}

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) text: String,
    /// Where its base line begins, has its middle, or ends.
    pub(super) place: Point,
    pub(super) anchor: Anchor,
    /// Pixels of an em.
    pub(super) size: f64,
    pub(super) color: Color,
    /// Whether it runs upwards.
    pub(super) upwards: bool,
}

/// Of an em, above and below the base line: what letters with accents and descenders take.
const ASCENT: f64 = 0.78;
const DESCENT: f64 = 0.22;

impl Text {
    /// What it covers.
    pub(super) fn area(&self) -> Area {
        let width = font::width(&self.text, self.size);
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let (x, y) = self.place;
        let (ascent, descent) = (ASCENT * self.size, DESCENT * self.size);
        if self.upwards {
            Area { left: x - ascent, right: x + descent, top: y + before - width, bottom: y + before }
        } else {
            Area { left: x - before, right: x - before + width, top: y - ascent, bottom: y + descent }
        }
    }
}

/// What can be drawn; later shapes cover earlier ones. All colours are opaque.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Rect {
        area: Area,
        color: Color,
    },
    Line {
        points: Vec<Point>,
        width: f64,
        color: Color,
    },
    Polygon {
        points: Vec<Point>,
        color: Color,
    },
    Circle {
        center: Point,
        radius: f64,
        color: Color,
    },
    Text(Text),
    /// What is said of an area where a pointer rests on it; in files that can.
    Note {
        area: Area,
        text: String,
    },
    /// Pixels in rows, drawn without smoothing.
    Image {
        area: Area,
        columns: usize,
        pixels: Vec<Color>,
    },
}

/// A picture.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
}

impl Scene {
    pub(super) fn rect(&mut self, area: Area, color: Color) {
        self.shapes.push(Shape::Rect { area, color });
    }

    pub(super) fn line(&mut self, points: Vec<Point>, width: f64, color: Color) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, color });
        }
    }

    pub(super) fn note(&mut self, area: Area, text: String) {
        self.shapes.push(Shape::Note { area, text });
    }

    /// A straight line.
    pub(super) fn rule(&mut self, from: Point, to: Point, width: f64, color: Color) {
        self.line(vec![from, to], width, color);
    }

    /// The edges of an area.
    pub(super) fn frame(&mut self, area: Area, width: f64, color: Color) {
        let Area { left, top, right, bottom } = area;
        self.line(vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], width, color);
    }

    pub(super) fn polygon(&mut self, points: Vec<Point>, color: Color) {
        self.shapes.push(Shape::Polygon { points, color });
    }

    pub(super) fn circle(&mut self, center: Point, radius: f64, color: Color) {
        self.shapes.push(Shape::Circle { center, radius, color });
    }

    pub(super) fn text(&mut self, text: impl Into<String>, place: Point, anchor: Anchor, size: f64, color: Color) {
        self.shapes.push(Shape::Text(Text { text: text.into(), place, anchor, size, color, upwards: false }));
    }

    /// A text that runs upwards, with its middle at `place`.
    pub(super) fn upwards(&mut self, text: impl Into<String>, place: Point, size: f64, color: Color) {
        let (text, anchor) = (text.into(), Anchor::Middle);
        self.shapes.push(Shape::Text(Text { text, place, anchor, size, color, upwards: true }));
    }
}
