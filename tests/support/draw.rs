//! Values for tests: the same ones on every run.

/// A generator of reproducible test values (SplitMix64; Steele, Lea and Flood, 2014).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A whole number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// Evenly from `-reach..reach`.
    pub(crate) fn real(&mut self, reach: f32) -> f32 {
        let share = (self.bits() >> 40) as f32 / (1 << 24) as f32;
        reach * (2.0 * share - 1.0)
    }

    pub(crate) fn reals(&mut self, count: usize, reach: f32) -> Vec<f32> {
        (0..count).map(|_| self.real(reach)).collect()
    }

    /// Whole numbers from `-reach..=reach`: their sums and products are exact in float32, in any order.
    pub(crate) fn integers(&mut self, count: usize, reach: u32) -> Vec<f32> {
        (0..count).map(|_| self.below(2 * reach + 1) as f32 - reach as f32).collect()
    }

    pub(crate) fn words(&mut self, count: usize, end: u32) -> Vec<u32> {
        (0..count).map(|_| self.below(end)).collect()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }

    /// Pixels as they are drawn from bytes, `k / 255`, four fifths of them 0.
    pub(crate) fn pixels(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| if self.below(5) > 0 { 0.0 } else { (1 + self.below(255)) as f32 / 255.0 }).collect()
    }
}
