//! The step of each variable: where truncation, which grows as `h^p`, and rounding, which grows as `1 / h`, are in
//! balance.
//!
//! Both are measured by quotients at a pilot step and at a quarter of it, again at another pilot step where one of them
//! could not be seen. Of errors of the sizes `c h^p` and `r / h` the squares' sum is least at `h^(p+1) = r / (sqrt(p) c)`;
//! `r` is the rounding as it usually is, while what counts as seen stands out of what it hardly ever exceeds.

use super::evaluate::{Evaluate, Move};
use super::noise::{Rounding, usual_noise};
use super::quotient::Quotient;
use super::{FunctionOptions, Real};
use crate::Result;

/// Pilot steps that are tried at most.
const ROUNDS: usize = 8;

/// By how much a pilot step grows where it shows rounding alone.
const GROWTH: f64 = 30.0;

/// No step beyond this share of the variable's scale: whoever is linear there need not be it anywhere.
pub(super) const LARGEST: f64 = 0.1;

/// A truncation of so many times the rounding is no rounding; the quarter of a step multiplies that by 4.
const VISIBLE: f64 = 4.0;

/// A balance of so much less than the pilot step is looked at again, from near by: powers above `h^p` may have led there.
const NEAR: f64 = 1e-3;

/// A variable's size, as far as its value tells it.
pub(super) fn scale(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { x.abs() }
}

/// The step that is best where function and derivatives are of one size: what is known of it before any measurement.
pub(super) fn nominal_steps<T: Real>(x: &[T], options: &FunctionOptions) -> Vec<f64> {
    let power = 1.0 / f64::from(options.difference.order() + 1);
    x.iter().map(|x| T::EPSILON.powf(power) * scale(x.to_f64())).collect()
}

/// A variable whose step is being looked for.
struct Search {
    variable: usize,
    /// Its place among those that are looked at.
    place: usize,
    pilot: f64,
    /// The largest step that showed nothing but rounding, and the least that can be in balance after that: for a
    /// truncation as large as could just not be seen.
    invisible: Option<(f64, f64)>,
    found: Option<f64>,
}

impl Search {
    /// Goes on from what the pilot step showed: the truncation of its quotient, and the rounding, as it usually is and
    /// as a bound.
    fn learn(&mut self, truncation: f64, usual: f64, rounding: f64, order: i32, largest: f64) {
        let h = self.pilot;
        let power = f64::from(order);
        let balanced = |truncation: f64| h * (usual / (power.sqrt() * truncation)).powf(1.0 / (power + 1.0));
        if !truncation.is_finite() || !rounding.is_finite() {
            // Out of the function's domain.
            self.found = self.invisible.map(|(step, _)| step);
            self.pilot = h / GROWTH;
        } else if truncation <= VISIBLE * rounding {
            let least = balanced(VISIBLE * rounding).min(h);
            self.invisible = Some((h, if least > 0.0 { least } else { h }));
            if h >= largest {
                self.found = Some(h);
            }
            self.pilot = (h * GROWTH).min(largest.max(h));
        } else {
            let balance = balanced(truncation);
            let balance = self.invisible.map_or(balance, |(_, least)| balance.max(least));
            if balance >= NEAR * h || self.invisible.is_some() {
                self.found = Some(balance);
            }
            self.pilot = (balance / NEAR.sqrt()).min(NEAR.sqrt() * h);
        }
    }
}

/// A step for each of these variables, and how many evaluations that took.
pub(super) fn balanced_steps<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    variables: &[usize],
    own: &[f64],
    rounding: &Rounding,
    options: &FunctionOptions,
) -> Result<(Vec<f64>, u64)> {
    let order = options.difference.order();
    let nominal = nominal_steps(x, options);
    let offsets = options.offsets();
    let (lone, mut evaluations) = usual_noise(function, x, variables, &nominal, rounding)?;
    let search = |(place, &variable): (usize, &usize)| {
        let pilot = T::EPSILON.powf(1.0 / f64::from(order + 2)) * scale(x[variable].to_f64());
        Search { variable, place, pilot, invisible: None, found: None }
    };
    let mut searches: Vec<Search> = variables.iter().enumerate().map(search).collect();
    for _ in 0..ROUNDS {
        let open = searches.iter_mut().filter(|search| search.found.is_none());
        let pairs = open.filter_map(|search| {
            let at = |h: f64| Quotient::new(search.variable, x[search.variable], h, &offsets);
            Some((at(search.pilot)?, at(search.pilot / 4.0)?, search))
        });
        let pairs: Vec<_> = pairs.collect();
        let moves: Vec<Move<T>> = pairs.iter().flat_map(|(a, b, _)| a.moves().chain(b.moves())).collect();
        if moves.is_empty() {
            break;
        }
        evaluations += moves.len() as u64;
        let values = function.values(x, &moves)?;
        let mut values = values.as_slice();
        for (whole, quarter, search) in pairs {
            let (at_whole, rest) = values.split_at(whole.evaluations());
            let (at_quarter, rest) = rest.split_at(quarter.evaluations());
            values = rest;
            let all_rows = at_whole.iter().chain(at_quarter).all(|values| values.len() == own.len());
            // All rows share the step: what counts is what they lose together.
            let noise = rounding.of(search.place);
            let (mut truncation, mut usual, mut bound) = (0.0, 0.0, 0.0);
            for row in if all_rows { 0..own.len() } else { 0..0 } {
                let (derivative, lost) = whole.derivative(at_whole, own, noise, row);
                let other = quarter.value(at_quarter, own, row);
                let power = (quarter.step_size / whole.step_size).powi(order);
                truncation += (derivative - other).abs() / (1.0 - power).abs();
                usual += whole.deviation(at_whole, own, lone.as_deref().unwrap_or(noise), row);
                bound += lost;
            }
            search.learn(truncation, usual, bound, order, LARGEST * scale(x[search.variable].to_f64()).max(1.0));
        }
    }
    let steps = searches
        .iter()
        .map(|search| search.found.or(search.invisible.map(|(step, _)| step)).unwrap_or(nominal[search.variable]));
    Ok((steps.collect(), evaluations))
}
