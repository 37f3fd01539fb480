//! How the embedded digits are packed: what is coded of an image, in which order and in which context. The packer
//! (`assets/make_digits/pack.rs`) and the unpacker share this file, so that they cannot disagree.
//!
//! An image has 52 grey levels, a multiple of 5 each. Of a block of images all labels and levels are symbols of a range
//! coder (rANS: Duda, "Asymmetric numeral systems", 2013) whose frequencies depend on the neighbours that are known:
//! three fifths of what gzip makes of it, and as fast.

/// Images of the two splits, and those that are coded together.
pub(crate) const TRAIN_COUNT: usize = 15_000;
/// Test images.
pub(crate) const TEST_COUNT: usize = 2_500;
/// Images of a block: blocks are unpacked at the same time.
pub(crate) const BLOCK: usize = 2_500;

/// Images of a group: they are coded side by side, since a processor that waits for one can go on with another.
pub(crate) const LANES: usize = 2;

/// Rows and columns of an image.
pub(crate) const SIDE: usize = 28;
/// Grey values from one level to the next.
pub(crate) const STEP: u8 = 5;
/// Symbols: the levels; labels and box edges are fewer.
pub(crate) const SYMBOLS: usize = 52;

/// Frequencies of a context add up to two to this power.
pub(crate) const SCALE_BITS: u32 = 10;
/// The coder's state stays at or above this.
pub(crate) const LOW: u32 = 1 << 16;

/// Bins of the forecast, and classes of the neighbours beside it.
const BINS: usize = 22;
const PIXEL_CONTEXTS: usize = BINS * 27;
/// The label's context, and the four of the box's edges.
const LABEL: usize = PIXEL_CONTEXTS;
const EDGES: usize = LABEL + 1;
/// All contexts.
pub(crate) const CONTEXTS: usize = EDGES + 4;

/// An image's levels with two rows of zeros above and two columns of them on each side.
pub(crate) struct Levels([u8; (SIDE + 2) * STRIDE]);

const STRIDE: usize = SIDE + 4;

impl Levels {
    /// The level 0 everywhere.
    pub(crate) const fn new() -> Self {
        Self([0; (SIDE + 2) * STRIDE])
    }

    /// One row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [u8] {
        &mut self.0[(row + 2) * STRIDE + 2..][..SIDE]
    }
}

/// Codes one symbol after the other: a packer takes down the `truth` and returns it, an unpacker returns what it reads.
pub(crate) trait Coder {
    /// The symbol that comes next in this context; each lane has a state of its own.
    fn code(&mut self, lane: usize, context: usize, truth: u8) -> u8;
}

/// Codes a group of images: their labels, the smallest box that holds what is not 0 in any of them (first and last row,
/// first and last column), and the levels in the box. Returns the labels.
#[inline(always)]
pub(crate) fn code_group(
    coder: &mut impl Coder,
    labels: [u8; LANES],
    edges: [u8; 4],
    levels: &mut [Levels; LANES],
) -> [u8; LANES] {
    let mut coded = [0; LANES];
    for lane in 0..LANES {
        coded[lane] = coder.code(lane, LABEL, labels[lane]);
    }
    let mut edge = |edge: usize| usize::from(coder.code(0, EDGES + edge, edges[edge])).min(SIDE - 1);
    let (top, bottom, left, right) = (edge(0), edge(1), edge(2), edge(3));
    for row in top..=bottom {
        let first = (row + 2) * STRIDE + left + 2;
        let (mut west, mut before) = ([0; LANES], [0; LANES]);
        for at in first..=first + right.saturating_sub(left) {
            for lane in 0..LANES {
                let Levels(levels) = &mut levels[lane];
                let level = coder.code(lane, context(levels, at, west[lane], before[lane]), levels[at]);
                levels[at] = level;
                (west[lane], before[lane]) = (i32::from(level), west[lane]);
            }
        }
    }
    coded
}

/// The context of the level at `at`, whose neighbours on the left are `west` and `before` that.
#[inline(always)]
fn context(levels: &[u8; (SIDE + 2) * STRIDE], at: usize, west: i32, before: i32) -> usize {
    let level = |back: usize| i32::from(levels[at - back]);
    let (north, north_west, north_east) = (level(STRIDE), level(STRIDE + 1), level(STRIDE - 1));
    // A forecast by least squares over the training images, in sixteenths.
    let above = 9 * north + 4 * (north_east - north_west - level(2 * STRIDE)) + 116;
    let forecast = 12 * west - 4 * before + above;
    let bin = (forecast.max(0) as usize / 40).min(BINS - 1);
    let white = SYMBOLS as i32 - 1;
    let class = |level: i32, high: i32| usize::from(level > 0) + usize::from(level >= high);
    ((bin * 3 + class(west, white)) * 3 + class(north, white)) * 3 + class(north_east, 40)
}
