//! What a device must do to train networks on it, and the native CPU code that does.
//!
//! Work is described by a [`Recording`] of operations, plain data without a device; a backend checks and prepares
//! it once and then runs it any number of times. A training step is one recording; hundreds of them go into one
//! submission, and what differs from step to step (which batch, which row of the losses) comes from counters on
//! the device.

mod access;
pub mod cpu;
mod fusion;
pub mod gpu;
mod nodes;
mod op;
mod open;
mod recording;
mod scope;
mod self_test;
#[cfg(test)]
pub(crate) mod silent;
mod tensor;
mod threefry;
mod tuning;

pub use op::*;
pub(crate) use open::open_for_shaders;
pub use open::{OpenOptions, Opened, open};
pub use recording::Recording;
pub(crate) use scope::Scope;
pub use tensor::{BufferId, Bytes, Span, Tensor, Words};
pub use tuning::{FamilyTuning, Tuning};

use crate::Result;
use crate::device::DeviceInfo;

/// A prepared [`Recording`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgramId(pub(crate) u32);

/// A read-back under way, to be finished by [`Backend::finish_read`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ReadId(pub(crate) u32);

/// A device that holds buffers and runs recordings.
///
/// Everything is executed in the order in which it was asked for. `write` and `run` may return before the device
/// is done; an error of the device then comes back from a later call. Handles are good only on the backend that
/// gave them; a foreign or freed one is an [`Error::Driver`](crate::Error::Driver).
pub trait Backend {
    /// What this device is.
    fn info(&self) -> &DeviceInfo;

    /// Bytes of the largest buffer that a kernel can be given.
    fn max_buffer_bytes(&self) -> u64;

    /// A buffer of at least `bytes` bytes, all 0; `label` says what it is for in errors and debuggers.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) or [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId>;

    /// Gives a buffer back. Programs that use it can no longer run.
    fn free(&mut self, buffer: BufferId);

    /// Writes `bytes` (a multiple of 4 of them) from byte `offset` (a multiple of 4) of the buffer on.
    ///
    /// # Errors
    /// When the range is not in the buffer, or the device fails.
    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()>;

    /// Begins to read a range as it is after everything that was asked for so far; does not wait.
    ///
    /// # Errors
    /// When the range is not in the buffer, or the device fails.
    fn begin_read(&mut self, span: Span) -> Result<ReadId>;

    /// Waits for a read-back and returns its words.
    ///
    /// # Errors
    /// When the device fails.
    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>>;

    /// Checks a recording against this device's limits and buffers, and makes it ready to run.
    ///
    /// # Errors
    /// When operands do not fit together, or the device cannot run a kernel.
    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId>;

    /// Gives a program back.
    fn discard(&mut self, program: ProgramId);

    /// Runs a program `times` times, one after the other.
    ///
    /// # Errors
    /// When the device fails.
    fn run(&mut self, program: ProgramId, times: usize) -> Result<()>;

    /// Runs a program `times` times, as [`Backend::run`] does, waits, and tells how many seconds that took by the device's
    /// own clock: without what the host and the way to the device add. `None` where it has none (the program may not have
    /// run then), or one that does not go on.
    ///
    /// # Errors
    /// When the device fails.
    fn device_seconds(&mut self, program: ProgramId, times: usize) -> Result<Option<f64>> {
        let _ = (program, times);
        Ok(None)
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// When the device fails.
    fn wait(&mut self) -> Result<()>;
}

/// Conveniences on every backend: typed buffers, written and read as what they hold.
impl dyn Backend + '_ {
    /// A tensor `[rows, columns]` of zeros in a buffer of its own.
    ///
    /// # Errors
    /// As [`Backend::allocate`].
    pub fn tensor(&mut self, rows: usize, columns: usize, label: &str) -> Result<Tensor> {
        let buffer = self.allocate(rows * columns * 4, label)?;
        Ok(Tensor { buffer, offset: 0, rows, columns })
    }

    /// A tensor in a buffer of its own with these values.
    ///
    /// # Errors
    /// As [`Backend::allocate`].
    pub fn tensor_from(&mut self, values: &[f32], rows: usize, columns: usize, label: &str) -> Result<Tensor> {
        let tensor = self.tensor(rows, columns, label)?;
        self.write_tensor(tensor, values)?;
        Ok(tensor)
    }

    /// Words of 0 in a buffer of their own.
    ///
    /// # Errors
    /// As [`Backend::allocate`].
    pub fn words(&mut self, len: usize, label: &str) -> Result<Words> {
        Ok(Words { buffer: self.allocate(len * 4, label)?, offset: 0, len })
    }

    /// These words in a buffer of their own.
    ///
    /// # Errors
    /// As [`Backend::allocate`].
    pub fn words_from(&mut self, values: &[u32], label: &str) -> Result<Words> {
        let words = self.words(values.len(), label)?;
        self.write_words(words, values)?;
        Ok(words)
    }

    /// These bytes, `columns` a sample, in a buffer of their own.
    ///
    /// # Errors
    /// As [`Backend::allocate`].
    pub fn bytes_from(&mut self, values: &[u8], columns: usize, label: &str) -> Result<Bytes> {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        let bytes = Bytes { buffer: self.allocate(values.len(), label)?, rows, columns };
        self.write_bytes(bytes, values)?;
        Ok(bytes)
    }

    /// Writes a whole tensor.
    ///
    /// # Errors
    /// As [`Backend::write`].
    pub fn write_tensor(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        self.write(tensor.buffer, tensor.offset * 4, bytemuck::cast_slice(values))
    }

    /// Writes words from the first on.
    ///
    /// # Errors
    /// As [`Backend::write`].
    pub fn write_words(&mut self, words: Words, values: &[u32]) -> Result<()> {
        self.write(words.buffer, words.offset * 4, bytemuck::cast_slice(values))
    }

    /// Writes samples from the first on.
    ///
    /// # Errors
    /// As [`Backend::write`].
    pub fn write_bytes(&mut self, bytes: Bytes, values: &[u8]) -> Result<()> {
        let whole = values.len() / 4 * 4;
        self.write(bytes.buffer, 0, &values[..whole])?;
        if whole < values.len() {
            let mut last = [0; 4];
            last[..values.len() - whole].copy_from_slice(&values[whole..]);
            self.write(bytes.buffer, whole, &last)?;
        }
        Ok(())
    }

    /// Reads a whole tensor, and waits for it.
    ///
    /// # Errors
    /// As [`Backend::finish_read`].
    pub fn read_tensor(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        let read = self.begin_read(tensor.span())?;
        Ok(bytemuck::cast_vec(self.finish_read(read)?))
    }

    /// Reads all the words, and waits for them.
    ///
    /// # Errors
    /// As [`Backend::finish_read`].
    pub fn read_words(&mut self, words: Words) -> Result<Vec<u32>> {
        let read = self.begin_read(words.span())?;
        self.finish_read(read)
    }

    /// Prepares, runs once and discards a recording.
    ///
    /// # Errors
    /// As [`Backend::prepare`] and [`Backend::run`].
    pub fn run_once(&mut self, recording: &Recording) -> Result<()> {
        let program = self.prepare(recording)?;
        let result = self.run(program, 1);
        self.discard(program);
        result
    }
}
