//! Where a batch in the caller's memory comes from: floats, or the bytes of a data set.

use crate::network::Network;
use crate::{Error, Result};

/// A batch in memory.
#[derive(Debug, Clone, Copy)]
pub enum BatchSource<'a> {
    /// Inputs as they are.
    Floats {
        /// `[N, I]`, row-major.
        inputs: &'a [f32],
        /// `[N]` classes.
        targets: &'a [u32],
    },
    /// Pixels, of which 255 stands for 1; they are scaled on the device.
    Bytes {
        /// `[N, I]`, row-major.
        images: &'a [u8],
        /// `[N]` classes.
        labels: &'a [u8],
    },
}

/// A batch in the opposite order, of the same kind as what it was made of: bytes keep their bound, and cost as little.
pub(super) enum Mirrored {
    Floats { inputs: Vec<f32>, targets: Vec<u32> },
    Bytes { images: Vec<u8>, labels: Vec<u8> },
}

impl Mirrored {
    pub(super) fn source(&self) -> BatchSource<'_> {
        match self {
            Self::Floats { inputs, targets } => BatchSource::Floats { inputs, targets },
            Self::Bytes { images, labels } => BatchSource::Bytes { images, labels },
        }
    }
}

impl BatchSource<'_> {
    /// `N`
    #[must_use]
    pub fn samples(&self) -> usize {
        match self {
            Self::Floats { targets, .. } => targets.len(),
            Self::Bytes { labels, .. } => labels.len(),
        }
    }

    /// The inputs `[N, I]` as a network is given them.
    #[must_use]
    pub fn inputs(&self) -> Vec<f32> {
        match self {
            Self::Floats { inputs, .. } => inputs.to_vec(),
            Self::Bytes { images, .. } => images.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
        }
    }

    /// The classes `[N]`.
    #[must_use]
    pub fn targets(&self) -> Vec<u32> {
        match self {
            Self::Floats { targets, .. } => targets.to_vec(),
            Self::Bytes { labels, .. } => labels.iter().map(|&label| label.into()).collect(),
        }
    }

    /// The same with samples, inputs and classes in the opposite order, of `classes` classes.
    pub(super) fn mirrored(&self, classes: usize) -> Mirrored {
        let last = classes.saturating_sub(1);
        match self {
            Self::Floats { inputs, targets } => Mirrored::Floats {
                inputs: inputs.iter().rev().copied().collect(),
                targets: targets.iter().rev().map(|&target| last as u32 - target).collect(),
            },
            Self::Bytes { images, labels } => Mirrored::Bytes {
                images: images.iter().rev().copied().collect(),
                labels: labels.iter().rev().map(|&label| (last - usize::from(label)) as u8).collect(),
            },
        }
    }

    /// Whether the batch fits the network.
    pub(super) fn check(&self, network: &Network) -> Result<()> {
        let (features, classes) = (network.architecture.inputs(), network.architecture.outputs());
        let len = match self {
            Self::Floats { inputs, .. } => inputs.len(),
            Self::Bytes { images, .. } => images.len(),
        };
        let samples = self.samples();
        if samples == 0 || samples.checked_mul(features) != Some(len) {
            return Err(Error::config(format!("{len} inputs for {samples} samples of {features}")));
        }
        match self.targets().iter().find(|&&target| target as usize >= classes) {
            Some(target) => Err(Error::config(format!("class {target} of a network of {classes} outputs"))),
            None => Ok(()),
        }
    }
}
