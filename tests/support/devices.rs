//! Every device of this machine that the engine computes on.

use gpu_train::backend::cpu::CpuBackend;
use gpu_train::backend::{Backend, KERNELS};

use super::faulty::{Fault, Faulty};

/// A device by the name under which failures are told.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) backend: Box<dyn Backend>,
}

impl Device {
    /// Does something on the device: on a faulty one when `GPU_TRAIN_TEST_FAULT` names a kernel, which shows that
    /// the tests see faults.
    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&mut dyn Backend) -> T) -> T {
        let Ok(fault) = std::env::var("GPU_TRAIN_TEST_FAULT") else {
            return work(self.backend.as_mut());
        };
        let kernel = KERNELS.iter().find(|kernel| **kernel == fault);
        let kernel = kernel.unwrap_or_else(|| panic!("GPU_TRAIN_TEST_FAULT is {fault}; the kernels are {KERNELS:?}"));
        work(&mut Faulty::new(self.backend.as_mut(), Fault::Perturbed(kernel)))
    }
}

/// The CPU path with this many threads.
pub(crate) fn cpu(threads: usize) -> Device {
    let backend = CpuBackend::new(Some(threads));
    Device { name: format!("cpu, {threads} threads"), backend: Box::new(backend) }
}

/// Every device that this version computes on: the CPU path, with two threads.
pub(crate) fn all() -> Vec<Device> {
    vec![cpu(2)]
}
