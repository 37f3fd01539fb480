//! Loss and accuracy around a network: along one weight, over a plane through all of them, and their derivatives.
//!
//! The loss is smooth in every weight; the accuracy is a staircase, whose derivative is 0 almost everywhere: that is why
//! a loss is descended and not the accuracy. Here both are evaluated, thousands of times a second, on any device.

mod curve;
mod path;
mod plane;
mod shares;
mod slice;

pub use curve::{CurvePoint, check_shifts, curve};
pub use path::{PathPlane, path_plane};
pub use plane::{Grid, random_directions};
pub use shares::{Shares, loss_derivatives, sampled_weights, shares};
pub use slice::{Score, scores};

use crate::backend::Backend;
use crate::data::Split;
use crate::device::DeviceKind;
use crate::network::Network;
use crate::{Error, Result};

/// Samples as bytes, of which 255 stands for 1.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// `[N, I]`, row-major.
    pub images: &'a [u8],
    /// `[N]` classes.
    pub labels: &'a [u8],
}

impl<'a> Samples<'a> {
    /// The first samples of a split, at most `count`.
    #[must_use]
    pub fn first(split: &'a Split, count: usize) -> Self {
        let count = count.min(split.len());
        Self { images: &split.images()[..count * split.features()], labels: &split.labels()[..count] }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Parts of at most `count` samples, in order.
    fn chunks(self, inputs: usize, count: usize) -> impl Iterator<Item = Self> {
        let images = self.images.chunks(count * inputs);
        images.zip(self.labels.chunks(count)).map(|(images, labels)| Self { images, labels })
    }

    /// Whether the network can be run on them.
    fn check(&self, network: &Network) -> Result<()> {
        let (inputs, classes) = (network.architecture.inputs(), network.architecture.outputs());
        if self.is_empty() || self.images.len() != self.len() * inputs {
            let pixels = self.images.len();
            return Err(Error::config(format!("{pixels} pixels for {} samples of {inputs} inputs", self.len())));
        }
        match self.labels.iter().find(|&&label| usize::from(label) >= classes) {
            Some(label) => Err(Error::config(format!("class {label} of a network of {classes} outputs"))),
            None => Ok(()),
        }
    }
}

/// Called with the evaluations done so far, of all samples each; `false` stops.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Samples that go through the network together, made a whole number of 64 by empty ones: tensors of such rows may begin
/// anywhere in each other.
const CHUNK: usize = 1_024;

/// Bytes that the evaluations of one submission work with: what stays in a processor's cache, or fills a GPU, and no more
/// than is left of `memory` beside what is there all the time.
fn working_bytes(backend: &dyn Backend, memory: Option<u64>, besides: usize) -> usize {
    let best: usize = match backend.info().kind {
        DeviceKind::Cpu => 6 << 20,
        _ => 32 << 20,
    };
    memory.map_or(best, |memory| best.min(bytes(memory).saturating_sub(besides)))
}

fn bytes(memory: u64) -> usize {
    usize::try_from(memory).unwrap_or(usize::MAX)
}

/// Samples that go through the network together within `memory`: what each needs, and what is there besides. A multiple
/// of 64, and 64 at the least, however little there is.
fn chunk_rows(memory: Option<u64>, each: usize, besides: usize) -> usize {
    let fits = memory.map_or(CHUNK, |memory| bytes(memory).saturating_sub(besides) / each.max(1));
    (fits / 64 * 64).clamp(64, CHUNK)
}

/// A chunk's inputs as floats, and how many samples it has been filled up to.
fn padded(chunk: Samples<'_>, inputs: usize) -> (Vec<f32>, usize) {
    let rows = chunk.len().next_multiple_of(64);
    let mut values: Vec<f32> = chunk.images.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    values.resize(rows * inputs, 0.0);
    (values, rows)
}
