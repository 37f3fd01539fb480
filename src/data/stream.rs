//! Mini-batches prepared ahead of training by a background thread.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use super::{Sampler, Split};
use crate::{Error, Result};

/// Finished blocks that wait while training works on another.
const AHEAD: usize = 2;

/// Blocks that can wait to be filled again; more than a caller holds at a time, and none is lost.
const RECYCLED: usize = 16;

/// A few consecutive mini-batches.
#[derive(Debug, Default)]
pub struct Block {
    /// How many mini-batches; each is one training step.
    pub steps: usize,
    /// The row of each sample, `[steps, batch_size]`: of the split or, where the stream gathers, of this block, in
    /// which they count 0, 1, 2 and so on.
    pub indices: Vec<u32>,
    /// The samples' pixels, `[steps, batch_size, features]`, where the stream gathers; else empty.
    pub pixels: Vec<u8>,
    /// The samples' labels, `[steps, batch_size]`, where the stream gathers; else empty.
    pub labels: Vec<u8>,
}

/// A background thread that draws mini-batches and, where the data are not on the device, gathers them.
///
/// It works at most two blocks ahead, and stops when the stream is dropped.
#[derive(Debug)]
pub struct BatchStream {
    /// `None` once the stream is over.
    blocks: Option<Receiver<Block>>,
    recycled: SyncSender<Block>,
    thread: Option<JoinHandle<()>>,
}

impl BatchStream {
    /// Begins to draw `steps` mini-batches from `split`, `block_steps` to a block; the last block may have fewer.
    ///
    /// # Errors
    /// [`Error::Config`] if a block has no step or more samples than 32 bits can count, `sampler` draws from more
    /// samples than `split` has, or no thread can be started.
    pub fn new(split: Split, mut sampler: Sampler, steps: u64, block_steps: usize, gather: bool) -> Result<Self> {
        let batch_size = sampler.batch_size();
        let largest = block_steps.checked_mul(batch_size).filter(|&size| size > 0 && u32::try_from(size).is_ok());
        if largest.is_none() {
            return Err(Error::config(format!("a block of {block_steps} batches of {batch_size} samples")));
        }
        if sampler.samples() > split.len() {
            return Err(Error::config(format!(
                "the sampler draws from {} samples, but there are {}",
                sampler.samples(),
                split.len()
            )));
        }
        Self::start(steps, block_steps, move |block| {
            block.indices.resize(block.steps * batch_size, 0);
            sampler.fill(&mut block.indices);
            if gather {
                gather_rows(&split, block);
            }
        })
    }

    /// Starts the thread; `fill` makes each block's contents from its `steps`.
    fn start(steps: u64, block_steps: usize, mut fill: impl FnMut(&mut Block) + Send + 'static) -> Result<Self> {
        let (sender, blocks) = mpsc::sync_channel(AHEAD);
        let (recycled, empty) = mpsc::sync_channel::<Block>(RECYCLED);
        let work = move || {
            let mut left = steps;
            while left > 0 {
                let mut block = empty.try_recv().unwrap_or_default();
                // No more than `block_steps`, so that it fits.
                block.steps = left.min(block_steps as u64) as usize;
                left -= block.steps as u64;
                fill(&mut block);
                if sender.send(block).is_err() {
                    return; // the stream was dropped
                }
            }
        };
        let thread = thread::Builder::new()
            .name("data batches".into())
            .spawn(work)
            .map_err(|error| Error::config(format!("cannot start the thread that draws mini-batches: {error}")))?;
        Ok(Self { blocks: Some(blocks), recycled, thread: Some(thread) })
    }

    /// The next block, or `None` when all steps have been drawn; waits for the thread where it is behind.
    ///
    /// # Panics
    /// If the thread panicked, with its panic.
    pub fn next_block(&mut self) -> Option<Block> {
        let block = self.blocks.as_ref()?.recv().ok();
        if block.is_none() {
            self.stop();
        }
        block
    }

    /// Gives a block back, so that its memory serves for one to come.
    pub fn recycle(&self, block: Block) {
        // If there is no room for it, or no thread any more, it is simply freed.
        let _ = self.recycled.try_send(block);
    }

    /// Ends the thread and passes its panic on, unless this thread panics already.
    fn stop(&mut self) {
        // Without a receiver the thread's next send fails, which ends it.
        self.blocks = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Copies the samples that `block.indices` name into the block, and renumbers them.
fn gather_rows(split: &Split, block: &mut Block) {
    block.pixels.clear();
    block.pixels.reserve_exact(block.indices.len() * split.features());
    block.labels.clear();
    block.labels.reserve_exact(block.indices.len());
    for (row, index) in block.indices.iter_mut().enumerate() {
        let sample = *index as usize;
        block.pixels.extend_from_slice(split.image(sample));
        block.labels.push(split.labels()[sample]);
        *index = row as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::data::Sampling;

    const BATCH: usize = 5;

    /// 23 samples of 3 pixels: sample `i` has the pixels `i, i + 100, i + 200` and the label `i % 10`.
    fn split() -> Split {
        let pixels: Vec<u8> = (0..23).flat_map(|i| [i, i + 100, i + 200]).collect();
        Split::new(pixels, (0..23).map(|i| i % 10).collect(), 1, 3).unwrap()
    }

    fn sampler(seed: u64) -> Sampler {
        Sampler::new(Sampling::Epoch, 23, BATCH, seed).unwrap()
    }

    fn stream(seed: u64, steps: u64, block_steps: usize, gather: bool) -> BatchStream {
        BatchStream::new(split(), sampler(seed), steps, block_steps, gather).unwrap()
    }

    /// All blocks' sizes, indices, pixels and labels, one after the other.
    fn drain(mut stream: BatchStream) -> (Vec<usize>, Vec<u32>, Vec<u8>, Vec<u8>) {
        let mut all = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        while let Some(block) = stream.next_block() {
            all.0.push(block.steps);
            all.1.extend(&block.indices);
            all.2.extend(&block.pixels);
            all.3.extend(&block.labels);
            stream.recycle(block);
        }
        assert!(stream.next_block().is_none(), "the end lasts");
        all
    }

    #[test]
    fn blocks_hold_the_samplers_batches_whatever_their_size() {
        let mut expected = vec![0; 11 * BATCH];
        sampler(42).fill(&mut expected);
        for (block_steps, sizes) in [(4, vec![4, 4, 3]), (11, vec![11]), (100, vec![11]), (1, vec![1; 11])] {
            let (steps, indices, pixels, labels) = drain(stream(42, 11, block_steps, false));
            assert_eq!((steps, indices), (sizes, expected.clone()));
            assert!(pixels.is_empty() && labels.is_empty());
        }
        assert_ne!(drain(stream(43, 11, 4, false)).1, expected, "the seed makes no difference");
    }

    #[test]
    fn gathered_rows_are_those_of_the_indices() {
        let (_, drawn, ..) = drain(stream(42, 11, 4, false));
        let (_, rows, pixels, labels) = drain(stream(42, 11, 4, true));
        let expected: Vec<u8> = drawn.iter().flat_map(|&i| split().image(i as usize).to_vec()).collect();
        assert_eq!(pixels, expected);
        assert_eq!(labels, drawn.iter().map(|&i| (i % 10) as u8).collect::<Vec<_>>());
        let counted: Vec<u32> = (0..20).chain(0..20).chain(0..15).collect();
        assert_eq!(rows, counted);
    }

    #[test]
    fn recycled_blocks_are_used_again() {
        let buffers = |recycle: bool| {
            let mut stream = stream(1, 200, 2, true);
            let (mut seen, mut kept) = (HashSet::new(), Vec::new());
            while let Some(block) = stream.next_block() {
                seen.insert(block.pixels.as_ptr());
                if recycle { stream.recycle(block) } else { kept.push(block) }
            }
            seen.len()
        };
        // Two wait, one is being filled, one is in use.
        assert!(buffers(true) <= AHEAD + 2, "{}", buffers(true));
        assert_eq!(buffers(false), 100);
    }

    #[test]
    fn dropping_the_stream_ends_the_thread() {
        let alive = Arc::new(());
        let (held, filled) = (Arc::clone(&alive), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&filled);
        let mut stream = BatchStream::start(u64::MAX, 1, move |_| {
            let _ = &held;
            count.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        assert!(stream.next_block().is_some());
        assert_eq!(Arc::strong_count(&alive), 2, "the thread is at work");
        drop(stream);
        assert_eq!(Arc::strong_count(&alive), 1, "the thread is gone");
        // One was taken, two wait, and one more was filled that nobody took.
        assert!(filled.load(Ordering::Relaxed) <= 1 + AHEAD + 1);
    }

    #[test]
    fn a_panic_of_the_thread_is_passed_on() {
        let start = || BatchStream::start(10, 1, |_| panic!("the thread's own words")).unwrap();
        let mut stream = start();
        let panic = catch_unwind(AssertUnwindSafe(|| stream.next_block())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the thread's own words"));
        assert!(stream.next_block().is_none());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(start()))).is_err(), "nor does a drop hide it");
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refused = |samples, block_steps| {
            let sampler = Sampler::new(Sampling::Replacement, samples, BATCH, 0).unwrap();
            BatchStream::new(split(), sampler, 1, block_steps, false).is_err()
        };
        assert!(!refused(23, 1) && !refused(7, 1));
        assert!(refused(24, 1) && refused(23, 0) && refused(23, usize::MAX) && refused(23, 1 << 32));
    }
}
