//! Broken devices for the tests of those who look for them.

use super::cpu::CpuBackend;
use super::{Backend, BufferId, ProgramId, ReadId, Recording, Span};
use crate::Result;
use crate::device::DeviceInfo;

/// A device that says nothing and leaves one kernel out, or returns zeros.
pub(crate) struct Silent {
    inner: CpuBackend,
    left_out: &'static str,
    zeros: bool,
}

impl Backend for Silent {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn max_buffer_bytes(&self) -> u64 {
        self.inner.max_buffer_bytes()
    }

    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        self.inner.allocate(bytes, label)
    }

    fn free(&mut self, buffer: BufferId) {
        self.inner.free(buffer);
    }

    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.inner.write(buffer, offset, bytes)
    }

    fn begin_read(&mut self, span: Span) -> Result<ReadId> {
        self.inner.begin_read(span)
    }

    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>> {
        let bytes = self.inner.finish_read(read)?;
        Ok(if self.zeros { vec![0; bytes.len()] } else { bytes })
    }

    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId> {
        let mut rest = Recording::new();
        for op in recording.ops().iter().filter(|op| op.name() != self.left_out) {
            rest.push(op.clone())?;
        }
        self.inner.prepare(&rest)
    }

    fn discard(&mut self, program: ProgramId) {
        self.inner.discard(program);
    }

    fn run(&mut self, program: ProgramId, times: usize) -> Result<()> {
        self.inner.run(program, times)
    }

    fn wait(&mut self) -> Result<()> {
        self.inner.wait()
    }
}

impl Silent {
    /// The native path without one kernel.
    pub(crate) fn without(kernel: &'static str) -> Self {
        Self { inner: CpuBackend::new(Some(1)), left_out: kernel, zeros: false }
    }

    /// The native path, with zeros for all results.
    pub(super) fn zeros() -> Self {
        Self { zeros: true, ..Self::without("") }
    }
}
