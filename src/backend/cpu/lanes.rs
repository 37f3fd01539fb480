//! Moves between slices and lanes. A move of a fixed size is an instruction, one of any other size a call, and rows need
//! not be whole vectors long; so rows are read a little beyond their end, and written in an order in which whatever is
//! written beyond the end of one is written again.

use std::ops::Range;

use super::math::{LANES, Lanes};

/// The first elements, up to a whole vector; what is not there is 0.
#[inline(always)]
pub(super) fn load(from: &[f32]) -> Lanes {
    match from.first_chunk::<LANES>() {
        Some(whole) => *whole,
        None => rest(from),
    }
}

/// The end of the last row. Out of the way, since compilers would make one move of any size of it and the other case.
#[cold]
#[inline(never)]
fn rest(from: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    for (lane, &value) in lanes.iter_mut().zip(from) {
        *lane = value;
    }
    lanes
}

/// Writes lanes from the start of a slice on, as many as there is room for.
#[inline(always)]
pub(super) fn store(lanes: &Lanes, to: &mut [f32]) {
    match to.first_chunk_mut::<LANES>() {
        Some(whole) => *whole = *lanes,
        None => {
            for (to, &lane) in to.iter_mut().zip(lanes) {
                *to = lane;
            }
        }
    }
}

/// Writes some of the lanes from the start of a slice on.
#[inline(always)]
pub(super) fn store_some(lanes: &Lanes, which: Range<usize>, to: &mut [f32]) {
    if which == (0..LANES) {
        return store(lanes, to);
    }
    for (to, &lane) in to.iter_mut().zip(&lanes[which]) {
        *to = lane;
    }
}
