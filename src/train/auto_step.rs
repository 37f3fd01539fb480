//! The step size of a run that leaves it open.

use super::evaluate::check_split;
use super::settings::Settings;
use crate::Result;
use crate::backend::Backend;
use crate::data::{Dataset, Sampler};
use crate::gradient::{BatchSource, GradientOptions, Rounding, balanced_steps};
use crate::network::Network;

/// The step at which truncation and rounding of the first mini-batch's gradient are in balance: the smallest of the
/// layers' own, since a run has one.
///
/// # Errors
/// As [`train`](super::train).
pub fn balanced_step(
    backend: &mut dyn Backend,
    dataset: &Dataset,
    network: &Network,
    settings: &Settings,
) -> Result<f32> {
    let split = dataset.train();
    check_split(network, split)?;
    let mut indices = vec![0; settings.batch_size];
    Sampler::new(settings.sampling, split.len(), settings.batch_size, settings.seed)?.fill(&mut indices);
    let images: Vec<u8> = indices.iter().flat_map(|&index| split.image(index as usize)).copied().collect();
    let labels: Vec<u8> = indices.iter().map(|&index| split.labels()[index as usize]).collect();
    let options =
        GradientOptions { difference: settings.difference, probes: settings.probes, ..GradientOptions::default() };
    let source = BatchSource::Bytes { images: &images, labels: &labels };
    let steps = balanced_steps(backend, network, &source, options, Rounding::OfChanges)?;
    Ok(steps.into_iter().fold(f32::INFINITY, f32::min))
}
