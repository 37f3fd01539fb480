//! Large memory in large pages, where the system gives them when it is asked.
//!
//! A page of 4 KiB costs a fault when it is first touched, MNIST 11,500 of them and a third of the time that inflating it takes,
//! and afterwards an entry in the processor's table of addresses, which holds a few thousand. Pages of 2 MiB cost neither.

/// Memory below this is not worth asking for: eight of the large pages.
const LARGE: usize = 16 << 20;

/// Asks for large pages behind the `length` bytes from `start` on. It is a wish: nothing else changes, and a system that does
/// not know it, or has none to give, leaves everything as it is.
pub(crate) fn prefer_large<T>(start: *mut T, length: usize) {
    if length < LARGE {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        use rustix::param::page_size;
        let skipped = start.cast::<u8>().align_offset(page_size()).min(length);
        let whole = (length - skipped) / page_size() * page_size();
        // SAFETY: this advice leaves the content of the pages as it is, and these are of the caller's memory alone.
        let _ = unsafe { madvise(start.cast::<u8>().add(skipped).cast(), whole, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = start;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_stays() {
        let mut bytes: Vec<u8> = (0..LARGE + 3).map(|place| place as u8).collect();
        let length = bytes.len();
        prefer_large(bytes.as_mut_ptr(), length);
        assert!(bytes.iter().enumerate().all(|(place, &byte)| byte == place as u8));
    }

    /// The system's own list of this process's memory says what was asked for.
    #[cfg(target_os = "linux")]
    #[test]
    fn large_memory_is_asked_for() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            println!("this kernel has no large pages");
            return;
        }
        let mut bytes = vec![0_u8; LARGE];
        prefer_large(bytes.as_mut_ptr(), LARGE);
        assert_eq!(is_asked_for(bytes.as_ptr() as usize + LARGE / 2), Some(true));
        // Of the stack nobody asked.
        let other = 0_u8;
        assert_eq!(is_asked_for(&raw const other as usize), Some(false));
    }

    /// Whether the mapping that `address` lies in has the flag for it.
    #[cfg(target_os = "linux")]
    fn is_asked_for(address: usize) -> Option<bool> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bound = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(start), Some(end))) = range.map(|(start, end)| (bound(start), bound(end))) {
                inside = (start..end).contains(&address);
            }
            if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
                return Some(flags.split_whitespace().any(|flag| flag == "hg"));
            }
        }
        None
    }
}
