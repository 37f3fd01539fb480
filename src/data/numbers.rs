//! Rows of numbers in a text file, separated by commas.

use std::path::Path;

use crate::{Error, Result};

/// Reads rows of equally many numbers. Empty lines, lines that begin with `#` and a first line without any number (the
/// columns' names) are passed over.
///
/// # Errors
/// [`Error::Io`] when the system refuses; [`Error::Format`] for what is no number, a row of another length, or no row.
pub fn read_csv(path: &Path) -> Result<Vec<Vec<f64>>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).map_err(|(offset, found, expected)| Error::Format {
        path: path.into(),
        offset: offset as u64,
        found,
        expected,
    })
}

fn parse(text: &str) -> Result<Vec<Vec<f64>>, (usize, String, String)> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let mut offset = 0;
    let mut is_first = true;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset += line.len();
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let is_heading = is_first && cells.iter().all(|cell| cell.parse::<f64>().is_err());
        is_first = false;
        if is_heading {
            continue;
        }
        let number_of = |(column, cell): (usize, &&str)| {
            let found = || format!("{cell:?} in line {}, column {}", number + 1, column + 1);
            cell.parse::<f64>().map_err(|_| (start, found(), "a number".to_string()))
        };
        let row = cells.iter().enumerate().map(number_of).collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
            let found = format!("{} numbers in line {}", row.len(), number + 1);
            return Err((start, found, format!("{} as before", first.len())));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err((0, "no number".into(), "rows of numbers, separated by commas".into()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_headings_passed_over() {
        let rows = parse("\u{feff}a, b\n# a comment\n1, 2.5\r\n\n-3,1e-3").unwrap();
        assert_eq!(rows, [[1.0, 2.5], [-3.0, 1e-3]]);
        for (text, at, said) in
            [("1,2\n3,x", 4, "line 2, column 2"), ("1,2\n3", 4, "1 numbers"), ("\n\n", 0, "no number")]
        {
            let (offset, found, _) = parse(text).unwrap_err();
            assert!(offset == at && found.contains(said), "{text:?}: {offset}, {found}");
        }
    }
}
