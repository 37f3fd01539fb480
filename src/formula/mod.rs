//! Formulas of any number of variables, as people type them: read once, compiled to a flat program, evaluated anywhere.
//!
//! `+ - * / ^`, brackets, `sin cos tan exp ln sqrt tanh abs min max`, the constants `pi` and `e`, numbers such as `1e-3`,
//! and variables of any other name. `^` binds tighter than a minus before it and to the right: `-x^2` is `-(x^2)` and
//! `2^3^2` is `2^(3^2)`.
//!
//! ```
//! use gpu_train::formula::Formula;
//!
//! let f = Formula::parse("0.01*x^2 + 0.1*x")?;
//! assert_eq!(f.variables(), ["x"]);
//! assert_eq!(f.value(&[10.0]), 2.0);
//! assert!((f.derivative(&[5.0], 0) - 0.2).abs() < 1e-15);
//! let wrong = Formula::parse("sin(x + ").unwrap_err();
//! assert!(wrong.to_string().ends_with('^'), "a caret shows the place");
//! # Ok::<(), gpu_train::Error>(())
//! ```

mod builtin;
mod parse;
mod program;
mod scalar;

use std::sync::Arc;

pub use builtin::{ARROWS, BUILTINS, Builtin};
pub use program::{Binary, MOST_NODES, Node, Program, Unary};
pub(crate) use scalar::{Change, evaluate};

use self::scalar::{Dual, OneSided};
use crate::{Error, Result};

/// A function of real variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    text: String,
    variables: Vec<String>,
    program: Arc<Program>,
}

impl Formula {
    /// Reads a formula, or takes the built-in function of that name (see [`BUILTINS`]).
    ///
    /// # Errors
    /// [`Error::Formula`] with the place where it cannot be understood.
    pub fn parse(text: &str) -> Result<Self> {
        let text = Builtin::named(text).map_or(text, |builtin| builtin.formula);
        match parse::parse(text) {
            Ok((program, variables)) => Ok(Self { text: text.trim().into(), variables, program: Arc::new(program) }),
            Err(parse::Problem { at, problem, hint }) => {
                Err(Error::Formula { formula: text.into(), at, problem, hint })
            }
        }
    }

    /// As it was typed; a built-in function's own formula.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables' names, `x2` before `x10`.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// What it was compiled to.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The value at a point, in the order of [`Formula::variables`].
    ///
    /// Outside of the formula's domain it is NaN or infinite, as float64 has it; of a point with fewer elements than
    /// there are variables it is NaN.
    #[must_use]
    pub fn value(&self, point: &[f64]) -> f64 {
        evaluate(&self.program, |variable| point.get(variable).copied().unwrap_or(f64::NAN))
    }

    /// The derivative by one of the variables, by dual numbers: no step, no truncation. Where a formula has a kink, it is
    /// the mean of both sides.
    #[must_use]
    pub fn derivative(&self, point: &[f64], variable: usize) -> f64 {
        let dual = |index: usize| {
            let value = point.get(index).copied().unwrap_or(f64::NAN);
            Dual { value, slope: if index == variable { 1.0 } else { 0.0 } }
        };
        evaluate(&self.program, dual).slope
    }

    /// The derivatives on the left and on the right where they differ: a kink, at which there is no derivative. `None`
    /// where they are the same, or one of them is not a number.
    ///
    /// Kinks are seen where they are, as those of `abs(x)` and `max(0, x)` at 0; not where an inner function's own slope
    /// is 0, as in `sqrt(x^2)`.
    #[must_use]
    pub fn kink(&self, point: &[f64], variable: usize) -> Option<(f64, f64)> {
        /// Slopes that differ by less than this share are the same one, rounded on two ways.
        const SAME: f64 = 1e-12;
        let toward = |side: f64| {
            let moved = |index: usize| {
                let value = point.get(index).copied().unwrap_or(f64::NAN);
                OneSided(Dual { value, slope: if index == variable { side } else { 0.0 } })
            };
            let OneSided(Dual { value, slope }) = evaluate(&self.program, moved);
            if value.is_finite() { side * slope } else { f64::NAN }
        };
        let (left, right) = (toward(-1.0), toward(1.0));
        let apart = (left - right).abs() > SAME * left.abs().max(right.abs()).min(f64::MAX);
        apart.then_some((left, right))
    }

    /// All derivatives.
    #[must_use]
    pub fn gradient(&self, point: &[f64]) -> Vec<f64> {
        (0..self.variables.len()).map(|variable| self.derivative(point, variable)).collect()
    }

    /// `f(x + s) - f(x)` where one variable moves by `s`: made of changes, and so good to float64's precision however
    /// small `s` is.
    #[must_use]
    pub fn change(&self, point: &[f64], variable: usize, s: f64) -> f64 {
        let moved = |index: usize| {
            let value = point.get(index).copied().unwrap_or(f64::NAN);
            Change { value, change: if index == variable { s } else { 0.0 } }
        };
        evaluate(&self.program, moved).change
    }
}

/// The line of a formula around a place, and a caret below that.
pub(crate) fn marked(formula: &str, at: usize) -> String {
    /// Characters that are shown on each side.
    const AROUND: usize = 40;
    let before: Vec<char> = formula.get(..at).unwrap_or(formula).chars().collect();
    let first = before.len().saturating_sub(AROUND);
    // What has no width or more than one line would put the caret elsewhere.
    let plain = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
    let shown: String = formula.chars().skip(first).take(2 * AROUND).map(plain).collect();
    let cut = if first > 0 { "..." } else { "" };
    let room = " ".repeat(cut.len() + before.len() - first);
    format!("  {cut}{}\n  {room}^", shown.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, point: &[f64]) -> f64 {
        Formula::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).value(point)
    }

    #[test]
    fn kinks_are_where_both_sides_differ() {
        for (text, x, expected) in [
            ("abs(x)", 0.0, Some((-1.0, 1.0))),
            ("abs(x)", 1e-9, None),
            ("3*max(0, x)", 0.0, Some((0.0, 3.0))),
            ("min(2*x, 1)", 0.5, Some((2.0, 0.0))),
            ("max(x, 2 - x)^2", 1.0, Some((-2.0, 2.0))),
            ("-abs(x - 2) + x", 2.0, Some((2.0, 0.0))),
            ("abs(abs(x))", 0.0, Some((-1.0, 1.0))),
            ("sqrt(abs(x))", 0.0, Some((f64::NEG_INFINITY, f64::INFINITY))),
            // The controls: both sides meet smoothly, or are one line computed in two ways.
            ("abs(x^3)", 0.0, None),
            ("max(x, x + x^2)", 0.0, None),
            ("max(0.1*x*3, 0.3*x)", 1.0, None),
            ("abs(x) - abs(x)", 0.0, None),
            ("ln(abs(x) - 1)", 0.0, None),
            ("sin(x)/x", 1.0, None),
        ] {
            assert_eq!(Formula::parse(text).unwrap().kink(&[x], 0), expected, "{text} at {x}");
        }
        let ridge = Formula::parse("abs(x0) + x1^2").unwrap();
        assert_eq!((ridge.kink(&[0.0, 3.0], 0), ridge.kink(&[0.0, 3.0], 1)), (Some((-1.0, 1.0)), None));
    }

    #[test]
    fn precedence_is_mathematics_own() {
        for (text, x, expected) in [
            ("-x^2", 3.0, -9.0),
            ("2^3^2", 0.0, 512.0),
            ("2^-x", 1.0, 0.5),
            ("-2^-2", 0.0, -0.25),
            ("1 - 2 - 3", 0.0, -4.0),
            ("8/4/2", 0.0, 1.0),
            ("2*-x", 3.0, -6.0),
            ("2 + 3*x^2", 2.0, 14.0),
            ("--x", 2.0, 2.0),
            ("+x", 2.0, 2.0),
            ("(1 + x)*2", 2.0, 6.0),
            ("max(1, x, 3)", 2.0, 3.0),
            ("min(1, x, 3)", -2.0, -2.0),
            ("1e-3*x", 2.0, 2e-3),
            (".5*x + 1.", 2.0, 2.0),
            ("abs(-x)", -2.0, 2.0),
            ("sqrt(x)*ln(e^2)", 9.0, 6.0),
            ("x^0.5", 9.0, 3.0),
            ("x^-2", 2.0, 0.25),
            ("x^0", 7.0, 1.0),
            ("x^67", -1.0, -1.0),
        ] {
            let got = value(text, &[x]);
            assert!((got - expected).abs() <= 1e-15 * expected.abs(), "{text} at {x}: {got}, expected {expected}");
        }
        assert_eq!(value("sin(pi/2) + cos(0) + tan(0) + tanh(0)", &[]), 2.0);
    }

    #[test]
    fn variables_are_in_their_natural_order() {
        let f = Formula::parse("x10 + x2*y + alpha - x_1").unwrap();
        assert_eq!(f.variables(), ["alpha", "x2", "x10", "x_1", "y"]);
        assert_eq!(f.value(&[1.0, 2.0, 3.0, 4.0, 5.0]), 3.0 + 10.0 + 1.0 - 4.0);
        // A variable that cancels is one all the same.
        assert_eq!(Formula::parse("0*x + y^0").unwrap().variables(), ["x", "y"]);
    }

    #[test]
    fn errors_point_at_their_place() {
        for (text, at, said) in [
            ("", 0, "empty"),
            ("1 +", 3, "ends"),
            ("(x + 1", 6, ")"),
            ("x)", 1, ")"),
            ("sin x", 4, "("),
            ("sin(x, 2)", 5, "one"),
            ("max(x)", 5, "two"),
            ("foo(x)", 0, "foo"),
            ("2x", 1, "*"),
            ("x y", 2, "*"),
            ("x ** 2", 3, "^"),
            ("x $ 2", 2, "$"),
            ("1.2.3", 3, "*"),
            ("1e999", 0, "1e999"),
            ("3 * sin", 4, "sin"),
            ("pi(2)", 2, "*"),
        ] {
            match Formula::parse(text) {
                Err(Error::Formula { at: got, problem, hint, .. }) => {
                    assert_eq!(got, at, "{text}: {problem}");
                    assert!(format!("{problem} {hint:?}").contains(said), "{text}: {problem}, {hint:?}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let error = Formula::parse("1 + foo(x)").unwrap_err().to_string();
        assert!(error.ends_with("  1 + foo(x)\n      ^"), "{error}");
        let long = format!("{}+ $", "1".repeat(300));
        let error = Formula::parse(&long).unwrap_err().to_string();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(
            lines[1].chars().position(|symbol| symbol == '$'),
            lines[2].chars().position(|symbol| symbol == '^')
        );
    }

    /// Each of these would take a stack frame or more a character.
    #[test]
    fn no_input_overflows_the_stack() {
        for symbol in ["(", "-", "sin(", "x^", "2*(", "max(1,"] {
            let text = symbol.repeat(200_000);
            assert!(matches!(Formula::parse(&text), Err(Error::Formula { .. })), "{symbol}");
        }
        let sum = "x+".repeat(200_000) + "x";
        assert_eq!(value("x+x+x+x", &[2.0]), 8.0);
        assert!(matches!(Formula::parse(&sum), Err(Error::Formula { .. })), "more than a program may have");
        let brackets = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(value(&brackets(100), &[2.0]), 2.0);
    }

    /// Derivatives and changes of every function and operation, against differences in the same precision.
    #[test]
    fn derivatives_and_changes_are_those_of_the_values() {
        const FORMULAS: [&str; 22] = [
            "x + y",
            "x - y",
            "x*y",
            "x/y",
            "x^y",
            "min(x, y)",
            "max(x, y)",
            "-x",
            "abs(x - y)",
            "sqrt(x*y)",
            "exp(x)",
            "ln(x)",
            "sin(x)",
            "cos(x)",
            "tan(x)",
            "tanh(x)",
            "x^5",
            "x^-3",
            "2^x",
            "x^2.5",
            "exp(-x^2)*sin(3*y)",
            "himmelblau",
        ];
        for text in FORMULAS {
            let f = Formula::parse(text).unwrap();
            for point in [[0.7, 1.3], [1.4, 0.6], [2.5, 2.0]] {
                let point = &point[..f.variables().len()];
                for variable in 0..f.variables().len() {
                    let moved = |s: f64| {
                        let mut moved = point.to_vec();
                        moved[variable] += s;
                        f.value(&moved)
                    };
                    // Truncation 1e-8 and rounding 1e-12 of numbers up to 600.
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let derivative = f.derivative(point, variable);
                    assert!((derivative - slope).abs() < 1e-6, "{text} at {point:?}: {derivative}, {slope}");
                    for s in [0.3, -0.2, 0.9] {
                        let (literal, change) = (moved(s) - f.value(point), f.change(point, variable, s));
                        let allowed = 1e-13 * (f.value(point).abs() + literal.abs() + 1.0);
                        assert!((literal - change).abs() < allowed, "{text} at {point:?} by {s}: {change}, {literal}");
                    }
                    // Here a difference of values would have lost all its digits.
                    let tiny = f.change(point, variable, 1e-14) / 1e-14;
                    assert!(
                        (tiny - derivative).abs() < 1e-11 * (1.0 + derivative.abs()),
                        "{text}: {tiny}, {derivative}"
                    );
                }
            }
        }
    }

    #[test]
    fn kinks_have_the_mean_slope_and_exact_changes() {
        let f = Formula::parse("abs(x)").unwrap();
        assert_eq!((f.derivative(&[0.0], 0), f.derivative(&[-2.0], 0)), (0.0, -1.0));
        assert_eq!((f.change(&[-1.0], 0, 3.0), f.change(&[1.0], 0, -3.0)), (1.0, 1.0));
        let f = Formula::parse("max(x, 2*x)").unwrap();
        assert_eq!(f.derivative(&[0.0], 0), 1.5);
        assert_eq!(f.change(&[-1.0], 0, 2.0), 3.0);
        assert_eq!(Formula::parse("min(x, 2*x)").unwrap().change(&[-1.0], 0, 2.0), 3.0);
    }

    #[test]
    fn outside_of_its_domain_a_formula_is_not_finite() {
        assert!(value("ln(x)", &[-1.0]).is_nan());
        assert!(value("sqrt(x)", &[-1.0]).is_nan());
        assert!(value("max(x, 1)", &[f64::NAN]).is_nan() && value("min(1, x)", &[f64::NAN]).is_nan());
        assert_eq!(value("1/x", &[0.0]), f64::INFINITY);
        assert!(value("x", &[]).is_nan());
    }
}
