//! What a picture shows, as data: panels of lines, contours, matrices, images or bars. How it is drawn is another
//! matter; one style serves them all.

/// One picture: a title, and panels from top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it shows, in a few words.
    pub title: String,
    /// At least one.
    pub panels: Vec<Panel>,
}

/// A part of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Panel {
    /// Curves and points over one axis.
    Lines(Lines),
    /// A function of two variables, with what lies or moves on it.
    Contours(Contours),
    /// The same as a surface in space, seen from above a corner; without arrows.
    Surface(Contours),
    /// Counts by row and column, such as a confusion matrix.
    Matrix(Matrix),
    /// Small images beside each other.
    Images(Images),
    /// How often values fall between two edges.
    Histogram(Histogram),
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is on it, with its unit.
    pub label: String,
    /// Whether equal distances are equal factors.
    pub logarithmic: bool,
    /// Its ends; without them the data's.
    pub range: Option<(f64, f64)>,
}

/// Curves and points over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, each in a colour of its own.
    pub series: Vec<Series>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points; one that is not finite interrupts it.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub stroke: Stroke,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// A line.
    Solid,
    /// A broken line.
    Dashed,
    /// A thin, pale line: what another line is a mean of.
    Faint,
    /// A line that moves at right angles.
    Steps,
    /// Points alone.
    Points,
}

/// A function of two variables, with what lies or moves on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contours {
    /// The horizontal axis; its range is the grid's.
    pub x: Axis,
    /// The vertical axis; its range is the grid's.
    pub y: Axis,
    /// What the values are.
    pub label: String,
    /// Values at `rows` x `columns` points, ends included, row-major from the smallest y and x. One that is not finite
    /// is left blank.
    pub values: Vec<f64>,
    /// Points along x.
    pub columns: usize,
    /// Points along y.
    pub rows: usize,
    /// Whether levels are equal factors above the smallest value rather than equal differences.
    pub logarithmic: bool,
    /// Arrows as (x, y, dx, dy) in the axes' units, drawn as long as they are.
    pub arrows: Vec<[f64; 4]>,
    /// Paths, such as descents, with their first and last points marked.
    pub paths: Vec<Series>,
}

impl Contours {
    /// Whether most of the ground is so far below the peaks that equal differences would show the peaks alone.
    #[must_use]
    pub fn peaked(values: &[f64]) -> bool {
        let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        finite.sort_by(f64::total_cmp);
        match (finite.first(), finite.get(finite.len() / 2), finite.last()) {
            (Some(least), Some(middle), Some(most)) => most - least > 8.0 * (middle - least),
            _ => false,
        }
    }
}

/// Counts by row and column, each in its cell, coloured by (the root of) its share of the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// What the rows are.
    pub row_label: String,
    /// What the columns are.
    pub column_label: String,
    /// Row by row, all of one length.
    pub counts: Vec<Vec<u64>>,
}

/// Small images of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Whether 0 is in the middle of the colours (weights), or their dark or light end (pixels from 0 to 1).
    pub signed: bool,
    /// The images.
    pub tiles: Vec<Tile>,
}

/// One of the images.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// `width x height`, row-major from the top left.
    pub pixels: Vec<f32>,
    /// A word or two below it.
    pub caption: String,
}

/// How often values fall between two edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What the values are.
    pub x: Axis,
    /// Edges of the bars, one more than there are counts.
    pub edges: Vec<f64>,
    /// How many values fall between each edge and the next.
    pub counts: Vec<u64>,
}

/// What a picture is looked at on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on nearly black.
    Dark,
}
