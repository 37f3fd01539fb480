//! Mini-batches, drawn and gathered on a background thread, and brought to the device a block at a time.

use super::settings::Settings;
use super::source::Source;
use crate::Result;
use crate::backend::{Backend, Words};
use crate::data::{BatchStream, Block, Sampler, Split};

/// Most steps whose batches are on the device at once.
pub(super) const BLOCK_STEPS: usize = 512;

/// Most indices of a block, 16 MiB of them, unless one batch has more.
const BLOCK_INDICES: usize = 4 << 20;

/// Bytes of pixels that one block of a streamed split may take, unless one batch takes more.
const BLOCK_BYTES: usize = 32 << 20;

/// The stream of a run's mini-batches and the block that is on the device.
pub(super) struct Blocks {
    stream: BatchStream,
    current: Option<Block>,
}

impl Blocks {
    /// How many steps' batches a block holds: their indices, and where pixels are streamed those must fit `room` bytes.
    pub(super) fn steps(train: &Split, settings: &Settings, room: u64) -> Result<usize> {
        let samples = settings.batch_size.max(1);
        let steps = (BLOCK_INDICES / samples).clamp(1, BLOCK_STEPS);
        if train.images().len() as u64 <= room {
            return Ok(steps);
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        Ok((room / (samples * train.features().max(1))).clamp(1, steps))
    }

    pub(super) fn new(train: &Split, settings: &Settings, block: usize, gather: bool) -> Result<Self> {
        let sampler = Sampler::new(settings.sampling, train.len(), settings.batch_size, settings.seed)?;
        let stream = BatchStream::new(train.clone(), sampler, settings.steps, block, gather)?;
        Ok(Self { stream, current: None })
    }

    /// Brings the next block to the device and returns its number of steps.
    pub(super) fn load(
        &mut self,
        backend: &mut dyn Backend,
        source: &Source,
        indices: Words,
        cursor: Words,
    ) -> Result<usize> {
        if let Some(done) = self.current.take() {
            self.stream.recycle(done);
        }
        let Some(block) = self.stream.next_block() else { return Ok(0) };
        backend.write_words(indices, &block.indices)?;
        backend.write_words(cursor, &[0])?;
        let steps = block.steps;
        self.current = Some(block);
        if !source.resident {
            self.upload(backend, source)?;
        }
        Ok(steps)
    }

    /// Writes the current block's pixels and labels.
    pub(super) fn upload(&self, backend: &mut dyn Backend, source: &Source) -> Result<()> {
        match &self.current {
            Some(block) => source.upload(backend, &block.pixels, &block.labels),
            None => Ok(()),
        }
    }
}
