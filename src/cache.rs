//! The user's folder for what can be made anew: what was learnt of the adapters of this machine.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The folder; `None` where this user has none. On Linux `XDG_CACHE_HOME` names the one that it is in.
pub(crate) fn folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "gpu-train").map(|folders| folders.cache_dir().into())
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
