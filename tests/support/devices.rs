//! Every device of this machine: the CPU path, and each adapter that wgpu finds.

use gpu_train::backend::cpu::CpuBackend;
use gpu_train::backend::gpu::{DeviceClass, Tiles};
use gpu_train::backend::{Backend, KERNELS, OpenOptions, open};
use gpu_train::device::{Selector, list};

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

/// Every adapter, opened as the program opens it, but with the driver's checks on.
///
/// The kernels take the tiles of that class where one is given, so that those for GPUs are tested without one.
/// No adapter is a failure where `GPU_TRAIN_REQUIRE_ADAPTER` is 1, and said on stderr where it is not.
pub(crate) fn adapters(class: Option<DeviceClass>) -> Vec<Device> {
    let adapters = list();
    if adapters.is_empty() {
        let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
        assert!(!required, "no adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
        eprintln!("no adapter: shaders were NOT run, only the CPU path");
    }
    let open = |index: usize| {
        let options = OpenOptions { shader_checks: true, tiles: class.map(Tiles::of), ..OpenOptions::default() };
        let opened = open(&Selector::Index(index), options).unwrap_or_else(|error| panic!("adapter {index}: {error}"));
        let info = opened.backend.info();
        Device { name: format!("{} ({})", info.name, info.backend), backend: opened.backend }
    };
    (0..adapters.len()).map(open).collect()
}

/// The CPU path with two threads, and every adapter.
pub(crate) fn all() -> Vec<Device> {
    std::iter::once(cpu(2)).chain(adapters(None)).collect()
}
