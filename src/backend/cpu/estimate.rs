//! What a polynomial through several pairs of points may miss.

/// The larger of what the spare pair saw and of what the first coefficient left out would be, if it shrinks from the
/// last one as that shrank from the one before: either alone may pass through 0. Float32 noise is no sign of anything.
#[inline(always)]
pub(super) fn estimate(last: f32, before: f32, missed: f32, scale: f32) -> f32 {
    const NOISE: f32 = 4e-7;
    let ratio = (last / before.max(f32::MIN_POSITIVE)).min(1.0);
    let worst = (last * ratio).max(missed);
    if last.max(missed) <= NOISE * scale { 0.0 } else { worst / scale.max(f32::MIN_POSITIVE) }
}
