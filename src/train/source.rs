//! A split's bytes on a device: all of them where they fit, else a block at a time.

use crate::Result;
use crate::backend::{Backend, Bytes};
use crate::data::Split;

/// Images and labels as a kernel is given them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// `[samples, I]`, or one block of them.
    pub(super) images: Bytes,
    /// `[samples, 1]`, or one block of them.
    pub(super) labels: Bytes,
    /// Whether it is the whole split; else what is needed is written before each use.
    pub(super) resident: bool,
}

impl Source {
    /// The whole split where `budget` bytes and the device's largest buffer allow it, else room for `block` samples.
    pub(super) fn new(backend: &mut dyn Backend, split: &Split, block: usize, budget: u64) -> Result<Self> {
        let bytes = split.images().len() as u64;
        if bytes <= budget.min(backend.max_buffer_bytes()) {
            return Ok(Self {
                images: backend.bytes_from(split.images(), split.features(), "images")?,
                labels: backend.bytes_from(split.labels(), 1, "labels")?,
                resident: true,
            });
        }
        let bytes = |backend: &mut dyn Backend, columns: usize, label: &str| -> Result<Bytes> {
            Ok(Bytes { buffer: backend.allocate(block * columns, label)?, rows: block, columns })
        };
        Ok(Self {
            images: bytes(backend, split.features(), "a block of images")?,
            labels: bytes(backend, 1, "a block of labels")?,
            resident: false,
        })
    }

    /// Writes samples into the block.
    pub(super) fn upload(&self, backend: &mut dyn Backend, images: &[u8], labels: &[u8]) -> Result<()> {
        backend.write_bytes(self.images, images)?;
        backend.write_bytes(self.labels, labels)
    }
}
