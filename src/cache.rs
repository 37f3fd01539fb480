//! The user's folder for what can be made anew: what was learnt of the adapters of this machine.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::files;

/// The folder; `None` where this user has none. On Linux `XDG_CACHE_HOME` names the one that it is in.
pub(crate) fn folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "gpu-train").map(|folders| folders.cache_dir().into())
}

/// The bytes of a file, where it is one of at most `most`.
pub(crate) fn read(file: &Path, most: u64) -> Option<Vec<u8>> {
    // To open a pipe would wait for its writer.
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

/// Writes a whole file or nothing, and makes its folder.
pub(crate) fn write(file: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    files::write_whole(file, content)
}

/// FNV-1a in 64 bits (Fowler, Noll, Vo): tells files apart and finds damage, and is no protection against intent.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
