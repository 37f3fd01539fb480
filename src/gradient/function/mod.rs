//! Gradients, Jacobians and Hessian-vector products of anybody's functions, by differences of their values, each with
//! an estimate of its error.
//!
//! ```
//! use gpu_train::gradient::function::{FunctionOptions, check_gradient, numerical_gradient};
//!
//! let f = |x: &[f64]| x[0].sin() * x[1].exp();
//! let x = [0.5, 1.0];
//! let numerical = numerical_gradient(f, &x, &FunctionOptions::default())?;
//! assert!((numerical.gradient[0] - 0.5_f64.cos() * 1.0_f64.exp()).abs() <= numerical.estimates[0].total());
//!
//! let by_hand = |x: &[f64]| vec![x[0].cos() * x[1].exp(), x[0].sin() * x[1].exp()];
//! assert!(check_gradient(f, by_hand, &x, &FunctionOptions::default())?.passed);
//! # Ok::<(), gpu_train::Error>(())
//! ```
//!
//! **What the estimates promise.** Of a function that is smooth over the distance of four steps, each component's error
//! is at most its estimate; where truncation is most of the estimate, it is by the norm at most ten times the error.
//! Where rounding is most of it the estimate is a bound, which luck may undercut by any factor.
//! Two things cannot be seen in values at a few points, and of them nothing is promised: kinks, jumps and features
//! narrower than the step; and rounding that has a slope of its own. A plain loop that sums a million `f32` in an `f32`
//! has such: its terms are smaller than the sum's last places, all neighbours lose the same share, and the derivative
//! is off by some percent at every step. Sum in `f64`, or pairwise.

mod check;
mod evaluate;
mod gradient;
mod hessian;
mod jacobian;
mod noise;
mod quotient;
mod real;
mod steps;
mod wgsl;

pub use check::{GradientCheck, check_gradient};
pub use gradient::{FunctionGradient, numerical_gradient, numerical_gradient_batched};
pub use hessian::{HessianVectorProduct, hessian_vector_product};
pub use jacobian::{FunctionJacobian, numerical_jacobian};
pub use real::Real;
pub use wgsl::{WgslFunction, WgslGradient};

use super::Difference;

/// How far the points of a quotient are apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum StepSize {
    /// For each variable the step at which truncation and rounding, both measured, are in balance.
    #[default]
    Auto,
    /// So much for every variable, in its own units.
    Fixed(f64),
}

/// How a function's derivatives are taken.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FunctionOptions {
    /// The quotient.
    pub difference: Difference,
    /// Its `h`.
    pub step_size: StepSize,
    /// Threads that call the function; all cores where it is not said. The result does not depend on it.
    pub threads: Option<usize>,
    /// The relative error, by the norm, up to which [`check_gradient`] passes a gradient (on top of the estimate).
    /// Where it is not said, `1e-6` for `f64` and `1e-3` for `f32`.
    pub tolerance: Option<f64>,
}

impl FunctionOptions {
    /// The points of the quotient, as multiples of the step.
    fn offsets(&self) -> Vec<f64> {
        self.difference.points().iter().map(|point| point.0).collect()
    }

    /// A step that is a number at all.
    fn checked(&self) -> crate::Result<()> {
        match self.step_size {
            StepSize::Fixed(h) if !(h.is_normal() && h > 0.0) => {
                Err(crate::Error::config(format!("a step size of {h}: it must be a positive number")))
            }
            _ => Ok(()),
        }
    }
}
