//! Calls of the function: at points that differ from a base point in one variable, on all cores or many in one call.

use std::num::NonZero;

use super::Real;
use super::noise::{Rounding, rounding_noise};
use crate::{Error, Result};

/// A point that differs from the base: the variable and its value there.
pub(super) type Move<T> = (usize, T);

/// Numbers in the points that a batched function gets in one call: 32 MiB in float64.
const NUMBERS_A_CALL: usize = 1 << 22;

/// A function with one or more values, as the quotients see it.
pub(super) trait Evaluate<T: Real> {
    /// The values at every point, `[points, rows]`, less what [`Evaluate::origin`] leaves out; the order of the points is
    /// that of `moves`, whoever computes them.
    fn values(&self, base: &[T], moves: &[Move<T>]) -> Result<Vec<Vec<f64>>>;

    /// The values at one point.
    fn value(&self, point: &[T]) -> Result<Vec<f64>> {
        let first = point.first().ok_or_else(|| Error::config("a function of no variables has no gradient"))?;
        Ok(self.values(point, &[(0, *first)])?.swap_remove(0))
    }

    /// The values at the point from which all moves will start. A function that knows its changes better than its
    /// values makes this 0.
    fn origin(&self, x: &[T]) -> Result<Vec<f64>> {
        self.value(x)
    }

    /// The rounding in the values where these variables move by about `steps` (one for every variable of `x`); and how
    /// many evaluations it took to know it.
    fn rounding(&self, x: &[T], _variables: &[usize], steps: &[f64], origin: &[f64]) -> Result<(Rounding, u64)> {
        let (noise, evaluations) = rounding_noise(self, x, steps, origin)?;
        Ok((Rounding::OfRows(noise), evaluations))
    }
}

/// A function that is called once a point, by several threads.
pub(super) struct OneByOne<F> {
    pub(super) function: F,
    pub(super) threads: Option<usize>,
}

impl<T: Real, F: Fn(&[T]) -> Vec<T> + Sync> Evaluate<T> for OneByOne<F> {
    fn values(&self, base: &[T], moves: &[Move<T>]) -> Result<Vec<Vec<f64>>> {
        let available = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.unwrap_or(available).clamp(1, moves.len().max(1));
        // Every value depends on its point alone, so that the split shows in no bit.
        let part = |moves: &[Move<T>]| {
            let mut point = base.to_vec();
            let at = |&(variable, to): &Move<T>| {
                point[variable] = to;
                let values = (self.function)(&point).into_iter().map(T::to_f64).collect();
                point[variable] = base[variable];
                values
            };
            moves.iter().map(at).collect::<Vec<Vec<f64>>>()
        };
        if threads == 1 {
            return Ok(part(moves));
        }
        let part = &part;
        std::thread::scope(|scope| {
            let parts = moves.chunks(moves.len().div_ceil(threads));
            let running: Vec<_> = parts.map(|moves| scope.spawn(move || part(moves))).collect();
            let mut all = Vec::with_capacity(moves.len());
            for thread in running {
                // A panic is the function's own: it goes on to whoever called.
                all.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            Ok(all)
        })
    }
}

/// A function that takes many points at once.
pub(super) struct Batched<F>(pub(super) F);

impl<T: Real, F: Fn(&[Vec<T>]) -> Vec<T>> Evaluate<T> for Batched<F> {
    fn values(&self, base: &[T], moves: &[Move<T>]) -> Result<Vec<Vec<f64>>> {
        let mut all = Vec::with_capacity(moves.len());
        for moves in moves.chunks((NUMBERS_A_CALL / base.len().max(1)).max(1)) {
            let at = |&(variable, to): &Move<T>| {
                let mut point = base.to_vec();
                point[variable] = to;
                point
            };
            let points: Vec<Vec<T>> = moves.iter().map(at).collect();
            let values = (self.0)(&points);
            if values.len() != points.len() {
                let problem = format!("the function gave {} values for {} points", values.len(), points.len());
                return Err(Error::config(problem));
            }
            all.extend(values.into_iter().map(|value| vec![value.to_f64()]));
        }
        Ok(all)
    }
}

/// The values at every point, all finite and all as many as at the base.
///
/// # Errors
/// [`Error::FunctionValue`] names the variable whose move led out of the finite numbers.
pub(super) fn finite<T: Real>(base: &[T], moves: &[Move<T>], values: &[Vec<f64>], rows: usize) -> Result<()> {
    for (&(variable, to), values) in moves.iter().zip(values) {
        if values.len() != rows {
            let problem = format!("the function gave {rows} values at one point and {} at another", values.len());
            return Err(Error::config(problem));
        }
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            let from = base[variable];
            let place = format!("is {to} instead of {from}");
            return Err(Error::FunctionValue { value, variable: Some(variable), place });
        }
    }
    Ok(())
}

/// The values at the point of which the gradient is wanted.
///
/// # Errors
/// [`Error::FunctionValue`] names the first variable that is not finite, or the function where all are.
pub(super) fn base_values<T: Real>(function: &impl Evaluate<T>, x: &[T]) -> Result<Vec<f64>> {
    if let Some(variable) = x.iter().position(|x| !x.to_f64().is_finite()) {
        return Err(Error::config(format!("variable {variable} is {}", x[variable])));
    }
    let values = function.origin(x)?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => {
            let place = "at the given point, every variable of which is finite".into();
            Err(Error::FunctionValue { value, variable: None, place })
        }
        None => Ok(values),
    }
}
