//! Data sets of small grey images: where they are, how they are read, and how mini-batches are drawn from them.
//!
//! Pixels and labels stay the bytes that they are in the files; what divides them by 255 runs on the device.

mod digits;
mod gzip;
pub mod idx;
pub mod image;
mod locate;
pub mod npy;
mod numbers;
mod sampling;
mod split;
mod stream;
mod tensors;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

pub use locate::{FILES, data_folder};
pub use numbers::read_csv;
pub use sampling::{Sampler, Sampling};
pub use split::Split;
pub use stream::{BatchStream, Block};
pub use tensors::{NamedTensor, Tensors};

use crate::{Error, Result};
use locate::Location;

/// A data set: images with labels to train on, and others, of the same shape and classes, to test on.
#[derive(Clone, Debug)]
pub struct Dataset {
    name: String,
    train: Split,
    test: Split,
    classes: usize,
}

impl Dataset {
    /// Opens the data set `spec`.
    ///
    /// `spec` is `digits` (embedded), `mnist` or `fashion-mnist` (the folders of these names in the data folder, see
    /// [`data_folder`]), or a folder that holds the four files of [`FILES`], each as it is or with `.gz` appended. A
    /// folder that is itself called `mnist` is opened as `./mnist`. The number of classes is the largest training label
    /// plus 1.
    ///
    /// # Errors
    /// [`Error::MissingDataset`] if files are missing, [`Error::Io`] and [`Error::Format`] if one cannot be read, and
    /// [`Error::Dataset`] if they do not fit together (see [`Dataset::new`]) or `spec` names nothing.
    pub fn open(spec: &str, data_dir: Option<&Path>) -> Result<Self> {
        Self::open_as(spec, data_dir, None)
    }

    /// [`Dataset::open`] for a model whose number of outputs, `classes`, is given: labels must be below it, but not
    /// every class needs to occur.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_with_classes(spec: &str, data_dir: Option<&Path>, classes: usize) -> Result<Self> {
        Self::open_as(spec, data_dir, Some(classes))
    }

    fn open_as(spec: &str, data_dir: Option<&Path>, classes: Option<usize>) -> Result<Self> {
        let (train, test) = match Location::find(spec, data_dir)? {
            Location::Embedded => digits::read()?,
            Location::Files(paths) => read_files(spec, &paths)?,
        };
        Self::new(spec, train, test, classes)
    }

    /// A data set of two splits; `classes` is `None` where the training labels decide.
    ///
    /// # Errors
    /// [`Error::Dataset`] if the images differ in shape, a label is not below the number of classes, or `classes` is
    /// `None` and one of them does not occur in the training labels.
    pub fn new(name: impl Into<String>, train: Split, test: Split, classes: Option<usize>) -> Result<Self> {
        let name = name.into();
        let fail = |problem: String, hint: Option<String>| Err(Error::Dataset { name: name.clone(), problem, hint });
        let shape = |split: &Split| format!("{} x {}", split.rows(), split.columns());
        if shape(&train) != shape(&test) {
            let problem = format!("training images are {}, test images {}", shape(&train), shape(&test));
            return fail(problem, Some("the four files must belong to one set".into()));
        }
        let largest = |split: &Split| split.labels().iter().max().map_or(0, |&label| usize::from(label));
        let count = classes.unwrap_or(largest(&train) + 1);
        if classes.is_none() {
            let counts = train.class_counts(count);
            let absent: Vec<usize> = (0..count).filter(|&class| counts[class] == 0).collect();
            if !absent.is_empty() {
                let problem = format!(
                    "the largest training label is {}, but no training image has the label {}",
                    count - 1,
                    abbreviate(&absent)
                );
                return fail(problem, Some("labels must count from 0 without gaps".into()));
            }
        }
        for (split, which) in [(&train, "training"), (&test, "test")] {
            if largest(split) >= count {
                let problem = format!("a {which} label is {}, but there are {count} classes", largest(split));
                let hint = classes.map(|_| format!("the model has {count} outputs; it was made for another set"));
                return fail(problem, hint);
            }
        }
        Ok(Self { name, train, test, classes: count })
    }

    /// What it was opened as.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The images to train on.
    #[must_use]
    pub fn train(&self) -> &Split {
        &self.train
    }

    /// The images to test on.
    #[must_use]
    pub fn test(&self) -> &Split {
        &self.test
    }

    /// How many classes there are: every label is below it.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }
}

/// Reads the four files, in the order of [`FILES`], at the same time; the first of them that fails is reported.
fn read_files(name: &str, paths: &[PathBuf; 4]) -> Result<(Split, Split)> {
    let [train_images, train_labels, test_images, test_labels] = paths;
    thread::scope(|scope| {
        let test = thread::Builder::new()
            .name("data test".into())
            .spawn_scoped(scope, || (idx::read_images(test_images), idx::read_labels(test_labels)))
            .map_err(|error| Error::io("read", test_images, error))?;
        let train = join_split(name, "training", idx::read_images(train_images), idx::read_labels(train_labels))?;
        let (images, labels) = test.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((train, join_split(name, "test", images, labels)?))
    })
}

/// The split of these images and labels, which must be equally many.
fn join_split(name: &str, which: &str, images: Result<idx::Images>, labels: Result<Vec<u8>>) -> Result<Split> {
    let (images, labels) = (images?, labels?);
    if images.count != labels.len() {
        return Err(Error::Dataset {
            name: name.into(),
            problem: format!("{} {which} images but {} {which} labels", images.count, labels.len()),
            hint: Some("the four files must belong to one set".into()),
        });
    }
    Split::new(images.pixels, labels, images.rows, images.columns)
}

/// Ascending classes for a message: runs as `first-last`, and no more than eight of them.
fn abbreviate(classes: &[usize]) -> String {
    let mut runs: Vec<String> = Vec::new();
    let chunks = classes.chunk_by(|a, b| a + 1 == *b);
    let more = chunks.clone().skip(8).map(<[usize]>::len).sum::<usize>();
    for run in chunks.take(8) {
        runs.push(match run {
            [first, .., last] => format!("{first}-{last}"),
            _ => run[0].to_string(),
        });
    }
    if more > 0 {
        runs.push(format!("{more} more"));
    }
    match runs.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => runs.concat(),
    }
}

/// An [`Error::Format`] for `path`.
fn format_error(path: &Path, offset: u64, found: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::Format { path: path.into(), offset, found: found.into(), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(labels: &[u8]) -> Split {
        Split::new(vec![0; labels.len() * 4], labels.to_vec(), 2, 2).unwrap()
    }

    #[test]
    fn classes_come_from_the_training_labels_or_from_the_caller() {
        let open = |classes| Dataset::new("t", split(&[0, 2, 1]), split(&[1]), classes).map(|set| set.classes());
        assert_eq!(open(None).unwrap(), 3);
        assert_eq!(open(Some(5)).unwrap(), 5);
        assert!(matches!(open(Some(2)), Err(Error::Dataset { .. })));
    }

    #[test]
    fn a_class_that_does_not_occur_is_named() {
        let error = Dataset::new("t", split(&[0, 3, 5]), split(&[0]), None).unwrap_err();
        assert!(error.to_string().ends_with("no training image has the label 1-2 or 4"), "{error}");
        assert!(Dataset::new("t", split(&[0, 3, 5]), split(&[0]), Some(6)).is_ok());
        let labels: Vec<u8> = (0..=255).step_by(2).chain([255]).collect();
        let error = Dataset::new("t", split(&labels), split(&[0]), None).unwrap_err();
        assert!(error.to_string().ends_with("1, 3, 5, 7, 9, 11, 13, 15 or 119 more"), "{error}");
    }

    #[test]
    fn a_test_label_beyond_the_classes_is_an_error() {
        let error = Dataset::new("t", split(&[0, 1]), split(&[255]), None).unwrap_err();
        assert_eq!(error.to_string(), "data set t: a test label is 255, but there are 2 classes");
    }

    #[test]
    fn shapes_must_agree() {
        let wide = Split::new(vec![0; 4], vec![0], 1, 4).unwrap();
        let error = Dataset::new("t", split(&[0]), wide, None).unwrap_err();
        assert!(error.to_string().contains("2 x 2, test images 1 x 4"), "{error}");
    }
}
