//! Counts by row and column, each in its cell.

use super::axes::{self, LABEL, SMALL};
use super::colors::Palette;
use super::figure::Matrix;
use super::font;
use super::scene::{Anchor, Area, Point, Scene};
use crate::report::{count, percent};

/// Draws the panel from `top` on and returns where it ends.
pub(super) fn draw(scene: &mut Scene, palette: &Palette, matrix: &Matrix, (left, top): Point, width: f64) -> f64 {
    let rows = matrix.counts.len();
    let columns = matrix.counts.iter().map(Vec::len).max().unwrap_or(0);
    if rows == 0 || columns == 0 {
        let area = Area::new(left, top, width, 60.0);
        axes::nothing(scene, palette, area);
        return area.bottom;
    }
    let numbers = font::width(&(rows - 1).to_string(), SMALL);
    let (cells_left, cells_top) = (left + LABEL + 12.0 + numbers + 8.0, top + LABEL + SMALL + 14.0);
    let side = ((width - (cells_left - left)) / columns as f64).min(560.0 / rows as f64).min(50.0);
    let texts: Vec<Vec<String>> =
        matrix.counts.iter().map(|row| row.iter().map(|&value| count(value)).collect()).collect();
    // All counts in letters of one size, or none.
    let widest = texts.iter().flatten().map(|text| font::width(text, 1.0)).fold(0.0, f64::max);
    let letters = ((side - 5.0) / widest).min(side * 0.36).min(14.0);
    for (index, row) in matrix.counts.iter().enumerate() {
        let total = row.iter().sum::<u64>().max(1) as f64;
        for (column, &value) in row.iter().enumerate() {
            let cell = Area::new(cells_left + column as f64 * side, cells_top + index as f64 * side, side, side);
            // The root: one wrong answer of a hundred is to be seen.
            let color = palette.share((value as f64 / total).sqrt());
            scene.rect(cell, color);
            let share = percent(value as f64 / total);
            let (rows, columns, times) = (&matrix.row_label, &matrix.column_label, &texts[index][column]);
            scene.note(cell, format!("{rows} {index}, {columns} {column}: {times} ({share} of the row)"));
            if letters >= 6.0 {
                let (x, y) = cell.center();
                // A zero says least: it stays in the background.
                let text = if value == 0 { palette.soft } else { palette.text_on(color) };
                scene.text(texts[index][column].clone(), (x, y + 0.36 * letters), Anchor::Middle, letters, text);
            }
        }
    }
    let area = Area::new(cells_left, cells_top, columns as f64 * side, rows as f64 * side);
    let ruled = side >= 6.0;
    for column in 0..=columns {
        let x = cells_left + column as f64 * side;
        if ruled || column == 0 || column == columns {
            scene.rule((x, area.top), (x, area.bottom), 1.0, palette.grid);
        }
    }
    for row in 0..=rows {
        let y = cells_top + row as f64 * side;
        if ruled || row == 0 || row == rows {
            scene.rule((area.left, y), (area.right, y), 1.0, palette.grid);
        }
    }
    let apart = |size: f64| (size / side).ceil().max(1.0) as usize;
    for column in (0..columns).step_by(apart(font::width(&(columns - 1).to_string(), SMALL) + 6.0)) {
        let x = cells_left + (column as f64 + 0.5) * side;
        scene.text(column.to_string(), (x, cells_top - 6.0), Anchor::Middle, SMALL, palette.soft);
    }
    for row in (0..rows).step_by(apart(SMALL + 4.0)) {
        let y = cells_top + (row as f64 + 0.5) * side + 0.36 * SMALL;
        scene.text(row.to_string(), (cells_left - 8.0, y), Anchor::End, SMALL, palette.soft);
    }
    let (middle_x, middle_y) = area.center();
    let column_label = font::cut(&matrix.column_label, LABEL, width);
    let half = font::width(&column_label, LABEL) / 2.0;
    scene.text(column_label, (middle_x.max(left + half), top + LABEL), Anchor::Middle, LABEL, palette.text);
    let row_label = font::cut(&matrix.row_label, LABEL, area.height());
    scene.upwards(row_label, (left + LABEL, middle_y), LABEL, palette.text);
    area.bottom
}
