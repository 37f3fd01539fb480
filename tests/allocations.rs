//! Training steps on the CPU path allocate nothing: counted by the allocator itself.
//!
//! A file of its own, with one test, because the count is the whole process's.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use gpu_train::backend::cpu::CpuBackend;
use gpu_train::data::Dataset;
use gpu_train::gradient::Method;
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use gpu_train::train::{Evaluation, Observer, Settings, train};

/// The system's allocator, counting what is asked of it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Watches a training run: between two of its reports lies one run of steps, handed to the device at once.
struct Watch {
    /// Allocations that each step is burdened with on purpose.
    burden: usize,
    /// Allocations so far at the last report.
    before: u64,
    /// Steps and allocations of each run of steps.
    runs: Vec<(usize, u64)>,
}

impl Observer for Watch {
    fn losses(&mut self, _first: u64, losses: &[f32], _seconds: f64) -> gpu_train::Result<()> {
        for _ in 0..self.burden * losses.len() {
            drop(black_box(Box::new(0_u64)));
        }
        let now = ALLOCATIONS.load(Ordering::Relaxed);
        // Room for all of them was made before the run.
        self.runs.push((losses.len(), now - self.before));
        self.before = ALLOCATIONS.load(Ordering::Relaxed);
        Ok(())
    }

    fn evaluation(&mut self, _evaluation: &Evaluation) -> gpu_train::Result<()> {
        Ok(())
    }
}

/// Steps and allocations of the runs of steps of a training run, without the first ones and the last.
fn observed(digits: &Dataset, method: Method, sizes: &[usize], threads: usize, burden: usize) -> Vec<(usize, u64)> {
    let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
    let architecture = Architecture::new(sizes.to_vec(), Activation::Sigmoid, output).unwrap();
    let mut network = Network::initialized(architecture, Initialization::Normal(0.01), 42);
    // All in one block of indices: what a new block costs comes once in hundreds of steps.
    let settings = Settings { method, steps: 300, batch_size: 10, eval_every: Some(300), ..Settings::default() };
    let mut watch = Watch { burden, before: 0, runs: Vec::with_capacity(1000) };
    train(&mut CpuBackend::new(Some(threads)), digits, &mut network, &settings, &mut watch).unwrap();
    // Before the first reports buffers are made, the team's threads take their scratch memory, and maps grow.
    let runs = &watch.runs[3..watch.runs.len() - 1];
    runs.to_vec()
}

/// By how many allocations one start of a team of two may differ from another: how far the new thread gets before its
/// first block, and whether a thread that helps out needs more scratch memory than its own blocks did.
const STARTING: u64 = 6;

/// What lies between the least and the most.
fn spread(numbers: impl Iterator<Item = u64> + Clone) -> u64 {
    numbers.clone().max().unwrap() - numbers.min().unwrap()
}

/// Each run of steps starts the team's threads and fetches losses, which allocates a little, however long it is. Steps
/// that allocated would make the counts of long runs and of short ones differ. Numerical gradients of deeper networks are
/// not among them: after each of their steps the host looks for parameters that it must refine, and that reads back.
#[test]
fn steps_allocate_nothing() {
    let digits = Dataset::open("digits", None).unwrap();
    let deep: &[usize] = &[784, 30, 20, 10];
    let shallow: &[usize] = &[784, 50, 10];
    for (method, sizes) in [(Method::Numerical, shallow), (Method::Backprop, shallow), (Method::Backprop, deep)] {
        for threads in [1, 2] {
            for burden in [0, 1] {
                let runs = observed(&digits, method, sizes, threads, burden);
                let lengths = spread(runs.iter().map(|run| run.0 as u64));
                let allocations = spread(runs.iter().map(|run| run.1));
                let what = format!("{method:?} {sizes:?} on {threads} threads: steps and allocations {runs:?}");
                assert!(lengths > 2 * STARTING, "runs of one length tell nothing: {what}");
                if burden == 0 {
                    // One thread's starting is always the same.
                    let most = if threads == 1 { 0 } else { STARTING };
                    assert!(allocations <= most, "{what}");
                } else {
                    // The control: an allocation for each step is seen.
                    assert!(allocations.abs_diff(lengths) <= STARTING, "{what}");
                }
            }
        }
    }
}
