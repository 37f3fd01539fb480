//! Files that are written when a run is over, looked at before it begins.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Whether a file can be written at `path`. Changes nothing there.
///
/// # Errors
/// [`Error::Io`] with what stands in the way.
pub(super) fn check_writable(path: &Path) -> Result<()> {
    let refuse = |error| Error::io("write", path, error);
    match path.metadata() {
        Ok(there) if there.is_dir() => Err(refuse(io::ErrorKind::IsADirectory.into())),
        // To open a pipe would wait for its reader.
        Ok(there) if !there.is_file() => Ok(()),
        Ok(_) => File::options().append(true).open(path).map(drop).map_err(refuse),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_folder(path),
        Err(error) => Err(refuse(error)),
    }
}

/// Whether a finished file can take the place of `path`, be there something or not. Changes nothing there.
///
/// # Errors
/// [`Error::Io`] with what stands in the way.
pub(super) fn check_replaceable(path: &Path) -> Result<()> {
    check_writable(path)?;
    match path.canonicalize() {
        Ok(target) if target.is_file() => check_folder(&target),
        _ => Ok(()),
    }
}

/// Whether a folder can be made at `path`, or is there and takes files. Changes nothing there.
///
/// # Errors
/// [`Error::Io`] with what stands in the way.
pub(super) fn check_folder_possible(path: &Path) -> Result<()> {
    let refuse = |error| Error::io("create", path, error);
    // The nearest folder above that is there is where it begins.
    for place in path.ancestors() {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        match place.metadata() {
            Ok(there) if !there.is_dir() => return Err(refuse(io::ErrorKind::NotADirectory.into())),
            Ok(_) => return tempfile::tempfile_in(place).map(drop).map_err(|error| refuse(error.kind().into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse(error)),
        }
    }
    Ok(())
}

/// Whether the folder of `path` takes another file. Leaves none there.
fn check_folder(path: &Path) -> Result<()> {
    let refuse = |error| Error::io("create", path, error);
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(refuse(io::ErrorKind::InvalidFilename.into()));
    }
    let folder = folder(path);
    if !folder.metadata().map_err(refuse)?.is_dir() {
        return Err(refuse(io::ErrorKind::NotADirectory.into()));
    }
    // The error names the temporary file, of which nobody has heard.
    tempfile::tempfile_in(folder).map(drop).map_err(|error| refuse(error.kind().into()))
}

/// Whether both paths are of one file, as far as can be told before they are there.
pub(super) fn same(a: &Path, b: &Path) -> bool {
    resolved(a) == resolved(b)
}

fn resolved(path: &Path) -> PathBuf {
    let in_folder = || Some(folder(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_path_buf())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_leaves_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        std::fs::write(&old, "kept").unwrap();
        check_writable(&new).unwrap();
        check_writable(&old).unwrap();
        check_replaceable(&old).unwrap();
        assert!(!new.exists());
        assert_eq!(std::fs::read(&old).unwrap(), b"kept");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_and_missing_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_path_buf(), folder.path().join("no/file"), folder.path().join("no/")] {
            assert!(matches!(check_writable(&path), Err(Error::Io { .. })), "{}", path.display());
        }
    }

    #[test]
    fn one_file_has_many_paths() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, around) = (folder.path().join("a"), folder.path().join("./../").join(folder.path()).join("a"));
        assert!(same(&plain, &around));
        assert!(!same(&plain, &folder.path().join("b")));
    }
}
