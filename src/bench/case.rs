//! One row before it is measured.

use std::rc::Rc;

use super::Suite;
use super::timing::{Stopwatch, Timing};
use crate::Result;
use crate::backend::{Backend, Op, Recording, Scope};

/// What one execution takes whatever the kernel: the least that could be done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Multiplications and additions; `None` where they are not what it is made of.
    pub(super) flops: Option<f64>,
    /// Bytes that are read and written, each counted once.
    pub(super) bytes: Option<f64>,
    /// Operations that are handed to the device.
    pub(super) dispatches: usize,
}

type Time = dyn Fn(&mut dyn Backend, &Stopwatch<'_>) -> Result<Timing>;
type Check = dyn Fn(&mut dyn Backend) -> Result<()>;

/// One row before it is measured.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) suite: Suite,
    pub(super) name: &'static str,
    pub(super) shape: String,
    pub(super) work: Work,
    time: Rc<Time>,
}

/// Operations on operands that are on the device.
pub(super) struct Prepared {
    pub(super) recording: Recording,
    /// Looks at the results of the first execution.
    pub(super) check: Box<Check>,
}

impl Case {
    /// A row that `time` checks and times; what it allocates is given back.
    pub(super) fn new(
        suite: Suite,
        name: &'static str,
        shape: String,
        work: Work,
        time: impl Fn(&mut dyn Backend, &Stopwatch<'_>) -> Result<Timing> + 'static,
    ) -> Self {
        Self { suite, name, shape, work, time: Rc::new(time) }
    }

    /// Operations that `prepare` lays out: executed once, checked, and then timed.
    pub(super) fn kernel(
        suite: Suite,
        name: &'static str,
        shape: String,
        work: Work,
        prepare: impl Fn(&mut dyn Backend) -> Result<Prepared> + 'static,
    ) -> Self {
        Self::new(suite, name, shape, work, move |backend, stopwatch| {
            let Prepared { recording, check } = prepare(backend)?;
            stopwatch.check()?;
            let program = backend.prepare(&recording)?;
            backend.run(program, 1)?;
            check(backend)?;
            let mut timing = stopwatch.time(backend, &mut |backend, times| {
                backend.run(program, times)?;
                backend.wait()
            })?;
            stopwatch.time_on_device(backend, program, &mut timing)?;
            // Adapters have other kernels for products that are done very often.
            if recording.ops().iter().all(|op| matches!(op, Op::Matmul(_))) {
                check(backend)?;
            }
            backend.discard(program);
            Ok(timing)
        })
    }

    /// Suite, name and shape.
    pub(super) fn label(&self) -> String {
        format!("{} {} {}", self.suite.name(), self.name, self.shape)
    }

    /// Checks and times it.
    pub(super) fn time(&self, backend: &mut dyn Backend, stopwatch: &Stopwatch<'_>) -> Result<Timing> {
        stopwatch.check()?;
        Scope::with(backend, |backend| (self.time)(backend, stopwatch))
    }
}
