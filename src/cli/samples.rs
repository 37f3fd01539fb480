//! Which samples of a data set a command looks at.

use clap::{Args, ValueEnum};

use super::values::Indices;
use crate::data::{Dataset, Split};
use crate::gradient::BatchSource;
use crate::{Error, Result};

/// The parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SplitName {
    /// What it was not trained on.
    Test,
    /// What it was trained on.
    Train,
}

impl SplitName {
    /// That part, and its name.
    pub(super) fn of(self, dataset: &Dataset) -> (&Split, &'static str) {
        match self {
            Self::Test => (dataset.test(), "test"),
            Self::Train => (dataset.train(), "train"),
        }
    }
}

/// Samples where nothing is said.
const DEFAULT_SAMPLES: usize = 100;

/// Which samples.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct SampleOptions {
    /// The part of the data set
    #[arg(long, default_value = "train")]
    split: SplitName,
    /// Samples of the batch: 0..100 (the last not among them) or 0,5,9 [default: the first 100]
    #[arg(long, value_name = "INDICES", allow_hyphen_values = true)]
    indices: Option<Indices>,
}

/// A batch as bytes.
pub(super) struct Samples {
    pub(super) split: &'static str,
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl SampleOptions {
    /// Takes the samples out of the data set.
    ///
    /// # Errors
    /// [`Error::Config`] for an index that is not there.
    pub(super) fn of(&self, dataset: &Dataset) -> Result<Samples> {
        let (split, name) = self.split.of(dataset);
        let first: Vec<usize>;
        let indices = match &self.indices {
            Some(Indices(indices)) => indices,
            None => {
                first = (0..split.len().min(DEFAULT_SAMPLES)).collect();
                &first
            }
        };
        if let Some(index) = indices.iter().find(|&&index| index >= split.len()) {
            let problem =
                format!("there is no sample {index}: the {name} split of {} has {}", dataset.name(), split.len());
            return Err(Error::config(problem));
        }
        Ok(Samples {
            split: name,
            images: indices.iter().flat_map(|&index| split.image(index)).copied().collect(),
            labels: indices.iter().map(|&index| split.labels()[index]).collect(),
        })
    }
}

impl Samples {
    /// As the library takes them.
    pub(super) fn source(&self) -> BatchSource<'_> {
        BatchSource::Bytes { images: &self.images, labels: &self.labels }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }
}
