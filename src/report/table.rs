//! Tables in plain text.

use std::fmt::Write;

/// Columns right-aligned but for the first, under their headings.
#[must_use]
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| width(&row[column])).chain([width(headings[column])]).max().unwrap_or(0)
    });
    let mut text = String::new();
    let mut line = |cells: [&str; N]| {
        let mut shown = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let room = " ".repeat(widths[column] - width(cell));
            match column {
                0 => shown.extend([cell, room.as_str()]),
                _ => shown.extend(["  ", room.as_str(), cell]),
            }
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    };
    line(headings);
    for row in rows {
        line(std::array::from_fn(|column| row[column].as_str()));
    }
    text
}

/// Names and what they stand for, the latter aligned.
#[must_use]
pub fn pairs(rows: &[(&str, String)]) -> String {
    let room = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:room$}  {value}");
        text
    })
}

/// A confusion matrix: a row a true class, a column a predicted one; the last column says how many of a row are right.
#[must_use]
pub fn confusion(matrix: &[Vec<u64>]) -> String {
    let largest = matrix.iter().flatten().max().copied().unwrap_or(0);
    let room = largest.to_string().len().max(matrix.len().to_string().len()) + 1;
    let mut text = String::from("true \\ predicted\n      ");
    for class in 0..matrix.len() {
        let _ = write!(text, "{class:>room$}");
    }
    text.push('\n');
    for (class, row) in matrix.iter().enumerate() {
        let _ = write!(text, "{class:>6}");
        for &samples in row {
            match samples {
                0 => text.extend(std::iter::repeat_n(' ', room - 1).chain(['.'])),
                _ => {
                    let _ = write!(text, "{samples:>room$}");
                }
            }
        }
        let total: u64 = row.iter().sum();
        if let Some(&right) = row.get(class).filter(|_| total > 0) {
            let _ = write!(text, "  {:>7}", super::percent(right as f64 / total as f64));
        }
        text.push('\n');
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["train".to_string(), "0.1".into()], ["test".into(), "12.25".into()]];
        assert_eq!(table(["", "loss"], &rows), "        loss\ntrain    0.1\ntest   12.25\n");
        assert_eq!(pairs(&[("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2\n");
    }

    #[test]
    fn confusion_shows_zeros_as_dots_and_the_share_of_each_row() {
        let text = confusion(&[vec![9, 1], vec![0, 0]]);
        assert_eq!(text, "true \\ predicted\n       0 1\n     0 9 1   90.00%\n     1 . .\n");
    }
}
