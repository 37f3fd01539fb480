//! A team of threads that runs a program together: each takes its share of every operation, and they meet at
//! barriers in between. What each element is computed from does not depend on how many there are.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A meeting point that spins: operations last microseconds, less than waking a thread takes.
struct Barrier {
    workers: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

/// Spins before a waiting worker lets others have its core (on a machine with fewer cores than workers).
const SPINS: u32 = 4_096;

impl Barrier {
    fn wait(&self) {
        if self.workers == 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.round.load(Ordering::Acquire) == round {
            if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// One thread of the team.
pub(super) struct Worker<'a> {
    index: usize,
    barrier: &'a Barrier,
    /// Memory of its own, kept from run to run.
    pub(super) scratch: &'a mut Vec<f32>,
}

impl Worker<'_> {
    /// Whether it is the one that does what is too little to share.
    pub(super) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Its part of `count` items, cut at multiples of `block`.
    pub(super) fn share(&self, count: usize, block: usize) -> Range<usize> {
        let blocks = count.div_ceil(block);
        let cut = |index: usize| (blocks * index / self.barrier.workers * block).min(count);
        cut(self.index)..cut(self.index + 1)
    }

    /// Waits for the others.
    pub(super) fn meet(&self) {
        self.barrier.wait();
    }

    /// `len` floats of unknown values, of its own.
    pub(super) fn scratch(&mut self, len: usize) -> &mut [f32] {
        if self.scratch.len() < len {
            self.scratch.resize(len, 0.0);
        }
        &mut self.scratch[..len]
    }
}

/// Runs `work` on as many threads as there are `scratches`, this one among them, and waits for all.
pub(super) fn run(scratches: &mut [Vec<f32>], work: impl Fn(&mut Worker<'_>) + Sync) {
    let barrier = &Barrier { workers: scratches.len(), arrived: AtomicUsize::new(0), round: AtomicUsize::new(0) };
    let work = &work;
    let mut workers = scratches.iter_mut().enumerate().map(|(index, scratch)| Worker { index, barrier, scratch });
    let Some(mut first) = workers.next() else { return };
    std::thread::scope(|scope| {
        for mut worker in workers {
            scope.spawn(move || work(&mut worker));
        }
        work(&mut first);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        let barrier = Barrier { workers: 3, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0) };
        for count in [0, 1, 2, 15, 16, 17, 100, 1000] {
            for block in [1, 16] {
                let mut next = 0;
                for index in 0..3 {
                    let share = Worker { index, barrier: &barrier, scratch: &mut Vec::new() }.share(count, block);
                    assert_eq!(share.start, next, "count {count} block {block} worker {index}");
                    next = share.end;
                }
                assert_eq!(next, count);
            }
        }
    }

    #[test]
    fn barriers_order_what_workers_do() {
        // Each round every worker adds its share; without the barriers some worker would see an unfinished round.
        let counter = AtomicUsize::new(0);
        let wrong = AtomicUsize::new(0);
        run(&mut vec![Vec::new(); 4], |worker| {
            for round in 1..=1_000 {
                counter.fetch_add(1, Ordering::Relaxed);
                worker.meet();
                if counter.load(Ordering::Relaxed) != round * 4 {
                    wrong.fetch_add(1, Ordering::Relaxed);
                }
                worker.meet();
            }
        });
        assert_eq!(wrong.load(Ordering::Relaxed), 0);
    }
}
