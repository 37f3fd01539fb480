//! The two types of numbers that a function may be of.

/// `f32` or `f64`; no other type can be one.
pub trait Real: sealed::Sealed + Copy + Send + Sync + std::fmt::Debug + std::fmt::Display + 'static {
    /// The distance from 1 to the next larger number.
    const EPSILON: f64;

    /// The same number, exactly.
    fn to_f64(self) -> f64;

    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Real for f32 {
    const EPSILON: f64 = Self::EPSILON as f64;

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    const EPSILON: f64 = Self::EPSILON;

    fn to_f64(self) -> f64 {
        self
    }

    fn from_f64(value: f64) -> Self {
        value
    }
}
