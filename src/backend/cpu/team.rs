//! A team of threads that runs a program together. What each element is computed from does not depend on how many
//! there are, nor on which of them does what.
//!
//! The work comes in groups; the blocks of one group may be done in any order and at the same time, the next group
//! begins when all of them are done. Every thread has its own list of blocks in each group (the same ones in every
//! round, so that what they touch stays in its cache) and helps the others when its own list is done: a thread that the
//! system lets wait holds up no more than the block that it has begun.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something to do: part `part` of `parts` of task `task`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) task: usize,
    pub(super) part: usize,
    pub(super) parts: usize,
}

/// Groups of blocks in the order in which they are done.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    groups: Vec<Group>,
    blocks: u64,
}

#[derive(Debug)]
struct Group {
    /// A list for each thread.
    lists: Vec<Vec<Block>>,
    /// Blocks in the groups before it, and with its own.
    start: u64,
    end: u64,
}

impl Schedule {
    /// Adds a group of tasks that do not touch each other's results, each cut into so many parts, for `threads`.
    pub(super) fn push(&mut self, tasks: &[(usize, usize)], threads: usize) {
        let mut lists = vec![Vec::new(); threads];
        for &(task, parts) in tasks {
            for part in 0..parts {
                lists[part * threads / parts].push(Block { task, part, parts });
            }
        }
        let start = self.blocks;
        self.blocks += tasks.iter().map(|&(_, parts)| parts as u64).sum::<u64>();
        self.groups.push(Group { lists, start, end: self.blocks });
    }
}

/// One part of a task, and the thread that does it.
pub(super) struct Worker<'a> {
    index: usize,
    count: usize,
    /// Memory of the thread's own, kept from run to run.
    scratch: &'a mut Vec<f32>,
}

impl<'a> Worker<'a> {
    /// Part `index` of `count`.
    #[cfg(test)]
    pub(super) fn part(index: usize, count: usize, scratch: &'a mut Vec<f32>) -> Self {
        Self { index, count, scratch }
    }
}

impl Worker<'_> {
    /// Whether it is the part that does what is too little to share.
    pub(super) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Its part of `count` items, cut at multiples of `block`.
    pub(super) fn share(&self, count: usize, block: usize) -> Range<usize> {
        let blocks = count.div_ceil(block);
        let cut = |index: usize| (blocks * index / self.count * block).min(count);
        cut(self.index)..cut(self.index + 1)
    }

    /// `len` floats of unknown values.
    pub(super) fn scratch(&mut self, len: usize) -> &mut [f32] {
        if self.scratch.len() < len {
            self.scratch.resize(len, 0.0);
        }
        &mut self.scratch[..len]
    }
}

/// A counter in a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// What a list's counter is made of: which group of which round, and how many of the list's blocks are taken.
const TAKEN_BITS: u32 = 20;

/// What the threads share.
struct Progress {
    /// Blocks done since the beginning.
    done: Counter,
    /// One for each list.
    taken: Vec<Counter>,
}

/// Spins before a waiting thread lets others have its core.
const SPINS: u32 = 2_048;

impl Progress {
    /// Waits until so many blocks are done; returns how many are.
    fn wait(&self, blocks: u64) -> u64 {
        let mut spins = 0;
        loop {
            let done = self.done.0.load(Ordering::Acquire);
            if done >= blocks {
                return done;
            }
            if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Takes the next block of a list, where there is one left in this group.
    fn take(&self, list: usize, blocks: usize, group: u64) -> Option<usize> {
        let counter = &self.taken[list].0;
        let mut now = counter.load(Ordering::Relaxed);
        loop {
            let taken = match (now >> TAKEN_BITS).cmp(&group) {
                // Nobody has taken anything of this group yet.
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => now & ((1 << TAKEN_BITS) - 1),
                // The group was done long ago.
                std::cmp::Ordering::Greater => return None,
            };
            if taken >= blocks as u64 {
                return None;
            }
            let next = (group << TAKEN_BITS) | (taken + 1);
            match counter.compare_exchange_weak(now, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(taken as usize),
                Err(other) => now = other,
            }
        }
    }
}

/// Does everything in `once`, and then everything in `schedule`, `times` times over, on as many threads as there are
/// `scratches`, this one among them.
pub(super) fn run(
    once: &Schedule,
    schedule: &Schedule,
    times: usize,
    scratches: &mut [Vec<f32>],
    work: impl Fn(usize, &mut Worker<'_>) + Sync,
) {
    let taken = scratches.iter().map(|_| Counter::default()).collect();
    let (progress, work) = (&Progress { done: Counter::default(), taken }, &work);
    let mut threads = scratches.iter_mut().enumerate();
    let Some((_, first)) = threads.next() else { return };
    std::thread::scope(|scope| {
        for (thread, scratch) in threads {
            scope.spawn(move || one_thread(thread, once, schedule, times, progress, scratch, work));
        }
        one_thread(0, once, schedule, times, progress, first, work);
    });
}

fn one_thread(
    thread: usize,
    once: &Schedule,
    schedule: &Schedule,
    times: usize,
    progress: &Progress,
    scratch: &mut Vec<f32>,
    work: &(impl Fn(usize, &mut Worker<'_>) + Sync),
) {
    let (mut group_number, mut before) = (0, 0);
    for schedule in std::iter::once(once).chain(std::iter::repeat_n(schedule, times)) {
        for group in &schedule.groups {
            group_number += 1;
            if progress.wait(before + group.start) >= before + group.end {
                continue;
            }
            let mut done = 0;
            for list in (0..group.lists.len()).map(|step| (thread + step) % group.lists.len()) {
                let blocks = &group.lists[list];
                while let Some(block) = progress.take(list, blocks.len(), group_number) {
                    let Block { task, part, parts } = blocks[block];
                    work(task, &mut Worker { index: part, count: parts, scratch: &mut *scratch });
                    done += 1;
                }
            }
            // Whoever sees this sees what the blocks have written.
            progress.done.0.fetch_add(done, Ordering::Release);
        }
        before += schedule.blocks;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for count in [0, 1, 2, 15, 16, 17, 100, 1000] {
            for block in [1, 16] {
                let mut next = 0;
                for index in 0..3 {
                    let share = Worker { index, count: 3, scratch: &mut Vec::new() }.share(count, block);
                    assert_eq!(share.start, next, "count {count} block {block} part {index}");
                    next = share.end;
                }
                assert_eq!(next, count);
            }
        }
    }

    /// Every block is done once a round, and never before the groups in front of it.
    #[test]
    fn groups_are_done_one_after_the_other_and_blocks_once() {
        const ROUNDS: usize = 2_000;
        for threads in [1, 2, 4] {
            let (mut once, mut schedule) = (Schedule::default(), Schedule::default());
            once.push(&[(4, 3)], threads);
            schedule.push(&[(0, 1)], threads);
            schedule.push(&[(1, 7), (2, 2)], threads);
            schedule.push(&[(3, 4)], threads);
            let parts = [1, 7, 2, 4, 3];
            let done = parts.map(|_| AtomicUsize::new(0));
            let wrong = AtomicUsize::new(0);
            run(&once, &schedule, ROUNDS, &mut vec![Vec::new(); threads], |task, worker| {
                let count = |task: usize| done[task].load(Ordering::Relaxed);
                let round = count(task) / parts[task];
                let before = [vec![3], vec![0], vec![0], vec![1, 2], vec![]];
                for &earlier in &before[task] {
                    // The last group of the round before, or an earlier one of this round, in full.
                    let rounds = if task == 0 { round } else { round + 1 };
                    wrong.fetch_add(usize::from(count(earlier) != rounds * parts[earlier]), Ordering::Relaxed);
                }
                // What is done once is done before everything else.
                wrong.fetch_add(usize::from(task != 4 && count(4) != parts[4]), Ordering::Relaxed);
                assert!(worker.index < parts[task] && worker.count == parts[task]);
                done[task].fetch_add(1, Ordering::Relaxed);
            });
            let wanted = std::array::from_fn(|task| parts[task] * if task == 4 { 1 } else { ROUNDS });
            assert_eq!(done.map(AtomicUsize::into_inner), wanted, "{threads} threads");
            assert_eq!(wrong.into_inner(), 0, "{threads} threads");
        }
    }
}
