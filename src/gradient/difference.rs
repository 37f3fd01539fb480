//! Difference quotients: which points around `x` stand for the derivative there.

/// A difference quotient of step size `h`. `D(h)` is the central one, `(f(x + h) - f(x - h)) / 2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum Difference {
    /// `D(h)`; its error grows as h^2
    #[default]
    Central,
    /// `(f(x + h) - f(x)) / h`; its error grows as h
    Forward,
    /// `(4 D(h) - D(2h)) / 3`, which is `(f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12h`; its error grows as
    /// h^4
    FivePoint,
    /// `(4 D(h/2) - D(h)) / 3`; its error grows as h^4 and is a sixteenth of the five points'
    Richardson,
}

impl Difference {
    /// The name in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Central => "central",
            Self::Forward => "forward",
            Self::FivePoint => "five-point",
            Self::Richardson => "richardson",
        }
    }

    /// The power of `h` with which the truncation error shrinks.
    #[must_use]
    pub fn order(self) -> i32 {
        match self {
            Self::Forward => 1,
            Self::Central => 2,
            Self::FivePoint | Self::Richardson => 4,
        }
    }
}
