//! Models of one run, as files or as a folder of them.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The files themselves, and the models in the folders among them by the numbers in their names: `step-20` before
/// `step-100`.
///
/// # Errors
/// [`Error::Io`] for a folder that cannot be read, [`Error::Config`] for one without models.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = models(path).map_err(|error| Error::io("read", path, error))?;
        if found.is_empty() {
            return Err(Error::config(format!("there is no .safetensors file in {}", path.display())));
        }
        found.sort_by_cached_key(|path| parts(&path.to_string_lossy()));
        files.extend(found);
    }
    Ok(files)
}

fn models(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "safetensors")).collect())
}

/// A name as words and numbers between them.
fn parts(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0u64)];
    let mut in_number = false;
    for symbol in name.chars() {
        match (symbol.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((_, number))) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
                in_number = true;
            }
            (None, Some((word, _))) if !in_number => word.push(symbol),
            _ => {
                parts.push((symbol.to_string(), 0));
                in_number = false;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = ["step-100", "step-20", "step-3b", "step-3a", "a2-10", "a2-9"];
        names.sort_by_cached_key(|name| parts(name));
        assert_eq!(names, ["a2-9", "a2-10", "step-3a", "step-3b", "step-20", "step-100"]);
    }
}
