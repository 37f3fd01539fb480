//! Gradients of formulas by difference quotients: at many points at once, along a sweep of the step, and down a descent.
//!
//! On the CPU a quotient is the literal one in float64, divided by the step that was really taken. On an adapter it is
//! float32 and made of changes (see [`Formula::change`](crate::formula::Formula::change)): the same quotient, to
//! float32's precision, where a difference of two float32 values would keep three digits.
//!
//! ```
//! use gpu_train::formula::Formula;
//! use gpu_train::gradient::formula::{FormulaDevice, PointOptions};
//!
//! let bowl = Formula::parse("x0^2 + x1^2")?;
//! let points = [3.0, 4.0, 0.0, 2.0];
//! let found = FormulaDevice::Cpu { threads: None }.gradients(&bowl, &points, &PointOptions::default())?;
//! assert_eq!(found.values, [25.0, 4.0]);
//! assert!((found.gradients[1] - 8.0).abs() < 1e-9 && found.gradients[2].abs() < 1e-9);
//! # Ok::<(), gpu_train::Error>(())
//! ```

mod descend;
mod eigen;
mod points;
mod sweep;

pub use descend::{Descent, DescentOptions, Verdict, descend};
pub use points::{FormulaDevice, PointGradients, PointOptions};
pub use sweep::{STEPS_A_DECADE, SweepRow, best_step, sweep};
