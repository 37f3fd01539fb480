//! How much rounding is in a function's values: measured, since nobody but the function knows how it sums.
//!
//! Over a few units in the last place of its variables a smooth function is a straight line; what the values leave of
//! it in differences of higher order is rounding. The k-th difference of noise of deviation s has the variance
//! `s^2 (2k)! / (k!)^2` (Moré and Wild, Estimating computational noise, 2011).

use super::Real;
use super::evaluate::{Evaluate, Move};
use crate::Result;

/// Values on one line.
const POINTS: usize = 12;

/// Which differences are looked at: the first ones have something of the function in them.
const ORDERS: std::ops::RangeInclusive<usize> = 3..=6;

/// From the deviation, itself known by a dozen values only, to what is hardly ever exceeded.
const DEVIATIONS: f64 = 6.0;

/// The rounding in a value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    /// What it is like: a standard deviation.
    pub(super) deviation: f64,
    /// What it hardly ever exceeds.
    pub(super) bound: f64,
    /// What it grows by with the distance that a variable has moved, beside its value's own last place: of sums of
    /// changes.
    pub(super) slope: f64,
}

impl Noise {
    /// Of a value that is rounded once: to half a unit at most, and evenly below that.
    fn of_last_place<T: Real>(value: f64) -> Self {
        let bound = 0.5 * T::EPSILON * value.abs();
        Self { deviation: bound / 3_f64.sqrt(), bound, slope: 0.0 }
    }

    /// The noise of this deviation, which was measured.
    pub(super) fn measured(deviation: f64) -> Self {
        Self { deviation, bound: DEVIATIONS * deviation, slope: 0.0 }
    }

    /// That of a value as far away as `node` from where this was measured.
    pub(super) fn at<T: Real>(self, value: f64, node: f64) -> Self {
        let (own, moved) = (Self::of_last_place::<T>(value), self.slope * node.abs());
        Self {
            deviation: self.deviation.max(own.deviation) + moved,
            bound: self.bound.max(own.bound) + DEVIATIONS * moved,
            slope: self.slope,
        }
    }

    fn larger(self, other: Self) -> Self {
        let (deviation, bound) = (self.deviation.max(other.deviation), self.bound.max(other.bound));
        Self { deviation, bound, slope: self.slope.max(other.slope) }
    }
}

/// The rounding in a function's values near a point.
#[derive(Debug)]
pub(super) enum Rounding {
    /// Of each row, whichever variable moves.
    OfRows(Vec<Noise>),
    /// Of the only row, by which of the variables that are looked at moves.
    OfVariables(Vec<Noise>),
}

impl Rounding {
    /// The noise of each row where the variable at this place among those that are looked at moves.
    pub(super) fn of(&self, place: usize) -> &[Noise] {
        match self {
            Self::OfRows(rows) => rows,
            Self::OfVariables(variables) => variables.get(place..=place).unwrap_or_default(),
        }
    }
}

/// The rounding in each value of the function near `x`: at `x`, and where all variables have moved by `steps`, since a
/// function that cancels at `x` (as at its least value) rounds more beside it.
///
/// Returns the noise, one a row, and how many evaluations they took.
pub(super) fn rounding_noise<T: Real>(
    function: &(impl Evaluate<T> + ?Sized),
    x: &[T],
    steps: &[f64],
    values: &[f64],
) -> Result<(Vec<Noise>, u64)> {
    // The values themselves are rounded, whatever else is.
    let mut noise: Vec<Noise> = values.iter().map(|&value| Noise::of_last_place::<T>(value)).collect();
    for (shift, wide) in [(0.0, false), (1.0, false), (0.0, true)] {
        let (start, strides): (Vec<f64>, Vec<f64>) = line_of::<T>(x, steps, shift, wide).into_iter().unzip();
        let mut lines = vec![Vec::with_capacity(POINTS); values.len()];
        for index in 0..POINTS {
            let at = |(from, stride): (&f64, &f64)| T::from_f64(from + index as f64 * stride);
            let point: Vec<T> = start.iter().zip(&strides).map(at).collect();
            for (line, value) in lines.iter_mut().zip(function.value(&point)?) {
                line.push(value);
            }
        }
        for (noise, line) in noise.iter_mut().zip(lines) {
            let deviation = deviation(line, if wide { *ORDERS.end()..=*ORDERS.end() } else { ORDERS });
            // Outside of the function's domain there is nothing to measure.
            if deviation.is_finite() {
                *noise = noise.larger(Noise::measured(deviation));
            }
        }
    }
    Ok((noise, 3 * POINTS as u64))
}

/// Variables whose own noise stands for that of all, and how many there must be for it to be another: few variables
/// are in all of a function.
const LONE: usize = 4;
const MANY: usize = 16;

/// What the noise of each row usually is where one variable moves, which changes a part of the function alone: where
/// this is other than what is known already. And how many evaluations that took.
pub(super) fn usual_noise<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    variables: &[usize],
    steps: &[f64],
    rounding: &Rounding,
) -> Result<(Option<Vec<Noise>>, u64)> {
    let (Rounding::OfRows(bounds), true) = (rounding, variables.len() >= MANY) else { return Ok((None, 0)) };
    let lines = line_of::<T>(x, steps, 0.0, true);
    let lone = (0..LONE).map(|place| variables[(2 * place + 1) * variables.len() / (2 * LONE)]);
    let moves: Vec<Move<T>> = lone
        .flat_map(|variable| {
            let (from, stride) = lines[variable];
            (0..POINTS).map(move |index| (variable, T::from_f64(from + index as f64 * stride)))
        })
        .collect();
    let found = function.values(x, &moves)?;
    let of_row = |(row, bound): (usize, &Noise)| {
        let lines = found.chunks(POINTS).filter_map(|line| {
            let line: Option<Vec<f64>> = line.iter().map(|values| values.get(row).copied()).collect();
            Some(deviation(line?, *ORDERS.end()..=*ORDERS.end())).filter(|deviation| deviation.is_finite())
        });
        let squares: Vec<f64> = lines.map(|deviation| deviation * deviation).collect();
        let mean = (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt();
        let measured = Noise { deviation: mean.min(bound.deviation), ..*bound };
        if squares.is_empty() { *bound } else { measured }
    };
    Ok((Some(bounds.iter().enumerate().map(of_row).collect()), moves.len() as u64))
}

/// Where a line begins and how far its points are apart, for each variable: some units in the last place or, on a wide
/// line, the step over all points together. A long sum rounds all neighbours the same way, but not those a step away;
/// of the function itself a sixth difference over one step has far less than the quotient's truncation.
fn line_of<T: Real>(x: &[T], steps: &[f64], shift: f64, wide: bool) -> Vec<(f64, f64)> {
    let mut word = 0x9e37_79b9_u64;
    let of_variable = |(x, step): (&T, &f64)| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let sign = if word >> 63 == 0 { 1.0 } else { -1.0 };
        let share = ((word >> 40) % 16 + 1) as f64;
        let from = T::from_f64(x.to_f64() + shift * sign * step).to_f64();
        // Towards zero, in whole units in the last place: so every point is exact.
        let unit = if from == 0.0 { T::EPSILON * step } else { -last_place::<T>(from).copysign(from) };
        let stride = step * share / 16.0 / POINTS as f64;
        // A stride of whole units too, and of no less than one.
        let units = if wide { (stride / unit).abs().round().max(1.0) } else { share };
        (from, unit * units)
    };
    x.iter().zip(steps).map(of_variable).collect()
}

/// The distance between numbers of the size of `value`, which is not 0.
fn last_place<T: Real>(value: f64) -> f64 {
    T::EPSILON * value.abs().log2().floor().exp2()
}

/// The deviation of the noise in evenly spaced values.
fn deviation(mut line: Vec<f64>, orders: std::ops::RangeInclusive<usize>) -> f64 {
    let mut largest: f64 = 0.0;
    let mut variance = 1.0;
    for order in 1..=*orders.end() {
        line = line.windows(2).map(|pair| pair[1] - pair[0]).collect();
        variance *= 2.0 * (2.0 * order as f64 - 1.0) / order as f64;
        let squares = line.iter().map(|value| value * value).sum::<f64>() / line.len() as f64;
        if squares.is_nan() {
            return f64::NAN;
        }
        if orders.contains(&order) {
            largest = largest.max((squares / variance).sqrt());
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_noise_and_noise_has_its_own_size() {
        assert_eq!(deviation((0..12).map(f64::from).collect(), ORDERS), 0.0);
        // Independent values of deviation 1, by the same generator; 12 of them know it to a third or so.
        let mut word = 5_u64;
        let mut draw = || {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((word >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 12f64.sqrt()
        };
        let mean = (0..200).map(|_| deviation((0..12).map(|_| draw()).collect(), ORDERS)).sum::<f64>() / 200.0;
        assert!((0.8..1.5).contains(&mean), "mean deviation {mean}, which was 1");
    }
}
