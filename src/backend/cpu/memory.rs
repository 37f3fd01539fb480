//! Buffers of the CPU path, and each worker's view of them while a program runs.

use std::cell::UnsafeCell;
use std::ops::Range;

use crate::backend::tensor::{BufferId, Bytes, Tensor, Words};

/// A cache line: buffers are aligned to it, and are whole ones of it.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// One buffer: zeroed, aligned memory that several workers write at disjoint places.
pub(super) struct Storage {
    lines: Box<[UnsafeCell<Line>]>,
    bytes: usize,
}

// SAFETY: workers share a `Storage` only inside `team::run`, and there reach it through `View` alone, whose rules
// keep every byte from being written by one worker while another reaches it.
unsafe impl Sync for Storage {}

impl Storage {
    pub(super) fn zeroed(bytes: usize) -> Option<Self> {
        let count = bytes.div_ceil(size_of::<Line>()).max(1);
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).ok()?;
        lines.resize_with(count, || UnsafeCell::new(Line([0; 16])));
        Some(Self { lines: lines.into_boxed_slice(), bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.next_multiple_of(4)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `&self` outside of a running program; nobody writes.
        unsafe { std::slice::from_raw_parts(self.pointer().cast::<u8>(), self.lines.len() * size_of::<Line>()) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `&mut self`, so nobody else reaches the memory.
        unsafe { std::slice::from_raw_parts_mut(self.pointer().cast::<u8>(), self.lines.len() * size_of::<Line>()) }
    }

    fn pointer(&self) -> *mut Line {
        UnsafeCell::raw_get(self.lines.as_ptr())
    }
}

/// The buffers as one worker of a team reaches them while a program runs.
///
/// The rules that make it sound, kept by the kernels in this folder:
/// 1. `prepare` checked that every range of an operation lies in its buffer and that no written range overlaps
///    another range of the same operation.
/// 2. A kernel takes each written range once, and only its own worker's part of it, as `Worker::share` cuts it.
/// 3. Between operations that touch the same bytes all workers meet at a barrier.
pub(super) struct View<'a> {
    buffers: &'a [Option<Storage>],
}

impl<'a> View<'a> {
    pub(super) fn new(buffers: &'a [Option<Storage>]) -> Self {
        Self { buffers }
    }

    fn base(&self, buffer: BufferId) -> *mut u8 {
        match self.buffers.get(buffer.0 as usize) {
            Some(Some(storage)) => storage.pointer().cast(),
            // Rule 1: not reached by a prepared program.
            _ => unreachable!("a prepared program names buffers that exist"),
        }
    }

    pub(super) fn floats(&self, tensor: Tensor) -> &'a [f32] {
        // SAFETY: rules 1 and 3; every bit pattern is a float, and lines are aligned for them.
        unsafe { std::slice::from_raw_parts(self.base(tensor.buffer).cast::<f32>().add(tensor.offset), tensor.len()) }
    }

    pub(super) fn words(&self, words: Words) -> &'a [u32] {
        // SAFETY: as for `floats`.
        unsafe { std::slice::from_raw_parts(self.base(words.buffer).cast::<u32>().add(words.offset), words.len) }
    }

    pub(super) fn bytes(&self, bytes: Bytes) -> &'a [u8] {
        // SAFETY: as for `floats`.
        unsafe { std::slice::from_raw_parts(self.base(bytes.buffer), bytes.rows * bytes.columns) }
    }

    /// Elements `range` of a result.
    ///
    /// # Safety
    /// Rule 2: this worker's own part, taken once by this operation.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn floats_mut(&self, tensor: Tensor, range: Range<usize>) -> &'a mut [f32] {
        assert!(range.end <= tensor.len());
        // SAFETY: in bounds by the line above and rule 1; not aliased by rules 1 to 3.
        unsafe {
            let first = self.base(tensor.buffer).cast::<f32>().add(tensor.offset + range.start);
            std::slice::from_raw_parts_mut(first, range.len())
        }
    }

    /// Elements `range` of a result.
    ///
    /// # Safety
    /// As [`View::floats_mut`].
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn words_mut(&self, words: Words, range: Range<usize>) -> &'a mut [u32] {
        assert!(range.end <= words.len);
        // SAFETY: as for `floats_mut`.
        unsafe {
            let first = self.base(words.buffer).cast::<u32>().add(words.offset + range.start);
            std::slice::from_raw_parts_mut(first, range.len())
        }
    }
}
