//! One part of a data set: images as bytes, and the class of each.

use bytes::Bytes;

use crate::{Error, Result};

/// Images `[len, features]` and labels `[len]`, as bytes; clones share them.
///
/// `features` is `rows * columns`; an image's pixels are row-major. A pixel of 255 stands for 1.0.
#[derive(Clone, Debug)]
pub struct Split {
    images: Bytes,
    labels: Bytes,
    rows: usize,
    columns: usize,
}

impl Split {
    /// The split of `images`, `[labels.len(), rows * columns]`, and their `labels`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no label, an image has no pixels, or the number of pixels is another.
    pub fn new(images: impl Into<Bytes>, labels: Vec<u8>, rows: usize, columns: usize) -> Result<Self> {
        let images = images.into();
        let expected = rows.checked_mul(columns).and_then(|features| features.checked_mul(labels.len()));
        if expected != Some(images.len()) || images.is_empty() {
            return Err(Error::config(format!(
                "{} bytes of pixels are not {} images of {rows} x {columns}, at least one",
                images.len(),
                labels.len()
            )));
        }
        Ok(Self { images, labels: labels.into(), rows, columns })
    }

    /// How many images there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image, which [`Split::new`] rules out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of an image from top to bottom.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Pixels of an image from left to right.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Pixels of an image: `rows * columns`.
    #[must_use]
    pub fn features(&self) -> usize {
        self.rows * self.columns
    }

    /// The pixels of image `index`, `[features]`.
    ///
    /// # Panics
    /// If there are no more than `index` images.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let features = self.features();
        &self.images[index * features..][..features]
    }

    /// All pixels, `[len, features]`.
    #[must_use]
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// All labels, `[len]`.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The labels one-hot, `[len, classes]`: 1.0 in the column of the label, 0.0 elsewhere.
    ///
    /// A label that is not below `classes` gives a row of zeros; in a [`Dataset`](super::Dataset) there is none.
    #[must_use]
    pub fn one_hot(&self, classes: usize) -> Vec<f32> {
        let mut rows = vec![0.0; self.len() * classes];
        for (index, &label) in self.labels.iter().enumerate() {
            if usize::from(label) < classes {
                rows[index * classes + usize::from(label)] = 1.0;
            }
        }
        rows
    }

    /// How many images each class has, `[classes]`; labels that are not below `classes` are not counted.
    #[must_use]
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in self.labels.iter() {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(Split::new(vec![0; 8], vec![0, 1], 2, 2).is_ok());
        for (pixels, labels, rows, columns) in [(7, 2, 2, 2), (0, 0, 2, 2), (0, 2, 0, 2), (8, 2, usize::MAX, 2)] {
            let refused = Split::new(vec![0; pixels], vec![0; labels], rows, columns);
            assert!(matches!(refused, Err(Error::Config { .. })), "{pixels} {labels} {rows} {columns}");
        }
    }

    #[test]
    fn rows_and_classes_are_where_they_belong() {
        let split = Split::new((0..12).collect::<Vec<u8>>(), vec![2, 0, 2], 1, 4).unwrap();
        assert_eq!((split.len(), split.features(), split.rows(), split.columns()), (3, 4, 1, 4));
        assert_eq!(split.image(2), [8, 9, 10, 11]);
        assert_eq!(split.one_hot(3), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(split.one_hot(2), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(split.class_counts(3), [1, 0, 2]);
    }
}
