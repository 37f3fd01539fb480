//! Files that are written whole, or not at all.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file by `write`: complete, or not at all.
///
/// The file takes its place in one move, so that whoever reads sees the old bytes or the new ones. A symbolic link
/// is followed; a device or a pipe is written to as it is.
///
/// # Errors
/// What the system refuses.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A link is replaced where it points to, or it would be the link that is lost.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match target.metadata() {
        Ok(existing) if !existing.is_file() => {
            let mut file = File::options().write(true).open(&target)?;
            write(&mut file).and_then(|()| file.flush())
        }
        existing => replace(&target, existing.ok(), write),
    }
}

/// Writes a file beside the target, then moves it there.
fn replace(
    target: &Path,
    existing: Option<Metadata>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gpu-train-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; this is a file like any other, and the umask decides.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(existing) = existing {
        file.as_file().set_permissions(existing.permissions())?;
    }
    let mut writer = BufWriter::new(file.as_file());
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}
