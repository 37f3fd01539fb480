//! How matrix products are cut: into tiles, and among the parts.
//!
//! Each part packs its own lines of one factor; the other one is needed by all of them, and is packed beforehand where
//! that is worth a task of its own.

use super::math::LANES;
use super::memory::View;
use super::packing::{Factor, pack, stretches};
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};
use super::team::Worker;
use crate::backend::op::Matmul;
use crate::backend::tensor::Tensor;

/// Rows of a tile with AVX-512, whose 32 registers hold 12 x 2 sums; of one with a single vector of columns (with a
/// multiple of 4 the compiler makes vectors of rows, which is twenty times slower); and of one with 16 registers.
#[cfg(target_arch = "x86_64")]
pub(super) const TALL: usize = 12;
#[cfg(target_arch = "x86_64")]
pub(super) const NARROW: usize = 10;
pub(super) const SHORT: usize = 6;

/// Rows and columns of a tile of a result with so many columns.
pub(super) fn tile_shape(columns: usize) -> [usize; 2] {
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        return if columns > LANES { [TALL, 2 * LANES] } else { [NARROW, LANES] };
    }
    _ = columns;
    [SHORT, LANES]
}

/// By what a result is cut into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Rows,
    Columns,
}

impl Cut {
    /// Along the longer side.
    pub(super) fn longer(op: &Matmul) -> Self {
        let [m, _, n] = op.shape();
        if m >= n { Self::Rows } else { Self::Columns }
    }

    /// Such that all of so many threads have the same to do, as far as tiles allow; else along the longer side.
    pub(super) fn of(op: &Matmul, threads: usize) -> Self {
        let [m, _, n] = op.shape();
        let [tall, wide] = tile_shape(n);
        // Tiles that the slowest thread has, in multiples of the mean, against the other side's.
        let (down, across) = (m.div_ceil(tall), n.div_ceil(wide));
        let slowest = |tiles: usize, other: usize| tiles.div_ceil(threads) * other;
        match slowest(down, across).cmp(&slowest(across, down)) {
            std::cmp::Ordering::Less => Self::Rows,
            std::cmp::Ordering::Greater => Self::Columns,
            std::cmp::Ordering::Equal => Self::longer(op),
        }
    }

    /// Rows or columns of the result, whichever are cut.
    pub(super) fn lines(self, op: &Matmul) -> usize {
        let [m, _, n] = op.shape();
        match self {
            Self::Rows => m,
            Self::Columns => n,
        }
    }

    /// The factor that all parts need, the width of its panels, and the shape of all of them together.
    pub(super) fn common(self, op: &Matmul) -> (Tensor, usize, [usize; 2]) {
        let [m, k, n] = op.shape();
        let [tall, wide] = tile_shape(n);
        match self {
            Self::Rows => (op.b, wide, [n.next_multiple_of(wide), k]),
            Self::Columns => (op.a, tall, [m.next_multiple_of(tall), k]),
        }
    }
}

/// Packs the factor that all parts of a product need, as [`Cut::common`] says.
pub(super) fn pack_common(op: &Matmul, cut: Cut, packed: Tensor, view: &View<'_>, worker: &mut Worker<'_>) {
    let [m, k, n] = op.shape();
    let [a, b] = factors(op, view);
    let (factor, lines) = if cut == Cut::Rows { (b, n) } else { (a, m) };
    let width = cut.common(op).1;
    let padded = lines.next_multiple_of(width);
    let share = worker.share(padded, width);
    for stretch in stretches(k) {
        let first = stretch.start * padded;
        let range = first + share.start * stretch.len()..first + share.end * stretch.len();
        // SAFETY: this worker's panels of each stretch, each taken once.
        let to = unsafe { view.floats_mut(packed, range) };
        pack(&factor, width, share.start.min(lines)..share.end.min(lines), stretch, to);
    }
}

pub(super) fn factors<'a>(op: &Matmul, view: &View<'a>) -> [Factor<'a>; 2] {
    let [m, k, n] = op.shape();
    let (line, term) = if op.transpose_a { (1, m) } else { (k, 1) };
    let a = Factor { values: view.floats(op.a), line, term };
    let (line, term) = if op.transpose_b { (k, 1) } else { (1, n) };
    [a, Factor { values: view.floats(op.b), line, term }]
}
