//! All derivatives of all values of a function, with their errors: what the gradient is one row of.

use super::evaluate::{Evaluate, Move, OneByOne, base_values, finite};
use super::quotient::Quotient;
use super::steps::{balanced_steps, nominal_steps, scale};
use super::{FunctionOptions, Real, StepSize};
use crate::Result;
use crate::gradient::{Difference, ErrorEstimate};

/// The powers of the step behind the first one, and the rounding of the difference, are up to so large a part of it.
const NEXT_POWER: f64 = 1.5;

/// A Jacobian by differences.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionJacobian<T> {
    /// The function's values at the point, `[values]`.
    pub values: Vec<T>,
    /// Their derivatives, `[values, variables]`, row-major.
    pub jacobian: Vec<T>,
    /// Bounds of each derivative's error, in the same order.
    pub estimates: Vec<ErrorEstimate>,
    /// The step of each variable that was really taken.
    pub step_sizes: Vec<f64>,
    /// How often the function was called, or at how many points.
    pub evaluations: u64,
}

/// The Jacobian of `f` at `x`; `f` gives as many values at every point.
///
/// # Errors
/// [`FunctionValue`](crate::Error::FunctionValue) names the variable at whose change a value is not finite;
/// [`Config`](crate::Error::Config) if `x` is empty or not finite, the step is nothing beside a variable, or the number of values changes.
///
/// ```
/// use gpu_train::gradient::function::{FunctionOptions, numerical_jacobian};
///
/// let polar = |x: &[f64]| vec![x[0] * x[1].cos(), x[0] * x[1].sin()];
/// let derivatives = numerical_jacobian(polar, &[2.0, 0.5], &FunctionOptions::default())?;
/// assert!((derivatives.jacobian[1] + 2.0 * 0.5_f64.sin()).abs() <= derivatives.estimates[1].total());
/// # Ok::<(), gpu_train::Error>(())
/// ```
pub fn numerical_jacobian<T: Real>(
    f: impl Fn(&[T]) -> Vec<T> + Sync,
    x: &[T],
    options: &FunctionOptions,
) -> Result<FunctionJacobian<T>> {
    jacobian(&OneByOne { function: f, threads: options.threads }, x, options)
}

/// The Jacobian of a function that is called in any way.
pub(super) fn jacobian<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    options: &FunctionOptions,
) -> Result<FunctionJacobian<T>> {
    let all: Vec<usize> = (0..x.len()).collect();
    columns(function, x, &all, options)
}

/// The columns of the Jacobian that belong to these variables.
pub(super) fn columns<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    variables: &[usize],
    options: &FunctionOptions,
) -> Result<FunctionJacobian<T>> {
    options.checked()?;
    let own = base_values(function, x)?;
    let nominal = nominal_steps(x, options);
    // Noise is looked for where the quotient will be, but over no less than the step that would be best.
    let around: Vec<f64> = match options.step_size {
        StepSize::Fixed(h) => nominal.iter().map(|nominal| nominal.max(h)).collect(),
        StepSize::Auto => nominal,
    };
    let (rounding_of, noise_evaluations) = function.rounding(x, variables, &around, &own)?;
    let (steps, search_evaluations) = match options.step_size {
        StepSize::Fixed(h) => (vec![h; variables.len()], 0),
        StepSize::Auto => balanced_steps(function, x, variables, &own, &rounding_of, options)?,
    };
    let columns = steps.iter().zip(variables);
    let columns = columns.map(|(&h, &variable)| Column::new(variable, x[variable], h, options));
    let columns = columns.collect::<Result<Vec<Column<T>>>>()?;
    let moves: Vec<Move<T>> = columns.iter().flat_map(|column| column.quotient.moves()).collect();
    let values = function.values(x, &moves)?;
    finite(x, &moves, &values, own.len())?;
    let seconds: Vec<Move<T>> = columns.iter().flat_map(|column| column.second.moves()).collect();
    let second_values = function.values(x, &seconds)?;

    let mut result = FunctionJacobian {
        values: own.iter().map(|&value| T::from_f64(value)).collect(),
        jacobian: vec![T::from_f64(0.0); own.len() * variables.len()],
        estimates: vec![ErrorEstimate { truncation: 0.0, rounding: 0.0 }; own.len() * variables.len()],
        step_sizes: columns.iter().map(|column| column.quotient.step_size).collect(),
        evaluations: 1 + noise_evaluations + search_evaluations + (moves.len() + seconds.len()) as u64,
    };
    let (mut values, mut second_values) = (values.as_slice(), second_values.as_slice());
    for (place, column) in columns.iter().enumerate() {
        let (at_first, rest) = values.split_at(column.quotient.evaluations());
        let (at_second, second_rest) = second_values.split_at(column.second.evaluations());
        (values, second_values) = (rest, second_rest);
        let noise = rounding_of.of(place);
        for row in 0..own.len() {
            let (derivative, rounding) = column.quotient.derivative(at_first, &own, noise, row);
            let truncation = column.truncation(derivative, at_second, &own, row, options);
            result.jacobian[row * variables.len() + place] = T::from_f64(derivative);
            result.estimates[row * variables.len() + place] = ErrorEstimate { truncation, rounding };
        }
    }
    Ok(result)
}

/// The derivatives of a function of one value by these variables, all at the step `h`, without estimates; with the steps
/// that were really taken, and the number of evaluations.
pub(super) fn bare_quotients<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    variables: &[usize],
    h: f64,
    options: &FunctionOptions,
) -> Result<(Vec<T>, Vec<f64>, u64)> {
    /// Variables whose points and values are in memory at once.
    const AT_ONCE: usize = 1 << 16;
    let own = base_values(function, x)?;
    let (mut gradient, mut steps) = (Vec::with_capacity(variables.len()), Vec::with_capacity(variables.len()));
    let (offsets, mut evaluations) = (options.offsets(), 0);
    for variables in variables.chunks(AT_ONCE) {
        let quotients = variables.iter().map(|&variable| Quotient::required(variable, x[variable], h, &offsets));
        let quotients = quotients.collect::<Result<Vec<_>>>()?;
        let moves: Vec<Move<T>> = quotients.iter().flat_map(Quotient::moves).collect();
        let values = function.values(x, &moves)?;
        finite(x, &moves, &values, 1)?;
        evaluations += moves.len() as u64;
        let mut values = values.as_slice();
        for quotient in &quotients {
            let (at, rest) = values.split_at(quotient.evaluations());
            values = rest;
            gradient.push(T::from_f64(quotient.value(at, &own, 0)));
            steps.push(quotient.step_size);
        }
    }
    Ok((gradient, steps, evaluations))
}

/// The quotient of a variable and the one that shows its truncation.
struct Column<T> {
    quotient: Quotient<T>,
    second: Quotient<T>,
}

impl<T: Real> Column<T> {
    /// A small step is compared with four times the step, where rounding is less and truncation more; a large one with
    /// a quarter, where higher powers do not hide the first one.
    fn new(variable: usize, x: T, h: f64, options: &FunctionOptions) -> Result<Self> {
        let offsets = options.offsets();
        let quotient = Quotient::required(variable, x, h, &offsets)?;
        let balance = T::EPSILON.powf(1.0 / f64::from(options.difference.order() + 1)) * scale(x.to_f64());
        let small = options.step_size == StepSize::Auto || h <= 2.0 * balance;
        let (times, offsets) = if options.difference == Difference::Forward {
            // Of its error the first two powers are as large; a cubic through points of the same side has neither.
            (if small { 1.0 } else { 0.25 }, vec![1.0, 2.0, 4.0, 0.0])
        } else {
            (if small { 4.0 } else { 0.25 }, offsets)
        };
        let second = Quotient::new(variable, x, times * h, &offsets).unwrap_or_else(|| quotient.clone());
        Ok(Self { quotient, second })
    }

    /// With an error of `c h^p`, `D(H) - D(h) = c (H^p - h^p)`; infinite where the function is not finite at `H`.
    fn truncation(
        &self,
        derivative: f64,
        values: &[Vec<f64>],
        own: &[f64],
        row: usize,
        options: &FunctionOptions,
    ) -> f64 {
        if values.iter().any(|values| values.len() != own.len()) {
            return f64::INFINITY;
        }
        let other = self.second.value(values, own, row);
        let share = match options.difference {
            Difference::Forward => 1.0,
            of_one_power => (self.second.step_size / self.quotient.step_size).powi(of_one_power.order()) - 1.0,
        };
        let truncation = NEXT_POWER * (derivative - other).abs() / share.abs();
        if truncation.is_nan() { f64::INFINITY } else { truncation }
    }
}
