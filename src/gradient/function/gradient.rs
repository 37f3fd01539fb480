//! The gradient of a function of one value.

use super::evaluate::{Batched, Evaluate, OneByOne};
use super::jacobian::jacobian;
use super::{FunctionOptions, Real};
use crate::gradient::ErrorEstimate;
use crate::{Error, Result};

/// A gradient by differences.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionGradient<T> {
    /// The function at the point.
    pub value: T,
    /// Its derivatives, one a variable.
    pub gradient: Vec<T>,
    /// Bounds of each derivative's error.
    pub estimates: Vec<ErrorEstimate>,
    /// The step of each variable that was really taken.
    pub step_sizes: Vec<f64>,
    /// At how many points the function was evaluated.
    pub evaluations: u64,
}

impl<T> FunctionGradient<T> {
    /// A bound of the whole gradient's error, by the norm.
    #[must_use]
    pub fn error_estimate(&self) -> f64 {
        self.estimates.iter().map(|estimate| estimate.total().powi(2)).sum::<f64>().sqrt()
    }
}

/// The gradient of `f` at `x`; several threads call `f` at once, and their number shows in no bit of the result.
///
/// With a fixed step the central quotient of `n` variables takes `4n + 37` evaluations, half of which are for the
/// estimate; the search for steps adds `4n` or a few times that, and 48 where there are many variables.
///
/// # Errors
/// [`Error::FunctionValue`] names the variable at whose change `f` is not finite; [`Error::Config`] if `x` is empty or
/// not finite, or the step is nothing beside a variable.
///
/// ```
/// use gpu_train::gradient::Difference;
/// use gpu_train::gradient::function::{FunctionOptions, StepSize, numerical_gradient};
///
/// let options = FunctionOptions { difference: Difference::Richardson, step_size: StepSize::Fixed(1e-2), ..Default::default() };
/// let cube = numerical_gradient(|x: &[f64]| x[0].powi(3), &[2.0], &options)?;
/// assert!((cube.gradient[0] - 12.0).abs() < 1e-11);
/// # Ok::<(), gpu_train::Error>(())
/// ```
pub fn numerical_gradient<T: Real>(
    f: impl Fn(&[T]) -> T + Sync,
    x: &[T],
    options: &FunctionOptions,
) -> Result<FunctionGradient<T>> {
    gradient(&OneByOne { function: |x: &[T]| vec![f(x)], threads: options.threads }, x, options)
}

/// The gradient of a function that takes many points in one call and gives a value for each: for those that have
/// threads or an accelerator of their own. A call has at most 4,194,304 numbers, or one point.
///
/// # Errors
/// As [`numerical_gradient`], and [`Error::Config`] if `f` does not give one value a point.
///
/// ```
/// use gpu_train::gradient::function::{FunctionOptions, numerical_gradient_batched};
///
/// let squares = |points: &[Vec<f64>]| points.iter().map(|x| x.iter().map(|x| x * x).sum()).collect();
/// let result = numerical_gradient_batched(squares, &[1.0, -3.0], &FunctionOptions::default())?;
/// assert!((result.gradient[1] + 6.0).abs() <= result.estimates[1].total());
/// # Ok::<(), gpu_train::Error>(())
/// ```
pub fn numerical_gradient_batched<T: Real>(
    f: impl Fn(&[Vec<T>]) -> Vec<T>,
    x: &[T],
    options: &FunctionOptions,
) -> Result<FunctionGradient<T>> {
    gradient(&Batched(f), x, options)
}

fn gradient<T: Real>(function: &impl Evaluate<T>, x: &[T], options: &FunctionOptions) -> Result<FunctionGradient<T>> {
    let all = jacobian(function, x, options)?;
    let value = all.values.first().copied().ok_or_else(|| Error::config("the function gave no value"))?;
    Ok(FunctionGradient {
        value,
        gradient: all.jacobian,
        estimates: all.estimates,
        step_sizes: all.step_sizes,
        evaluations: all.evaluations,
    })
}
