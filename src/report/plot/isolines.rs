//! Where a function on a grid crosses a value, as closed rings (marching squares).

/// Values at `rows x columns` points, row-major.
pub(super) struct Grid<'a> {
    pub(super) values: &'a [f64],
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A point of a ring, in the grid's columns and rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Corner {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Whether the function is cut off here rather than crossing the level.
    pub(super) edge: bool,
}

/// The closed boundary of where the function is at least the level: counter-clockwise around it (with y upwards), and
/// clockwise around holes in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    pub(super) corners: Vec<Corner>,
    /// Twice what it encloses, negative for a hole.
    pub(super) area: f64,
}

/// A cell's edges.
#[derive(Clone, Copy)]
enum Side {
    Bottom,
    Right,
    Top,
    Left,
}

use Side::{Bottom, Left, Right, Top};

/// From which edge to which the boundary runs, with what is inside at its left, by the corners that are inside: bottom
/// left 1, bottom right 2, top right 4, top left 8. The two saddles are parted by their middle.
const CROSSINGS: [&[(Side, Side)]; 16] = [
    &[],
    &[(Bottom, Left)],
    &[(Right, Bottom)],
    &[(Right, Left)],
    &[(Top, Right)],
    &[(Bottom, Left), (Top, Right)],
    &[(Top, Bottom)],
    &[(Top, Left)],
    &[(Left, Top)],
    &[(Bottom, Top)],
    &[(Right, Bottom), (Left, Top)],
    &[(Right, Top)],
    &[(Left, Right)],
    &[(Bottom, Right)],
    &[(Left, Bottom)],
    &[],
];
const CONNECTED_5: &[(Side, Side)] = &[(Bottom, Right), (Top, Left)];
const CONNECTED_10: &[(Side, Side)] = &[(Left, Bottom), (Right, Top)];

impl Grid<'_> {
    /// With a border of points around that are below every level, so that all rings close.
    fn padded(&self, row: usize, column: usize) -> f64 {
        let inside = (1..=self.rows).contains(&row) && (1..=self.columns).contains(&column);
        let value = if inside { self.values[(row - 1) * self.columns + column - 1] } else { f64::NEG_INFINITY };
        if value.is_finite() { value } else { f64::NEG_INFINITY }
    }

    /// The rings around what is at least `level`.
    pub(super) fn rings(&self, level: f64) -> Vec<Ring> {
        let (rows, columns) = (self.rows + 2, self.columns + 2);
        // Edges to the right of a point have even numbers, those upwards odd ones.
        let edge = |row: usize, column: usize, side: Side| match side {
            Bottom => 2 * (row * columns + column),
            Top => 2 * ((row + 1) * columns + column),
            Left => 2 * (row * columns + column) + 1,
            Right => 2 * (row * columns + column + 1) + 1,
        };
        let mut next = vec![usize::MAX; 2 * rows * columns];
        for row in 0..rows - 1 {
            for column in 0..columns - 1 {
                let corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)];
                let values = corners.map(|(row, column)| self.padded(row, column));
                let case = (0..4).map(|bit| usize::from(values[bit] >= level) << bit).sum::<usize>();
                let connected = values.iter().sum::<f64>() / 4.0 >= level;
                let crossings = match case {
                    5 if connected => CONNECTED_5,
                    10 if connected => CONNECTED_10,
                    _ => CROSSINGS[case],
                };
                for &(from, to) in crossings {
                    next[edge(row, column, from)] = edge(row, column, to);
                }
            }
        }
        let mut rings = Vec::new();
        for start in 0..next.len() {
            let mut corners = Vec::new();
            let mut at = start;
            while next[at] != usize::MAX {
                corners.push(self.corner(at, level));
                at = std::mem::replace(&mut next[at], usize::MAX);
            }
            if corners.len() > 2 {
                let area = doubled_area(&corners);
                rings.push(Ring { corners, area });
            }
        }
        rings
    }

    /// Where the level is crossed between the two points of an edge.
    fn corner(&self, edge: usize, level: f64) -> Corner {
        let columns = self.columns + 2;
        let (row, column) = (edge / 2 / columns, edge / 2 % columns);
        let (row_after, column_after) = if edge.is_multiple_of(2) { (row, column + 1) } else { (row + 1, column) };
        let (a, b) = (self.padded(row, column), self.padded(row_after, column_after));
        // Where one of them has no value, the boundary is at the other.
        let (share, edge) = match (a.is_finite(), b.is_finite()) {
            (true, true) => ((level - a) / (b - a), false),
            (true, false) => (0.0, true),
            _ => (1.0, true),
        };
        let between = |from: usize, to: usize| from as f64 + share * (to as f64 - from as f64) - 1.0;
        Corner { x: between(column, column_after), y: between(row, row_after), edge }
    }
}

fn doubled_area(corners: &[Corner]) -> f64 {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(size: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let at = |index: usize| index as f64 / (size - 1) as f64 * 4.0 - 2.0;
        (0..size * size).map(|index| f(at(index % size), at(index / size))).collect()
    }

    fn areas(size: usize, f: impl Fn(f64, f64) -> f64, level: f64) -> Vec<f64> {
        let values = grid(size, f);
        let cell = 4.0 / (size - 1) as f64;
        let rings = Grid { values: &values, columns: size, rows: size }.rings(level);
        rings.iter().map(|ring| ring.area / 2.0 * cell * cell).collect()
    }

    #[test]
    fn a_bowl_is_a_square_with_a_round_hole() {
        let mut found = areas(101, |x, y| x * x + y * y, 1.0);
        found.sort_by(f64::total_cmp);
        let expected = [-std::f64::consts::PI, 16.0];
        assert_eq!(found.len(), 2);
        // Chords of a circle of radius 25 cells lose less than 1e-3 of it.
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-3, "{found} for {expected}");
        }
    }

    #[test]
    fn saddles_and_holes_close_their_rings() {
        assert_eq!(areas(41, |x, y| x * y, 0.05).len(), 2);
        assert_eq!(areas(40, |x, y| if x * x + y * y < 0.5 { f64::NAN } else { x }, 0.3).len(), 1);
        assert!(areas(11, |_, _| 1.0, 2.0).is_empty());
        assert!(areas(11, |_, _| f64::NAN, 0.0).is_empty());
        let whole = areas(11, |_, _| 3.0, 2.0);
        assert!(whole.len() == 1 && (whole[0] - 16.0).abs() < 1e-9, "{whole:?}");
    }
}
