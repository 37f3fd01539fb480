//! Handles of what lives on a device: plain numbers, cheap to copy, good only on the backend that gave them.

/// A buffer that a backend allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub(crate) u32);

/// A row-major float32 matrix `[rows, columns]` in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tensor {
    /// The buffer that holds it.
    pub buffer: BufferId,
    /// Its first element there, in floats; a multiple of 64.
    pub offset: usize,
    /// Rows: samples of a batch, inputs of a weight.
    pub rows: usize,
    /// Columns: units.
    pub columns: usize,
}

impl Tensor {
    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that it spans.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { buffer: self.buffer, start: self.offset * 4, end: (self.offset + self.len()) * 4 }
    }

    /// The same elements as a matrix of another shape with as many of them.
    #[must_use]
    pub fn reshaped(self, rows: usize, columns: usize) -> Self {
        debug_assert_eq!(rows * columns, self.len());
        Self { rows, columns, ..self }
    }
}

/// Unsigned 32-bit words in a buffer: indices, class labels, counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Words {
    /// The buffer that holds them.
    pub buffer: BufferId,
    /// The first one there, in words; a multiple of 64.
    pub offset: usize,
    /// How many.
    pub len: usize,
}

impl Words {
    /// The bytes that they span.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { buffer: self.buffer, start: self.offset * 4, end: (self.offset + self.len) * 4 }
    }
}

/// Bytes that fill a buffer from its start: pixels `[rows, columns]`, or labels with one column.
///
/// Shaders read them as words of four; the buffer is padded to whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bytes {
    /// The buffer that holds them.
    pub buffer: BufferId,
    /// Samples.
    pub rows: usize,
    /// Bytes a sample.
    pub columns: usize,
}

impl Bytes {
    /// The bytes that they span, padding included.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { buffer: self.buffer, start: 0, end: (self.rows * self.columns).next_multiple_of(4) }
    }
}

/// A range of bytes of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The buffer.
    pub buffer: BufferId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Whether two ranges share a byte.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.buffer == other.buffer && self.start < other.end && other.start < self.end
    }
}
