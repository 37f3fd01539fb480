//! Programs evaluated one number at a time: plain values, values with a slope (dual numbers), values with a slope to one
//! side, and values with the change that a move makes of them.

use super::program::{Binary, Node, Program, Unary};

/// What a program can be evaluated in.
pub(crate) trait Number: Copy {
    /// One that never changes.
    fn constant(value: f64) -> Self;
    /// A function of it.
    fn unary(operation: Unary, a: Self) -> Self;
    /// A function of two.
    fn binary(operation: Binary, a: Self, b: Self) -> Self;
}

/// The value of a program whose variables are these.
pub(crate) fn evaluate<N: Number>(program: &Program, variable: impl Fn(usize) -> N) -> N {
    let mut values: Vec<N> = Vec::with_capacity(program.nodes().len());
    for node in program.nodes() {
        values.push(match *node {
            Node::Constant(value) => N::constant(value),
            Node::Variable(index) => variable(index),
            Node::Unary(operation, a) => N::unary(operation, values[a]),
            Node::Binary(operation, a, b) => N::binary(operation, values[a], values[b]),
        });
    }
    values.pop().unwrap_or(N::constant(f64::NAN))
}

impl Number for f64 {
    fn constant(value: f64) -> Self {
        value
    }

    fn unary(operation: Unary, a: Self) -> Self {
        match operation {
            Unary::Negate => -a,
            Unary::Absolute => a.abs(),
            Unary::SquareRoot => a.sqrt(),
            Unary::Exponential => a.exp(),
            Unary::Logarithm => a.ln(),
            Unary::Sine => a.sin(),
            Unary::Cosine => a.cos(),
            Unary::Tangent => a.tan(),
            Unary::HyperbolicTangent => a.tanh(),
        }
    }

    fn binary(operation: Binary, a: Self, b: Self) -> Self {
        match operation {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Power => a.powf(b),
            // Not f64::min and max, which would hide a NaN.
            Binary::Minimum if a < b || a.is_nan() => a,
            Binary::Maximum if a > b || a.is_nan() => a,
            Binary::Minimum | Binary::Maximum => b,
        }
    }
}

/// A value and its derivative (Clifford, 1873; as in forward-mode automatic differentiation).
#[derive(Debug, Clone, Copy)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// `slope * factor`, where what does not move at all has no slope even where the factor is infinite.
fn chain(slope: f64, factor: f64) -> f64 {
    if slope == 0.0 { 0.0 } else { slope * factor }
}

impl Number for Dual {
    fn constant(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }

    fn unary(operation: Unary, a: Self) -> Self {
        let value = f64::unary(operation, a.value);
        let factor = match operation {
            Unary::Negate => -1.0,
            Unary::Absolute if a.value == 0.0 => 0.0,
            Unary::Absolute => a.value.signum(),
            Unary::SquareRoot => 0.5 / value,
            Unary::Exponential => value,
            Unary::Logarithm => 1.0 / a.value,
            Unary::Sine => a.value.cos(),
            Unary::Cosine => -a.value.sin(),
            Unary::Tangent => 1.0 + value * value,
            Unary::HyperbolicTangent => a.value.cosh().powi(-2),
        };
        Self { value, slope: chain(a.slope, factor) }
    }

    fn binary(operation: Binary, a: Self, b: Self) -> Self {
        let value = f64::binary(operation, a.value, b.value);
        let slope = match operation {
            Binary::Add => a.slope + b.slope,
            Binary::Subtract => a.slope - b.slope,
            Binary::Multiply => chain(a.slope, b.value) + chain(b.slope, a.value),
            Binary::Divide => (a.slope - chain(b.slope, value)) / b.value,
            Binary::Power => {
                chain(a.slope, b.value * a.value.powf(b.value - 1.0)) + chain(b.slope, value * a.value.ln())
            }
            Binary::Minimum | Binary::Maximum if a.value == b.value => 0.5 * (a.slope + b.slope),
            Binary::Minimum | Binary::Maximum if value == a.value => a.slope,
            Binary::Minimum | Binary::Maximum => b.slope,
        };
        Self { value, slope }
    }
}

/// A value and its derivative in the direction of a move, to that side alone: where a kink is, the other side has another.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneSided(pub(super) Dual);

impl Number for OneSided {
    fn constant(value: f64) -> Self {
        Self(Dual::constant(value))
    }

    fn unary(operation: Unary, Self(a): Self) -> Self {
        let both = Dual::unary(operation, a);
        let turns = operation == Unary::Absolute && a.value == 0.0;
        Self(if turns { Dual { slope: a.slope.abs(), ..both } } else { both })
    }

    fn binary(operation: Binary, Self(a): Self, Self(b): Self) -> Self {
        let both = Dual::binary(operation, a, b);
        let slope = match operation {
            // Who is ahead a moment later; a NaN is not hidden.
            Binary::Minimum | Binary::Maximum if a.value == b.value => f64::binary(operation, a.slope, b.slope),
            _ => both.slope,
        };
        Self(Dual { slope, ..both })
    }
}

/// A value and how much a move changes it, each step in a form that does not cancel: no difference of two values that
/// are nearly the same is ever taken, so the change of the whole is as precise as a value is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) value: f64,
    pub(crate) change: f64,
}

impl Number for Change {
    fn constant(value: f64) -> Self {
        Self { value, change: 0.0 }
    }

    fn unary(operation: Unary, a: Self) -> Self {
        let value = f64::unary(operation, a.value);
        let d = a.change;
        let half = || (0.5 * d).sin_cos();
        let change = match operation {
            _ if d == 0.0 => 0.0,
            Unary::Negate => -d,
            // By cases on the signs before and after.
            Unary::Absolute if a.value >= 0.0 => d.max(-2.0 * a.value - d),
            Unary::Absolute => (-d).max(2.0 * a.value + d),
            Unary::SquareRoot => d / ((a.value + d).sqrt() + value),
            Unary::Exponential => value * d.exp_m1(),
            Unary::Logarithm => (d / a.value).ln_1p(),
            // 2 sin(d/2) cos(a + d/2), without rounding a + d/2.
            Unary::Sine => 2.0 * half().0 * (a.value.cos() * half().1 - value * half().0),
            Unary::Cosine => -2.0 * half().0 * (a.value.sin() * half().1 + value * half().0),
            Unary::Tangent => d.sin() * (1.0 + value * value) / (d.cos() - value * d.sin()),
            Unary::HyperbolicTangent => {
                let (u, q) = (d.tanh(), a.value.cosh().powi(-2));
                q * u / (1.0 + value * u)
            }
        };
        Self { value, change }
    }

    fn binary(operation: Binary, a: Self, b: Self) -> Self {
        let value = f64::binary(operation, a.value, b.value);
        let change = match operation {
            Binary::Add => a.change + b.change,
            Binary::Subtract => a.change - b.change,
            Binary::Multiply => a.change * b.value + (a.value + a.change) * b.change,
            Binary::Divide => (a.change - value * b.change) / (b.value + b.change),
            Binary::Power => power_change(a, b, value),
            // The other one overtakes where it has come farther than it was behind.
            Binary::Minimum if value == a.value => f64::binary(operation, a.change, b.value - a.value + b.change),
            Binary::Maximum if value == a.value => f64::binary(operation, a.change, b.value - a.value + b.change),
            Binary::Minimum | Binary::Maximum => f64::binary(operation, a.value - b.value + a.change, b.change),
        };
        Self { value, change }
    }
}

/// `(a + da)^(b + db) - a^b`, with `power` = `a^b`.
fn power_change(a: Change, b: Change, power: f64) -> f64 {
    if a.change == 0.0 && b.change == 0.0 {
        return 0.0;
    }
    if a.value > 0.0 && a.value + a.change > 0.0 {
        let growth = (a.change / a.value).ln_1p();
        let exponent = if b.change == 0.0 { 0.0 } else { b.change * (a.value.ln() + growth) };
        return power * (b.value * growth + exponent).exp_m1();
    }
    // Roots of negative numbers are none, and whole powers of them have no logarithm to go by.
    (a.value + a.change).powf(b.value + b.change) - power
}
