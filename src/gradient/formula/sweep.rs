//! The error of a derivative as the step shrinks: truncation falls with a power of `h`, rounding grows as `1 / h`, and
//! the best step is where they meet.

use crate::backend::cpu::formula_blocks::{self, Lane};
use crate::formula::Formula;
use crate::gradient::Difference;
use crate::{Error, Result};

/// Rows of a sweep for each factor of ten.
pub const STEPS_A_DECADE: i32 = 4;

/// The smallest and the largest step, as powers of ten.
const DECADES: std::ops::RangeInclusive<i32> = -16..=0;

/// Steps around each `h` of which a row tells the root of the mean square: at a single step rounding may be 0 by luck.
const AROUND: i32 = 16;

/// The errors of the quotient at steps around one `h`; `None` where the function is not finite there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepRow {
    /// `h`
    pub step_size: f64,
    /// Of the quotient in float32.
    pub float32_error: Option<f64>,
    /// Of the quotient in float64.
    pub float64_error: Option<f64>,
    /// Of the exact quotient: what the difference of it and the derivative is.
    pub truncation_error: Option<f64>,
    /// What float32 adds to that.
    pub float32_rounding: Option<f64>,
    /// What float64 adds to that.
    pub float64_rounding: Option<f64>,
}

/// The errors of the textbook's quotient, literally `sum weight f(x + offset h) / h`, from `h = 1e-16` to 1.
///
/// # Errors
/// [`Error::Config`] for a formula that is not of one variable.
pub fn sweep(formula: &Formula, x: f64, difference: Difference) -> Result<Vec<SweepRow>> {
    if formula.variables().len() != 1 {
        let problem = format!("a formula of {} variables; a sweep is of one", formula.variables().len());
        return Err(Error::config(problem));
    }
    let derivative = formula.derivative(&[x], 0);
    let exponents = (DECADES.start() * STEPS_A_DECADE..=DECADES.end() * STEPS_A_DECADE)
        .map(|index| f64::from(index) / f64::from(STEPS_A_DECADE));
    let row = |exponent: f64| {
        // Around h by half of the way to the next row, on a scale of factors.
        let shift = |index: i32| ((f64::from(index) + 0.5) / f64::from(AROUND) - 0.5) / f64::from(STEPS_A_DECADE);
        let steps: Vec<f64> = (0..AROUND).map(|index| 10f64.powf(exponent + shift(index))).collect();
        let narrow = quotients::<f32>(formula, x, difference, &steps);
        let wide = quotients::<f64>(formula, x, difference, &steps);
        let exact: Vec<f64> = steps
            .iter()
            .map(|h| {
                let terms = difference.points().iter();
                terms.map(|(offset, weight)| weight * formula.change(&[x], 0, offset * h)).sum::<f64>() / h
            })
            .collect();
        let truth = vec![derivative; steps.len()];
        SweepRow {
            step_size: 10f64.powf(exponent),
            float32_error: distance(&narrow, &truth),
            float64_error: distance(&wide, &truth),
            truncation_error: distance(&exact, &truth),
            float32_rounding: distance(&narrow, &exact),
            float64_rounding: distance(&wide, &exact),
        }
    };
    Ok(exponents.map(row).collect())
}

/// The step with the smallest of some errors.
#[must_use]
pub fn best_step(rows: &[SweepRow], error: impl Fn(&SweepRow) -> Option<f64>) -> Option<f64> {
    let known = rows.iter().filter_map(|row| Some((row.step_size, error(row)?)));
    known.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(step_size, _)| step_size)
}

/// The quotient at every step, all of it in one type of numbers.
fn quotients<T: Lane>(formula: &Formula, x: f64, difference: Difference, steps: &[f64]) -> Vec<f64> {
    let points = difference.points();
    let at = |h: &f64| {
        let h = T::narrow(*h);
        points.iter().map(move |(offset, _)| T::narrow(x) + T::narrow(*offset) * h)
    };
    let moved: Vec<T> = steps.iter().flat_map(at).collect();
    let values = formula_blocks::values(formula.program(), &moved, 1);
    let quotient = |(values, h): (&[T], &f64)| {
        let terms = values.iter().zip(points).map(|(&value, (_, weight))| T::narrow(*weight) * value);
        (terms.fold(T::default(), |sum, term| sum + term) / T::narrow(*h)).wide()
    };
    values.chunks_exact(points.len()).zip(steps).map(quotient).collect()
}

/// The root of the mean square of the differences.
fn distance(a: &[f64], b: &[f64]) -> Option<f64> {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    Some((squares / a.len() as f64).sqrt()).filter(|distance| distance.is_finite())
}
