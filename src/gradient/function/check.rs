//! A gradient that somebody derived, held to the numerical one.

use super::gradient::numerical_gradient;
use super::{FunctionGradient, FunctionOptions, Real};
use crate::{Error, Result};

/// What the check of a gradient found.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientCheck<T> {
    /// The distance to the numerical gradient, as a share of the latter's norm; of a gradient of 0 the distance itself.
    pub relative_error: f64,
    /// The error of the numerical gradient itself, in the same measure: what the check cannot see below.
    pub estimate: f64,
    /// The variable whose derivative is farthest off.
    pub worst_index: usize,
    /// How far that is.
    pub max_abs_error: f64,
    /// Whether the error is within the tolerance and the estimate, and the numerical gradient good enough to say so.
    pub passed: bool,
    /// The numerical gradient.
    pub numerical: FunctionGradient<T>,
}

/// Compares `grad(x)` with the numerical gradient of `f` at `x`.
///
/// It passes if the relative error is at most [`tolerance`](FunctionOptions::tolerance) plus the estimate. An estimate
/// above ten times the tolerance fails too: what is not known cannot be passed.
///
/// # Errors
/// As [`numerical_gradient`], and [`Error::Config`] if the gradient has not one element a variable, or one that is not
/// finite.
///
/// ```
/// use gpu_train::gradient::function::{FunctionOptions, check_gradient};
///
/// let f = |x: &[f64]| x[0] * x[0] * x[1];
/// let forgot_a_factor = |x: &[f64]| vec![x[0] * x[1], x[0] * x[0]];
/// let check = check_gradient(f, forgot_a_factor, &[3.0, 2.0], &FunctionOptions::default())?;
/// assert!(!check.passed);
/// assert_eq!(check.worst_index, 0);
/// # Ok::<(), gpu_train::Error>(())
/// ```
pub fn check_gradient<T: Real>(
    f: impl Fn(&[T]) -> T + Sync,
    grad: impl FnOnce(&[T]) -> Vec<T>,
    x: &[T],
    options: &FunctionOptions,
) -> Result<GradientCheck<T>> {
    let claimed = grad(x);
    if claimed.len() != x.len() {
        return Err(Error::config(format!("a gradient of {} elements for {} variables", claimed.len(), x.len())));
    }
    if let Some(variable) = claimed.iter().position(|value| !value.to_f64().is_finite()) {
        return Err(Error::config(format!("the gradient of variable {variable} is {}", claimed[variable])));
    }
    let numerical = numerical_gradient(f, x, options)?;
    let pairs = claimed.iter().zip(&numerical.gradient);
    let errors: Vec<f64> = pairs.map(|(claimed, own)| (claimed.to_f64() - own.to_f64()).abs()).collect();
    let worst = errors.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let size = norm(&mut numerical.gradient.iter().map(|value| value.to_f64()));
    let size = if size == 0.0 { 1.0 } else { size };
    let relative_error = norm(&mut errors.iter().copied()) / size;
    let estimate = numerical.error_estimate() / size;
    // The default is what steps in balance reach with room to spare, and far below a mistake.
    let tolerance = options.tolerance.unwrap_or(if T::EPSILON < 1e-10 { 1e-6 } else { 1e-3 });
    Ok(GradientCheck {
        relative_error,
        estimate,
        worst_index: worst.0,
        max_abs_error: worst.1,
        passed: relative_error <= tolerance + estimate && estimate <= 10.0 * tolerance,
        numerical,
    })
}
