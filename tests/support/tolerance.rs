//! How far a device may be from the reference, and why; and what is said when it is farther.

use std::fmt;

/// The distance from 1 to the next float32.
pub(crate) const ULP: f64 = f32::EPSILON as f64;

/// Results may differ by this much whatever they are: what lies below float32's normal numbers may be flushed to 0,
/// and so may intermediate results of about that size.
const SMALLEST: f64 = 2.0 * f32::MIN_POSITIVE as f64;

/// How far each element may be from its expected value.
#[derive(Debug, Clone)]
pub(crate) enum Tolerance {
    /// Copied, compared or counted: nothing is rounded.
    Exact,
    /// One or two operations on exact operands, each rounded correctly or nearly so.
    Rounded,
    /// An exponential, a logarithm or a hyperbolic tangent of our own in float32, and a few operations around it.
    Function,
    /// A sum whose terms may cancel. Rounding errors of `K` additions grow like a random walk, as the root of `K`,
    /// in proportion to the sum of the terms' magnitudes, which stands here for each element.
    Sum {
        /// `K`
        terms: usize,
        /// `sum |term|`
        magnitudes: Vec<f64>,
    },
    /// A chain of operations that cancel in places: so many units in the last place of each of these magnitudes.
    Scaled {
        /// How many.
        ulps: f64,
        /// Of what.
        magnitudes: Vec<f64>,
        /// Why.
        reason: &'static str,
    },
}

impl Tolerance {
    /// The largest difference that is accepted.
    pub(crate) fn allowed(&self, index: usize, expected: f64) -> f64 {
        match self {
            Self::Exact => 0.0,
            Self::Rounded => 2.0 * ULP * expected.abs() + SMALLEST,
            Self::Function => 8.0 * ULP * expected.abs() + SMALLEST,
            Self::Sum { terms, magnitudes } => (2.0 + (*terms as f64).sqrt()) * ULP * magnitudes[index] + SMALLEST,
            Self::Scaled { ulps, magnitudes, .. } => ulps * ULP * magnitudes[index] + SMALLEST,
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => formatter.write_str("exact"),
            Self::Rounded => formatter.write_str("2 ulp"),
            Self::Function => formatter.write_str("8 ulp"),
            Self::Sum { terms, .. } => write!(formatter, "a sum of {terms} terms"),
            Self::Scaled { ulps, reason, .. } => write!(formatter, "{ulps} ulp, {reason}"),
        }
    }
}

/// The worst element of a result that is not what was expected.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    pub(crate) index: usize,
    pub(crate) expected: f64,
    pub(crate) got: f64,
    pub(crate) allowed: f64,
    pub(crate) tolerance: String,
    /// How many elements are wrong, of how many.
    pub(crate) wrong: usize,
    pub(crate) of: usize,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, expected, got, allowed, tolerance, wrong, of } = self;
        write!(
            formatter,
            "worst at {index}: expected {expected:e}, got {got:e}, off by {:e}, allowed {allowed:e} ({tolerance}); \
             {wrong} of {of} wrong",
            (got - expected).abs()
        )
    }
}

/// Compares element by element.
///
/// A NaN is expected as a NaN and an infinity as the same infinity.
pub(crate) fn compare(got: &[f64], expected: &[f64], tolerance: &Tolerance) -> Result<(), Mismatch> {
    assert_eq!(got.len(), expected.len(), "results and expectations are of the same number");
    let mut wrong = 0;
    let mut worst: Option<(f64, usize)> = None;
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let excess = if got.to_bits() == expected.to_bits() || got == expected || (got.is_nan() && expected.is_nan()) {
            continue;
        } else if got.is_finite() && expected.is_finite() {
            let allowed = tolerance.allowed(index, expected);
            let off = (got - expected).abs();
            if off <= allowed {
                continue;
            }
            off / allowed.max(f64::MIN_POSITIVE)
        } else {
            f64::INFINITY
        };
        wrong += 1;
        if worst.is_none_or(|(most, _)| excess > most) {
            worst = Some((excess, index));
        }
    }
    match worst {
        None => Ok(()),
        Some((_, index)) => Err(Mismatch {
            index,
            expected: expected[index],
            got: got[index],
            allowed: tolerance.allowed(index, expected[index]),
            tolerance: tolerance.to_string(),
            wrong,
            of: got.len(),
        }),
    }
}
