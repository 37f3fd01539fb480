//! The embedded data set: 28 x 28 images of the ten digits, so that everything runs without a download.

mod model;
mod unpack;

use std::path::Path;

use self::model::{SIDE, TRAIN_COUNT};
use super::{Split, format_error};
use crate::Result;

/// The images and labels, as `assets/make_digits` packs them.
static PACKED: &[u8] = include_bytes!("../../../assets/digits.packed");

/// The training and the test images; unpacked anew by each call.
pub(super) fn read() -> Result<(Split, Split)> {
    let Some((mut images, mut labels)) = unpack::unpack(PACKED) else {
        return Err(format_error(Path::new("assets/digits.packed"), 0, "damaged data", "the packed digits"));
    };
    let test = Split::new(images.split_off(TRAIN_COUNT * SIDE * SIDE), labels.split_off(TRAIN_COUNT), SIDE, SIDE)?;
    Ok((Split::new(images, labels, SIDE, SIDE)?, test))
}
