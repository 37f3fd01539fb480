//! How much memory the process has taken.

/// The most bytes of memory that this process held at any time, where the system tells it (Linux). What a GPU's own memory
/// holds is not among them.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn memory_that_was_given_back_counts() {
        let size = 64 << 20;
        drop(std::hint::black_box(vec![1_u8; size]));
        assert!(super::peak_memory().unwrap() >= size as u64);
    }
}
