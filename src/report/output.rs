//! The two streams: results on stdout, everything else on stderr.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::{Error, Result};

/// Writes a result to stdout. Whoever closed it wants no more of it, and that is no error.
///
/// # Errors
/// [`Error::Io`] when it cannot be written, as on a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("write", "stdout", error)),
        _ => Ok(()),
    }
}

/// Writes a result to stdout as one JSON document on one line.
///
/// # Errors
/// As [`print`].
pub fn json(document: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(document).map_err(|error| Error::io("write", "stdout", error.into()))?;
    print(&(text + "\n"))
}

/// Writes a line to stderr. There is nobody to tell when that fails.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a warning to stderr.
pub fn warning(text: &str) {
    note(&format!("warning: {text}"));
}
