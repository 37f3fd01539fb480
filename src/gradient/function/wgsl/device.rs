//! A user's function on the device: thousands of its values a dispatch, in dispatches of bounded time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::shader::{EACH, MAIN, SHARED, SIZES, Shader};
use crate::Result;
use crate::backend::gpu::user::{UserShader, WORKGROUP};
use crate::backend::{BufferId, ReadId};
use crate::device::DeviceInfo;
use crate::gradient::function::evaluate::Move;

/// How long a dispatch should take: handing over costs little beside it, and it is far below the two seconds after which
/// some systems reset a device.
const DISPATCH: Duration = Duration::from_millis(250);

/// Moves of the first dispatch, whose time is not known yet.
const FIRST: usize = 512;

/// Moves of a dispatch, at most: 16 bytes each for what comes back.
const MOST: usize = 1 << 16;

/// Terms that one invocation adds up. Some software drivers stop all loops of an invocation silently after 65,535
/// trips; terms that loop themselves get a share of those: 250 trips each.
const TERMS: usize = 16_384;
const LOOPING_TERMS: usize = 128;

/// Read-backs under way.
const READS: usize = 4;

/// A move that leaves the point as it is.
const NO_MOVE: [u32; 2] = [u32::MAX, 0];

/// What a sum's terms are like that a move changes.
pub(super) struct Sizes {
    /// The sum of their squares.
    pub(super) squares: f64,
    /// The sum of their changes' sizes.
    pub(super) changes: f64,
    /// How many they are.
    pub(super) count: f64,
}

/// What is in a dispatch's words behind the count.
#[derive(Clone, Copy, Default)]
struct Range {
    first: usize,
    end: usize,
    distance: usize,
}

/// A compiled function and its buffers.
pub(super) struct Device {
    shader: UserShader,
    /// The point, the moves, what comes back.
    buffers: [BufferId; 3],
    /// What is in the first of them.
    point: Vec<f32>,
    terms_at_once: usize,
    /// Moves of an invocation that evaluates changes.
    moves_at_once: usize,
    /// Whether moved points take what they read from the point itself: as long as they read the same.
    shares: bool,
    /// Moves of the next dispatch.
    block: usize,
}

impl Device {
    pub(super) fn new(mut shader: UserShader, source: &Shader, variables: usize) -> Result<Self> {
        let buffers = [
            shader.allocate(variables * 4, "a function's point")?,
            shader.allocate(MOST * 8, "a function's moves")?,
            shader.allocate(MOST * 16, "a function's values")?,
        ];
        Ok(Self {
            shader,
            buffers,
            point: Vec::new(),
            terms_at_once: if source.loops { LOOPING_TERMS } else { TERMS },
            moves_at_once: source.moves_at_once,
            shares: source.modules.len() > 1,
            block: FIRST,
        })
    }

    pub(super) fn info(&self) -> &DeviceInfo {
        self.shader.info()
    }

    pub(super) fn set_point(&mut self, point: &[f32]) -> Result<()> {
        if self.point != point {
            self.point.clear();
            self.shader.write(self.buffers[0], bytemuck::cast_slice(point))?;
            self.point.extend_from_slice(point);
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        entry: usize,
        invocations: usize,
        range: Range,
        count: usize,
        bytes: usize,
    ) -> Result<ReadId> {
        let words = [count, range.first, range.end, range.distance].map(|word| word as u32);
        self.shader.run(entry, self.buffers, words, invocations, bytes)
    }

    /// The function at the point.
    pub(super) fn value(&mut self) -> Result<f64> {
        Ok(self.values_of(&[NO_MOVE])?[0])
    }

    /// The function after each move.
    pub(super) fn values(&mut self, moves: &[Move<f32>]) -> Result<Vec<f64>> {
        self.values_of(&words(moves))
    }

    fn values_of(&mut self, moves: &[[u32; 2]]) -> Result<Vec<f64>> {
        self.in_blocks(moves, |device, now| {
            let read = device.dispatch(MAIN, now.len(), Range::default(), now.len(), now.len() * 4)?;
            Ok((device.shader.finish(read)?.into_iter().map(f64::from).collect(), 1))
        })
    }

    /// What the sum of so many terms makes of each move.
    pub(super) fn changes(&mut self, moves: &[Move<f32>], terms: usize) -> Result<Vec<f64>> {
        self.in_blocks(&words(moves), |device, now| {
            let mut changes = device.changes_of(now.len(), terms)?;
            if device.shares && changes.0.iter().any(|change| change.is_nan()) {
                // A moved point read something else, or the function is not a number there.
                let others = std::mem::take(&mut device.shares);
                changes = device.changes_of(now.len(), terms)?;
                device.shares = others && changes.0.iter().any(|change| change.is_nan());
            }
            Ok(changes)
        })
    }

    fn changes_of(&mut self, count: usize, terms: usize) -> Result<(Vec<f64>, u32)> {
        let (entry, invocations) = (if self.shares { SHARED } else { MAIN }, count.div_ceil(self.moves_at_once));
        let (sums, dispatches) = self.sum(entry, invocations, count, 1, terms)?;
        Ok((sums, dispatches))
    }

    /// What the terms are like that each move changes.
    pub(super) fn sizes(&mut self, moves: &[Move<f32>], terms: usize) -> Result<Vec<Sizes>> {
        self.in_blocks(&words(moves), |device, now| {
            let (sums, dispatches) = device.sum(SIZES, now.len(), now.len(), 4, terms)?;
            let sizes = |sums: &[f64]| Sizes { squares: sums[0], changes: sums[1], count: sums[2] };
            Ok((sums.chunks_exact(4).map(sizes).collect(), dispatches))
        })
    }

    /// What an entry point makes of all terms, `floats` numbers a move, added up; and in how many dispatches.
    fn sum(
        &mut self,
        entry: usize,
        invocations: usize,
        count: usize,
        floats: usize,
        terms: usize,
    ) -> Result<(Vec<f64>, u32)> {
        let mut total = vec![0.0; count * floats];
        let mut add = |read: Vec<f32>| total.iter_mut().zip(read).for_each(|(sum, part)| *sum += f64::from(part));
        let (mut reads, mut dispatches) = (VecDeque::new(), 0);
        for first in (0..terms).step_by(self.terms_at_once) {
            let range = Range { first, end: (first + self.terms_at_once).min(terms), distance: 1 };
            reads.push_back(self.dispatch(entry, invocations, range, count, count * floats * 4)?);
            dispatches += 1;
            if reads.len() == READS
                && let Some(read) = reads.pop_front()
            {
                add(self.shader.finish(read)?);
            }
        }
        for read in reads {
            add(self.shader.finish(read)?);
        }
        Ok((total, dispatches))
    }

    /// Single terms at the point: `count` of them, every `distance`-th.
    pub(super) fn terms(&mut self, count: usize, distance: usize) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(count);
        for first in (0..count).step_by(MOST) {
            let now = MOST.min(count - first);
            let read = self.dispatch(EACH, now, Range { first: first * distance, end: 0, distance }, now, now * 16)?;
            values.extend(self.shader.finish(read)?.chunks_exact(4).map(|term| f64::from(term[0])));
        }
        Ok(values)
    }

    /// Evaluates moves, as many at once as take a dispatch's time; `evaluate` says in how many dispatches it did.
    fn in_blocks<T>(
        &mut self,
        moves: &[[u32; 2]],
        mut evaluate: impl FnMut(&mut Self, &[[u32; 2]]) -> Result<(Vec<T>, u32)>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(moves.len());
        let mut rest = moves;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.block.min(rest.len()));
            rest = later;
            self.shader.write(self.buffers[1], bytemuck::cast_slice(now))?;
            let begun = Instant::now();
            let (values, dispatches) = evaluate(self, now)?;
            self.pace(now.len(), begun.elapsed() / dispatches.max(1));
            all.extend(values);
        }
        Ok(all)
    }

    /// The next dispatch is as large as its time should be; the first of a kernel may have been compiled, so growth is
    /// bounded.
    fn pace(&mut self, count: usize, elapsed: Duration) {
        let factor = DISPATCH.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        let whole = WORKGROUP * self.moves_at_once;
        self.block = ((count as f64 * factor.min(8.0)) as usize).next_multiple_of(whole).clamp(whole, MOST);
    }
}

/// Moves as shaders read them.
fn words(moves: &[Move<f32>]) -> Vec<[u32; 2]> {
    moves.iter().map(|&(variable, to)| [variable as u32, to.to_bits()]).collect()
}
