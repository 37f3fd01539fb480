//! The product of a function's matrix of second derivatives and a vector, by differences of differences.

use super::evaluate::{Evaluate, Move, OneByOne, base_values, finite};
use super::steps::{LARGEST, balanced_steps, nominal_steps};
use super::{FunctionOptions, Real, StepSize};
use crate::gradient::{Difference, ErrorEstimate};
use crate::{Error, Result};

/// As of the gradient: the powers of the step behind the first one.
const NEXT_POWER: f64 = 1.5;

/// `H v`, where `H` is the matrix of second derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct HessianVectorProduct<T> {
    /// The product, one element a variable.
    pub product: Vec<T>,
    /// Bounds of each element's error.
    pub estimates: Vec<ErrorEstimate>,
    /// At how many points the function was evaluated.
    pub evaluations: u64,
}

/// The product of `f`'s second derivatives at `x` and `v`, from values of `f` alone: the central difference along `v` of
/// central differences, `(f(x + h e + k v) - f(x - h e + k v) - f(x + h e - k v) + f(x - h e - k v)) / 4hk`.
///
/// Automatic steps are those of the gradient, made longer as second differences want it. `k v` moves no variable by more
/// than its step `h`. The difference is always this one, whatever the options say.
///
/// # Errors
/// As [`numerical_gradient`](super::numerical_gradient), and [`Error::Config`] if `v` has not one element a variable.
///
/// ```
/// use gpu_train::gradient::function::{FunctionOptions, hessian_vector_product};
///
/// let f = |x: &[f64]| x[0] * x[0] * x[1];
/// let product = hessian_vector_product(f, &[3.0, 2.0], &[1.0, 0.0], &FunctionOptions::default())?;
/// assert!((product.product[0] - 4.0).abs() <= product.estimates[0].total());
/// assert!((product.product[1] - 6.0).abs() <= product.estimates[1].total());
/// # Ok::<(), gpu_train::Error>(())
/// ```
pub fn hessian_vector_product<T: Real>(
    f: impl Fn(&[T]) -> T + Sync,
    x: &[T],
    v: &[T],
    options: &FunctionOptions,
) -> Result<HessianVectorProduct<T>> {
    options.checked()?;
    if v.len() != x.len() || v.iter().any(|v| !v.to_f64().is_finite()) {
        return Err(Error::config(format!("a finite vector of {} elements is needed, one for each variable", x.len())));
    }
    let function = OneByOne { function: |x: &[T]| vec![f(x)], threads: options.threads };
    let own = base_values(&function, x)?;
    let of_gradient = FunctionOptions { difference: Difference::Central, ..*options };
    let around = match options.step_size {
        StepSize::Fixed(h) => vec![h; x.len()],
        StepSize::Auto => nominal_steps(x, &of_gradient),
    };
    let all: Vec<usize> = (0..x.len()).collect();
    let (rounding, noise_evaluations) = function.rounding(x, &all, &around, &own)?;
    let noise = rounding.of(0)[0].bound;
    let (steps, search_evaluations) = match options.step_size {
        StepSize::Fixed(_) => (around, 0),
        StepSize::Auto => {
            let (mut steps, evaluations) = balanced_steps(&function, x, &all, &own, &rounding, &of_gradient)?;
            // From the third root of the precision to the fourth.
            let longer = |(step, x): (&mut f64, &T)| {
                *step = (*step * T::EPSILON.powf(-1.0 / 12.0)).min(LARGEST * x.to_f64().abs().max(1.0));
            };
            steps.iter_mut().zip(x).for_each(longer);
            (steps, evaluations)
        }
    };
    // The step along v: no variable is to move by more than its own step.
    let along = v.iter().zip(&steps).map(|(v, step)| step / v.to_f64().abs()).fold(f64::INFINITY, f64::min);
    if along.is_infinite() {
        let none = ErrorEstimate { truncation: 0.0, rounding: 0.0 };
        let evaluations = 1 + noise_evaluations + search_evaluations;
        return Ok(HessianVectorProduct { product: v.to_vec(), estimates: vec![none; x.len()], evaluations });
    }
    let once = second_differences(&function, x, v, &steps, along, noise, 1.0)?;
    let twice = second_differences(&function, x, v, &steps, along, noise, 2.0)?;
    let pairs = || once.iter().zip(&twice);
    let truncation = |once: f64, twice: f64| NEXT_POWER * (twice - once).abs() / 3.0;
    let estimates =
        pairs().map(|(once, twice)| ErrorEstimate { truncation: truncation(once.0, twice.0), rounding: once.1 });
    Ok(HessianVectorProduct {
        product: once.iter().map(|&(value, _)| T::from_f64(value)).collect(),
        estimates: estimates.collect(),
        evaluations: 1 + noise_evaluations + search_evaluations + 8 * x.len() as u64,
    })
}

/// The quotient of every variable with both steps `times` as large, and the rounding in it.
fn second_differences<T: Real>(
    function: &impl Evaluate<T>,
    x: &[T],
    v: &[T],
    steps: &[f64],
    along: f64,
    noise: f64,
    times: f64,
) -> Result<Vec<(f64, f64)>> {
    // Rounding of the points along v is an error of the direction, of the type's precision over the step.
    let shifted = |sign: f64| -> Vec<T> {
        x.iter().zip(v).map(|(x, v)| T::from_f64(x.to_f64() + sign * times * along * v.to_f64())).collect()
    };
    let sides = [shifted(1.0), shifted(-1.0)];
    let mut slopes = Vec::with_capacity(2);
    for base in &sides {
        let around = |(variable, (x, step)): (usize, (&T, &f64))| {
            let to = |sign: f64| (variable, T::from_f64(x.to_f64() + sign * times * step));
            [to(1.0), to(-1.0)]
        };
        let moves: Vec<Move<T>> = base.iter().zip(steps).enumerate().flat_map(around).collect();
        let values = function.values(base, &moves)?;
        finite(base, &moves, &values, 1)?;
        let pairs = moves.chunks(2).zip(values.chunks(2));
        let slope = |(moves, values): (&[Move<T>], &[Vec<f64>])| {
            let distance = moves[0].1.to_f64() - moves[1].1.to_f64();
            let rounding = [values[0][0], values[1][0]].map(|value| noise.max(0.5 * T::EPSILON * value.abs()));
            ((values[0][0] - values[1][0]) / distance, (rounding[0] + rounding[1]) / distance.abs())
        };
        slopes.push(pairs.map(slope).collect::<Vec<(f64, f64)>>());
    }
    let distance = 2.0 * times * along;
    let largest = |values: &[T]| values.iter().fold(0.0_f64, |most, value| most.max(value.to_f64().abs()));
    let direction = T::EPSILON * largest(x) / (times * along * largest(v));
    let both = slopes[0].iter().zip(&slopes[1]);
    let quotients: Vec<(f64, f64)> =
        both.map(|(plus, minus)| ((plus.0 - minus.0) / distance, (plus.1 + minus.1) / distance)).collect();
    let most = quotients.iter().fold(0.0_f64, |most, quotient| most.max(quotient.0.abs()));
    Ok(quotients.into_iter().map(|(value, rounding)| (value, rounding + direction * most)).collect())
}
