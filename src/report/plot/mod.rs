//! Pictures: figures as data, drawn as SVG or PNG in one style.

mod figure;

use std::path::Path;

pub use figure::{Axis, Contours, Figure, Histogram, Images, Lines, Matrix, Panel, Series, Stroke, Theme, Tile};

use crate::{Error, Result};

/// The kinds of picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vectors.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The kind that a file's name ends on.
    ///
    /// # Errors
    /// [`Error::Config`] for another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Error::config_hint(
                format!("{} is neither .svg nor .png", path.display()),
                "name a file that ends on .svg or .png",
            )),
        }
    }
}

/// Draws a figure into a file, SVG or PNG by the ending of its name.
///
/// # Errors
/// [`Error::Config`] for another ending, [`Error::Io`] when it cannot be written.
pub fn save(_figure: &Figure, path: &Path, _theme: Theme) -> Result<()> {
    Err(Error::Io { action: "draw", path: path.to_owned(), source: std::io::ErrorKind::Unsupported.into() })
}
