//! The embedded data set: 28 x 28 images of the ten digits, so that everything runs without a download.

use std::path::Path;

use super::{Split, idx, join_split};
use crate::Result;

/// The embedded file of this name, with the name that errors give it.
macro_rules! embedded {
    ($name:literal) => {
        (Path::new(concat!("assets/digits/", $name)), include_bytes!(concat!("../../assets/digits/", $name)).as_slice())
    };
}

/// The training and the test images; inflated anew by each call.
pub(super) fn read() -> Result<(Split, Split)> {
    let split = |which, images: (&Path, &[u8]), labels: (&Path, &[u8])| {
        join_split("digits", which, idx::decode_images(images.0, images.1), idx::decode_labels(labels.0, labels.1))
    };
    let train = split("training", embedded!("train-images-idx3-ubyte.gz"), embedded!("train-labels-idx1-ubyte.gz"))?;
    let test = split("test", embedded!("t10k-images-idx3-ubyte.gz"), embedded!("t10k-labels-idx1-ubyte.gz"))?;
    Ok((train, test))
}
