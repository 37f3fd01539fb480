//! Factors of matrix products in the order in which tiles read them.
//!
//! A factor's lines are the rows of A, or the columns of B. So many of them as a tile takes make a panel,
//! `[terms][width]`; the terms of long sums are cut into stretches. A factor that is packed as a whole is
//! `[stretches][panels][terms][width]`. What fills up the last panel means nothing: lines do not mix.
//!
//! Floor: a load and a store of each element; where lines are contiguous, they are transposed on the way.

use std::ops::Range;

use super::simd::{Float, vectorized};

/// Terms that are summed at a stretch, at most: a panel of A stays in the first-level cache while panels of B pass by.
pub(super) const DEPTH: usize = 384;

/// A factor, by its strides.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    pub(super) values: &'a [f32],
    /// From one line to the next; this or `term` is 1.
    pub(super) line: usize,
    /// From one term to the next.
    pub(super) term: usize,
}

/// A factor that is packed as a whole.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) values: &'a [f32],
    /// Its lines, and those that fill up the last panel.
    pub(super) lines: usize,
}

impl<'a> Packed<'a> {
    /// The panels of a stretch from that of a line on.
    pub(super) fn panels(&self, stretch: &Range<usize>, line: usize) -> &'a [f32] {
        &self.values[stretch.start * self.lines + line * stretch.len()..stretch.end * self.lines]
    }
}

/// Stretches of so many terms, all but the last of one length.
pub(super) fn stretches(terms: usize) -> impl Iterator<Item = Range<usize>> {
    let length = terms.div_ceil(terms.div_ceil(DEPTH).max(1)).max(1);
    (0..terms).step_by(length).map(move |first| first..(first + length).min(terms))
}

vectorized! {
    /// Packs some terms of some lines into panels of `width`: 16, 32 or a tile's rows.
    pub(super) fn pack(
        factor: &Factor<'_>,
        width: usize,
        lines: Range<usize>,
        terms: Range<usize>,
        to: &mut [f32],
    ) = pack_body
}

#[inline(always)]
fn pack_body<F: Float>(factor: &Factor<'_>, width: usize, lines: Range<usize>, terms: Range<usize>, to: &mut [f32]) {
    match width {
        32 => panels::<32>(factor, lines, terms, to),
        12 if F::MANY_REGISTERS => panels::<12>(factor, lines, terms, to),
        10 if F::MANY_REGISTERS => panels::<10>(factor, lines, terms, to),
        16 => panels::<16>(factor, lines, terms, to),
        _ => panels::<6>(factor, lines, terms, to),
    }
}

#[inline(always)]
fn panels<const W: usize>(factor: &Factor<'_>, lines: Range<usize>, terms: Range<usize>, to: &mut [f32]) {
    let size = terms.len() * W;
    if factor.line != 1 {
        for (to, first) in to.chunks_exact_mut(size).zip(lines.clone().step_by(W)) {
            transpose::<W>(factor, first..(first + W).min(lines.end), terms.clone(), to);
        }
        return;
    }
    // Term by term, so that what lies side by side is read in order.
    let panels = lines.len().div_ceil(W);
    assert!(to.len() >= panels * size);
    for (place, term) in terms.enumerate() {
        let from = &factor.values[term * factor.term + lines.start..];
        for panel in 0..panels {
            let from = &from[panel * W..];
            let Some(to) = to[panel * size + place * W..].first_chunk_mut::<W>() else { return };
            // A move of a fixed size is an instruction: lines of the next term may follow the last one.
            match from.first_chunk() {
                Some(whole) => *to = *whole,
                None => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
            }
        }
    }
}

/// Lines and terms that are transposed together.
const SQUARE: usize = 4;

/// One panel of contiguous lines.
#[inline(always)]
fn transpose<const W: usize>(factor: &Factor<'_>, lines: Range<usize>, terms: Range<usize>, to: &mut [f32]) {
    let line = |line: usize| &factor.values[(lines.start + line) * factor.line..][terms.clone()];
    let to = to.as_chunks_mut::<W>().0;
    let squares = lines.len() / SQUARE * SQUARE;
    for first in (0..squares).step_by(SQUARE) {
        let [a, b, c, d] = [line(first), line(first + 1), line(first + 2), line(first + 3)];
        let parts = [a, b, c, d].map(|line| line.as_chunks::<SQUARE>());
        let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = parts;
        let (squares, rest) = to.as_chunks_mut::<SQUARE>();
        for ((((to, a), b), c), d) in squares.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            for (to, row) in to.iter_mut().zip(transposed([a, b, c, d])) {
                to[first..first + SQUARE].copy_from_slice(&row);
            }
        }
        for ((((to, a), b), c), d) in rest.iter_mut().zip(a_rest).zip(b_rest).zip(c_rest).zip(d_rest) {
            to[first..first + SQUARE].copy_from_slice(&[*a, *b, *c, *d]);
        }
    }
    for number in squares..lines.len() {
        to.iter_mut().zip(line(number)).for_each(|(to, &from)| to[number] = from);
    }
}

type Square = [[f32; SQUARE]; SQUARE];

/// Compilers find the shuffles of such a loop in some places and not in others.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transposed([a, b, c, d]: [&[f32; SQUARE]; SQUARE]) -> Square {
    use std::arch::x86_64::{_MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps};
    let mut to = [[0.0; SQUARE]; SQUARE];
    // SAFETY: every processor of this architecture has these instructions, and all rows are a vector long.
    unsafe {
        let (mut a, mut b) = (_mm_loadu_ps(a.as_ptr()), _mm_loadu_ps(b.as_ptr()));
        let (mut c, mut d) = (_mm_loadu_ps(c.as_ptr()), _mm_loadu_ps(d.as_ptr()));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        _mm_storeu_ps(to[0].as_mut_ptr(), a);
        _mm_storeu_ps(to[1].as_mut_ptr(), b);
        _mm_storeu_ps(to[2].as_mut_ptr(), c);
        _mm_storeu_ps(to[3].as_mut_ptr(), d);
    }
    to
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn transposed(from: [&[f32; SQUARE]; SQUARE]) -> Square {
    let mut to = [[0.0; SQUARE]; SQUARE];
    for row in 0..SQUARE {
        for column in 0..SQUARE {
            to[column][row] = from[row][column];
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_all_terms_and_differ_little() {
        for terms in [1, DEPTH - 1, DEPTH, DEPTH + 1, 784, 1000, 10 * DEPTH] {
            let all: Vec<_> = stretches(terms).collect();
            assert_eq!((all[0].start, all[all.len() - 1].end), (0, terms));
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].len() >= pair[1].len()));
            assert!(all.iter().all(|stretch| stretch.len() <= DEPTH), "{terms}");
        }
    }

    /// Every element at its place.
    #[test]
    fn packed_panels_are_the_factor() {
        for width in [6, 10, 12, 16, 32] {
            for (lines, count) in [(1, 1), (width, 4), (3 * width + 1, 9), (2 * width - 3, 7)] {
                let values: Vec<f32> = (0..lines * count).map(|i| i as f32 + 1.0).collect();
                for (line, term) in [(1, lines), (count, 1)] {
                    let factor = Factor { values: &values, line, term };
                    let padded = lines.next_multiple_of(width);
                    let terms = count / 3..count;
                    let mut to = vec![-1.0; padded * terms.len()];
                    // Panels of 10 and of 12 rows are there with AVX-512 alone.
                    match width {
                        16 => panels::<16>(&factor, 0..lines, terms.clone(), &mut to),
                        6 => panels::<6>(&factor, 0..lines, terms.clone(), &mut to),
                        10 => panels::<10>(&factor, 0..lines, terms.clone(), &mut to),
                        12 => panels::<12>(&factor, 0..lines, terms.clone(), &mut to),
                        _ => panels::<32>(&factor, 0..lines, terms.clone(), &mut to),
                    }
                    for (index, &got) in to.iter().enumerate() {
                        let (panel, rest) = (index / (width * terms.len()), index % (width * terms.len()));
                        let (l, t) = (panel * width + rest % width, terms.start + rest / width);
                        if l < lines {
                            assert_eq!(got, values[l * line + t * term], "{width} {lines} {count}: line {l}, term {t}");
                        }
                    }
                }
            }
        }
    }
}
