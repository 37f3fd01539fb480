//! Calling for memory before it is needed.

/// Into the first-level cache: `_MM_HINT_T0`,
pub(super) const NEAREST: i32 = 3;
/// or into the second: `_MM_HINT_T1`.
pub(super) const NEAR: i32 = 2;

/// Asks the memory for these values, where the processor knows how to.
#[inline(always)]
pub(super) fn prefetch<const LEVEL: i32, T>(values: &[T]) {
    /// Bytes that come together.
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of_val(values)).step_by(LINE) {
        let line = values.as_ptr().cast::<i8>().wrapping_add(offset);
        // SAFETY: a prefetch touches nothing, whatever the address; every such processor has it.
        unsafe { std::arch::x86_64::_mm_prefetch::<LEVEL>(line) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, LINE);
}
