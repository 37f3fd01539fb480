//! NumPy's `.npy` files: float64 and float32, in C order (format 1.0 to 3.0, NEP 1).

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use crate::{Error, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Vec<f64>,
}

impl Array {
    /// How many rows of so many columns it is: a matrix, or a row of numbers that is a column of its own or one row.
    #[must_use]
    pub fn rows_of(&self, columns: usize) -> Option<usize> {
        match *self.shape {
            [rows, found] if found == columns => Some(rows),
            [rows] if columns == 1 => Some(rows),
            [found] if found == columns => Some(1),
            _ => None,
        }
    }
}

/// Reads a file.
///
/// # Errors
/// [`Error::Io`] when the system refuses; [`Error::Format`] for what is no such file, of another type, or cut off.
pub fn read(path: &Path) -> Result<Array> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| Error::io("read", path, error))?;
    parse(&bytes).map_err(|Problem { offset, found, expected }| Error::Format {
        path: path.into(),
        offset: offset as u64,
        found,
        expected: expected.into(),
    })
}

struct Problem {
    offset: usize,
    found: String,
    expected: &'static str,
}

fn problem(offset: usize, found: impl Into<String>, expected: &'static str) -> Problem {
    Problem { offset, found: found.into(), expected }
}

fn parse(bytes: &[u8]) -> Result<Array, Problem> {
    let after_magic = bytes.strip_prefix(MAGIC).ok_or_else(|| problem(0, "something else", "a .npy file"))?;
    let cut = || problem(bytes.len(), "the end of the file", "a header");
    let (length_bytes, rest) = match after_magic {
        [1, _, rest @ ..] => (2, rest),
        [2 | 3, _, rest @ ..] => (4, rest),
        [version, ..] => return Err(problem(6, format!("version {version}"), "version 1, 2 or 3")),
        [] => return Err(cut()),
    };
    let length = rest.get(..length_bytes).ok_or_else(cut)?;
    let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    let start = MAGIC.len() + 2 + length_bytes;
    let end = start.saturating_add(length);
    let header = String::from_utf8_lossy(bytes.get(start..end).ok_or_else(cut)?);
    let value = |key: &str| {
        let after = header.split_once(&format!("'{key}'")).and_then(|(_, after)| after.trim_start().strip_prefix(':'));
        after.map(str::trim_start).ok_or_else(|| problem(start, format!("no {key}"), "descr, fortran_order and shape"))
    };
    if !value("fortran_order")?.starts_with("False") {
        return Err(problem(start, "Fortran order", "C order: numpy.ascontiguousarray"));
    }
    let descr = value("descr")?;
    let size = match descr.get(..5) {
        Some("'<f8'") => 8,
        Some("'<f4'") => 4,
        _ => {
            let shown = descr.split(',').next().unwrap_or_default().to_string();
            return Err(problem(start, format!("elements of {shown}"), "float64 or float32, little-endian"));
        }
    };
    let shape = value("shape")?.strip_prefix('(').and_then(|shape| shape.split_once(')')).map(|(inner, _)| inner);
    let shape: Option<Vec<usize>> = shape.and_then(|inner| {
        inner.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
    });
    let shape = shape.ok_or_else(|| problem(start, "a shape that is none", "a shape"))?;
    let count = shape.iter().try_fold(size, |bytes: usize, &length| bytes.checked_mul(length));
    let data = &bytes[end..];
    if count != Some(data.len()) {
        let found = format!("{} bytes of data", data.len());
        return Err(problem(end, found, "as many as its shape says"));
    }
    let values = if size == 8 {
        data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
    } else {
        data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect()
    };
    Ok(Array { shape, values })
}

/// Writes float64 numbers of that shape.
///
/// # Errors
/// [`Error::Io`] when the system refuses.
pub fn write(path: &Path, shape: &[usize], values: &[f64]) -> Result<()> {
    let refuse = |error| Error::io("write", path, error);
    let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}{comma}), }}", lengths.join(", "));
    // Magic, version and length take ten bytes; the data begin at a multiple of 64, behind a line's end.
    let padded = (header.len() + 11).next_multiple_of(64) - 11;
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header.push('\n');
    let mut file = BufWriter::new(File::create(path).map_err(refuse)?);
    let length = (header.len() as u16).to_le_bytes();
    let mut write_all = || {
        for part in [MAGIC, &[1, 0], &length, header.as_bytes()] {
            file.write_all(part)?;
        }
        values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
        file.flush()
    };
    write_all().map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for shape in [vec![6], vec![2, 3], vec![0, 3], vec![]] {
            let values: Vec<f64> = (0..shape.iter().product()).map(|i| i as f64 / 7.0).collect();
            write(&path, &shape, &values).unwrap();
            assert_eq!(read(&path).unwrap(), Array { shape: shape.clone(), values });
            let bytes = std::fs::read(&path).unwrap();
            assert!(bytes.len() >= 64 && (bytes.len() - shape.iter().product::<usize>() * 8).is_multiple_of(64));
        }
    }

    #[test]
    fn rows_are_counted_by_columns() {
        let array = |shape: &[usize]| Array { shape: shape.to_vec(), values: Vec::new() };
        assert_eq!(array(&[5, 2]).rows_of(2), Some(5));
        assert_eq!(array(&[5]).rows_of(1), Some(5));
        assert_eq!(array(&[5]).rows_of(5), Some(1));
        assert_eq!(array(&[5, 2]).rows_of(3), None);
        assert_eq!(array(&[5, 2, 1]).rows_of(2), None);
    }

    /// As `numpy.save` wrote a float32 array of two.
    #[test]
    fn float32_is_read_and_damage_is_told() {
        let mut good = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        let mut header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".to_vec();
        header.resize(117, b' ');
        header.push(b'\n');
        good.extend(&header);
        good.extend([1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
        assert_eq!(parse(&good).map_err(|p| p.found), Ok(Array { shape: vec![2], values: vec![1.5, -2.0] }));
        let changed = |from: &str, to: &str| {
            let text: Vec<u8> = good.clone();
            let at = text.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            [&text[..at], to.as_bytes(), &text[at + from.len()..]].concat()
        };
        for (bytes, said) in [
            (changed("<f4", "<i4"), "elements"),
            (changed("False", "True "), "Fortran"),
            (changed("(2,)", "(3,)"), "bytes of data"),
            (changed("(2,)", "(x,)"), "shape"),
            (changed("'shape'", "'shade'"), "no shape"),
            (changed("NUMPY", "NUMPI"), "something else"),
            (good[..40].to_vec(), "end of the file"),
            (Vec::new(), "something else"),
            (b"\x93NUMPY\x09\x00".to_vec(), "version"),
        ] {
            let found = parse(&bytes).map(drop).map_err(|problem| problem.found).unwrap_err();
            assert!(found.contains(said), "{said}: {found}");
        }
    }
}
