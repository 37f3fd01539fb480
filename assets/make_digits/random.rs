//! The one source of chance: SplitMix64 and the few distributions that the writing needs.
//!
//! Only `+ - * /` on floats and wrapping integer arithmetic, so that every platform draws the same numbers.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator whose whole sequence follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-24 (the steps that an `f32` below 1 holds exactly).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped with mean 0 and standard deviation 1: the sum of four uniforms, scaled (it ends at +-3.46, so no
    /// image is ever bent beyond recognition by one draw).
    pub(crate) fn bell(&mut self) -> f32 {
        const SQRT_3: f32 = 1.732_050_8;
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * SQRT_3
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..count`; by multiplication, whose bias of `count` / 2^32 is far below what 14,000 draws can show.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (((self.next_u64() >> 32) * count as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn splitmix64_gives_its_published_sequence() {
        // The first outputs for seed 1234567, as widely published for checking implementations.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn bell_has_mean_0_and_standard_deviation_1() {
        const DRAWS: usize = 100_000;
        let mut random = SplitMix64::new(1);
        let draws: Vec<f64> = (0..DRAWS).map(|_| f64::from(random.bell())).collect();
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / DRAWS as f64;
        // Four standard errors of the mean are 0.013; the variance's (kurtosis 2.7) are 0.0165.
        assert!(mean.abs() < 0.013, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.017, "variance {variance}");
    }
}
