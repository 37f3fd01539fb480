//! Operands: normally distributed ones, and images of the embedded data set.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use crate::Result;
use crate::backend::{Backend, Tensor};
use crate::data::Dataset;

/// A source of operands.
pub(super) struct Draw(Pcg64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// Normally distributed with this deviation.
    pub(super) fn normals(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let draw = |generator: &mut Pcg64| {
            let value: f32 = StandardNormal.sample(generator);
            value * deviation
        };
        (0..count).map(|_| draw(&mut self.0)).collect()
    }

    /// The same on the device as well.
    pub(super) fn tensor(
        &mut self,
        backend: &mut dyn Backend,
        [rows, columns]: [usize; 2],
        deviation: f32,
    ) -> Result<(Tensor, Vec<f32>)> {
        let values = self.normals(rows * columns, deviation);
        Ok((backend.tensor_from(&values, rows, columns, "an operand")?, values))
    }
}

/// Pixels and labels of so many samples: the embedded training images, over and over.
pub(super) fn images(samples: usize) -> Result<(Vec<u8>, Vec<u8>)> {
    let dataset = Dataset::open("digits", None)?;
    let train = dataset.train();
    let pixels = train.images().iter().copied().cycle().take(samples * train.features());
    Ok((pixels.collect(), train.labels().iter().copied().cycle().take(samples).collect()))
}

/// One of ten classes for each sample.
pub(super) fn targets(samples: usize) -> Vec<u32> {
    (0..samples as u32).map(|n| (n * 7 + n / 10) % 10).collect()
}
