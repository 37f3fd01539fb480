//! Work that gives its memory back.

use super::{Backend, BufferId, ProgramId, ReadId, Recording, Span};
use crate::Result;
use crate::device::DeviceInfo;

/// A backend that remembers what was allocated, to give it back.
pub(crate) struct Scope<'a> {
    backend: &'a mut dyn Backend,
    buffers: Vec<BufferId>,
}

impl<'a> Scope<'a> {
    /// Does `work`, and frees all that it allocated; programs that use it go with it.
    pub(crate) fn with<T>(backend: &'a mut dyn Backend, work: impl FnOnce(&mut dyn Backend) -> T) -> T {
        let mut scope = Self { backend, buffers: Vec::new() };
        let result = work(&mut scope);
        for buffer in std::mem::take(&mut scope.buffers) {
            scope.backend.free(buffer);
        }
        result
    }
}

impl Backend for Scope<'_> {
    fn info(&self) -> &DeviceInfo {
        self.backend.info()
    }

    fn max_buffer_bytes(&self) -> u64 {
        self.backend.max_buffer_bytes()
    }

    fn allocate(&mut self, bytes: usize, label: &str) -> Result<BufferId> {
        let buffer = self.backend.allocate(bytes, label)?;
        self.buffers.push(buffer);
        Ok(buffer)
    }

    fn free(&mut self, buffer: BufferId) {
        self.buffers.retain(|&held| held != buffer);
        self.backend.free(buffer);
    }

    fn write(&mut self, buffer: BufferId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.backend.write(buffer, offset, bytes)
    }

    fn begin_read(&mut self, span: Span) -> Result<ReadId> {
        self.backend.begin_read(span)
    }

    fn finish_read(&mut self, read: ReadId) -> Result<Vec<u32>> {
        self.backend.finish_read(read)
    }

    fn prepare(&mut self, recording: &Recording) -> Result<ProgramId> {
        self.backend.prepare(recording)
    }

    fn discard(&mut self, program: ProgramId) {
        self.backend.discard(program);
    }

    fn run(&mut self, program: ProgramId, times: usize) -> Result<()> {
        self.backend.run(program, times)
    }

    fn device_seconds(&mut self, program: ProgramId, times: usize) -> Result<Option<f64>> {
        self.backend.device_seconds(program, times)
    }

    fn wait(&mut self) -> Result<()> {
        self.backend.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::backend::cpu::CpuBackend;
    use crate::data::{Dataset, Split};
    use crate::gradient::{GradientOptions, batch_gradient};
    use crate::network::{Activation, Architecture, Initialization, Network, OutputLoss};
    use crate::train::{Evaluation, Observer, Settings, evaluate, train};

    /// Ends a run with an error.
    struct Refuses;

    impl Observer for Refuses {
        fn losses(&mut self, _first: u64, _losses: &[f32], _seconds: f64) -> Result<()> {
            Err(Error::Interrupted)
        }

        fn evaluation(&mut self, _evaluation: &Evaluation) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn training_evaluation_and_gradients_give_their_memory_back() {
        let split = || Split::new(vec![9; 24], vec![0, 1, 0, 1], 2, 3).unwrap();
        let dataset = Dataset::new("four", split(), split(), None).unwrap();
        let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
        let architecture = Architecture::new(vec![6, 3, 2], Activation::Tanh, output).unwrap();
        let mut network = Network::initialized(architecture, Initialization::Xavier, 1);
        let mut device = CpuBackend::new(Some(1));
        let settings = Settings { steps: 3, batch_size: 2, ..Settings::default() };
        for _ in 0..2 {
            train(&mut device, &dataset, &mut network, &settings, &mut ()).unwrap();
            assert!(train(&mut device, &dataset, &mut network, &settings, &mut Refuses).is_err());
            evaluate(&mut device, &network, dataset.test(), None).unwrap();
            batch_gradient(&mut device, &network, &[0.5; 6], &[1], GradientOptions::default()).unwrap();
            // The native path gives out the first number that is free.
            let next = device.allocate(4, "next").unwrap();
            assert_eq!(next, BufferId(0), "something was kept");
            device.free(next);
        }
    }
}
