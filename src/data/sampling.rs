//! Which samples each mini-batch holds.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use crate::{Error, Result};

/// How mini-batches are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Sampling {
    /// Every sample of a batch is drawn at random from all, whatever was drawn before.
    #[default]
    Replacement,
    /// Shuffled passes over all samples, each of which visits every sample exactly once.
    Epoch,
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Replacement => "replacement",
            Self::Epoch => "epoch",
        })
    }
}

impl FromStr for Sampling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "replacement" => Ok(Self::Replacement),
            "epoch" => Ok(Self::Epoch),
            _ => Err(Error::config_hint(
                format!("no way of sampling is called {text:?}"),
                "there are replacement and epoch",
            )),
        }
    }
}

/// Draws the indices of mini-batches, the same for the same seed, on every device and whatever the calls ask for.
///
/// With [`Sampling::Epoch`] the shuffled passes follow each other without a gap: where the batch size does not divide
/// the number of samples, a batch takes the end of one pass and the beginning of the next. No sample is left out of a
/// pass and no batch is shorter; such a batch may hold a sample twice.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    samples: u32,
    batch_size: usize,
    generator: Pcg64,
    /// The order of the current pass; empty with replacement.
    order: Vec<u32>,
    /// How much of `order` has been handed out.
    position: usize,
}

impl Sampler {
    /// A sampler of batches of `batch_size` out of `samples`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no sample, or more than 32 bits can count, or the batch is empty.
    pub fn new(sampling: Sampling, samples: usize, batch_size: usize, seed: u64) -> Result<Self> {
        let samples = u32::try_from(samples)
            .ok()
            .filter(|&samples| samples > 0)
            .ok_or_else(|| Error::config(format!("{samples} samples: there must be 1 to {}", u32::MAX)))?;
        if batch_size == 0 {
            return Err(Error::config_hint("a batch of 0 samples", "--batch-size is at least 1"));
        }
        let order: Vec<u32> = match sampling {
            Sampling::Replacement => Vec::new(),
            Sampling::Epoch => (0..samples).collect(),
        };
        // Another sequence than the one that draws the initial weights from the same seed.
        let generator = Pcg64::seed_from_u64(seed ^ u64::from_le_bytes(*b"sampling"));
        Ok(Self { sampling, samples, batch_size, generator, position: order.len(), order })
    }

    /// How batches are drawn.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// How many samples there are to draw from: every index is below it.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples as usize
    }

    /// Samples of a batch.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Draws the next `indices.len() / batch_size` batches, one after the other.
    pub fn fill(&mut self, indices: &mut [u32]) {
        debug_assert!(indices.len().is_multiple_of(self.batch_size), "whole batches");
        match self.sampling {
            Sampling::Replacement => {
                for index in indices {
                    *index = below(&mut self.generator, self.samples);
                }
            }
            Sampling::Epoch => self.fill_from_passes(indices),
        }
    }

    fn fill_from_passes(&mut self, mut indices: &mut [u32]) {
        while !indices.is_empty() {
            if self.position == self.order.len() {
                self.shuffle();
            }
            let length = indices.len().min(self.order.len() - self.position);
            let (now, later) = indices.split_at_mut(length);
            now.copy_from_slice(&self.order[self.position..][..length]);
            self.position += length;
            indices = later;
        }
    }

    /// Begins a pass: a uniformly random permutation (Fisher and Yates, in Durstenfeld's form).
    fn shuffle(&mut self) {
        for last in (1..self.samples).rev() {
            let other = below(&mut self.generator, last + 1);
            self.order.swap(last as usize, other as usize);
        }
        self.position = 0;
    }
}

/// A uniform integer below `bound`, which is not 0, without bias.
///
/// The high half of a 64-bit draw times the bound; draws whose low half falls into the remainder of 2^64 by the bound
/// are repeated (Lemire 2019, "Fast random integer generation in an interval"). Written out here because a batch must
/// not change with the version of a dependency, whose own method may.
fn below(generator: &mut Pcg64, bound: u32) -> u32 {
    let bound = u64::from(bound);
    loop {
        let product = u128::from(generator.next_u64()) * u128::from(bound);
        let low = product as u64;
        // The remainder is below the bound, so that the division is needed in one of 2^32 draws only.
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 64) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLINGS: [Sampling; 2] = [Sampling::Replacement, Sampling::Epoch];

    fn draw(sampling: Sampling, samples: usize, batch_size: usize, seed: u64, batches: &[usize]) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling, samples, batch_size, seed).unwrap();
        let mut all = Vec::new();
        for &count in batches {
            let mut indices = vec![u32::MAX; count * batch_size];
            sampler.fill(&mut indices);
            all.extend(indices);
        }
        all
    }

    #[test]
    fn the_same_seed_gives_the_same_batches_however_they_are_cut() {
        for sampling in SAMPLINGS {
            let whole = draw(sampling, 97, 10, 42, &[40]);
            assert_eq!(whole, draw(sampling, 97, 10, 42, &[1, 0, 7, 12, 19, 1]), "{sampling}");
            assert_ne!(whole, draw(sampling, 97, 10, 43, &[40]), "{sampling}: the seed makes no difference");
        }
    }

    #[test]
    fn a_known_sequence() {
        // From an independent computation of PCG XSL RR 128/64 in Python's integers.
        let known = [59564, 58452, 34754, 46086, 29065, 11043, 14747, 59850];
        assert_eq!(draw(Sampling::Replacement, 60_000, 4, 42, &[2]), known);
    }

    #[test]
    fn a_pass_visits_every_sample_exactly_once() {
        // 10 does not divide 97: passes begin in the middle of batches.
        let indices = draw(Sampling::Epoch, 97, 10, 1, &[97]);
        let passes: Vec<&[u32]> = indices.chunks(97).collect();
        let everything: Vec<u32> = (0..97).collect();
        for pass in &passes {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, everything);
            assert_ne!(*pass, everything, "not shuffled");
        }
        assert!(passes.windows(2).all(|pair| pair[0] != pair[1]), "every pass is shuffled anew");
        // The check itself can fail: drawing with replacement does not visit everything.
        let mut replaced = draw(Sampling::Replacement, 97, 97, 1, &[1]);
        replaced.sort_unstable();
        assert_ne!(replaced, everything);
    }

    /// Pearson's statistic of `draws` against uniform counts, in standard deviations from its expectation.
    fn chi_squared_deviation(draws: impl Iterator<Item = u32>, bins: usize) -> f64 {
        let mut counts = vec![0.0; bins];
        draws.for_each(|draw| counts[draw as usize] += 1.0);
        let expected = counts.iter().sum::<f64>() / bins as f64;
        let statistic: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        (statistic - (bins - 1) as f64) / (2.0 * (bins - 1) as f64).sqrt()
    }

    #[test]
    fn draws_with_replacement_are_uniform() {
        let draws = draw(Sampling::Replacement, 1000, 100, 42, &[10_000]);
        // Five standard deviations; the seed is fixed, so that this either always passes or never.
        let deviation = chi_squared_deviation(draws.iter().copied(), 1000);
        assert!(deviation.abs() < 5.0, "{deviation}");
        // A bias of 1 % in half of the bins must show.
        let biased = draws.iter().map(|&draw| if draw % 200 == 1 { draw / 2 } else { draw });
        let deviation = chi_squared_deviation(biased, 1000);
        assert!(deviation > 5.0, "the bias does not show: {deviation}");
    }

    #[test]
    fn shuffles_are_uniform() {
        // All 24 orders of four samples, and so every place of every sample, equally often.
        let passes = draw(Sampling::Epoch, 4, 4, 7, &[48_000]);
        let order = |pass: &[u32]| {
            let rank = |i: usize| pass[i + 1..].iter().filter(|&&other| other < pass[i]).count() as u32;
            rank(0) * 6 + rank(1) * 2 + rank(2)
        };
        let deviation = chi_squared_deviation(passes.chunks(4).map(order), 24);
        assert!(deviation.abs() < 5.0, "{deviation}");
        // Passes whose first two samples are never the wrong way round are no uniform shuffles.
        let halved = passes.chunks(4).map(|p| order(&[p[0].min(p[1]), p[0].max(p[1]), p[2], p[3]]));
        let deviation = chi_squared_deviation(halved, 24);
        assert!(deviation > 5.0, "half of the orders are missing and it does not show: {deviation}");
    }

    #[test]
    fn bounds_of_every_size_are_kept() {
        let mut generator = Pcg64::seed_from_u64(1);
        for bound in [1, 2, 3, 1 << 31, u32::MAX] {
            assert!((0..1000).all(|_| below(&mut generator, bound) < bound), "{bound}");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        for (samples, batch_size) in [(0, 1), (1, 0), (1 << 32, 1)] {
            assert!(matches!(Sampler::new(Sampling::Epoch, samples, batch_size, 0), Err(Error::Config { .. })));
        }
    }

    #[test]
    fn names_read_back() {
        for sampling in SAMPLINGS {
            assert_eq!(sampling.to_string().parse::<Sampling>().unwrap(), sampling);
        }
        assert!("Epochs".parse::<Sampling>().is_err());
    }
}
