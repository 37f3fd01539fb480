//! Values on the command line: how they are read, and what they may be.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

/// The sizes of the hidden layers: `50`, `512,256`, or `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HiddenSizes(pub(super) Vec<usize>);

impl FromStr for HiddenSizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let size = |part: &str| match part.trim().parse::<usize>() {
            Ok(0) => Err("a hidden layer of 0 units; --hidden none leaves it out".into()),
            Ok(size) => Ok(size),
            Err(_) => Err(format!("{part:?} is not a number of units; expected a list such as 512,256 or none")),
        };
        text.split(',').map(size).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for HiddenSizes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("none");
        }
        let sizes: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&sizes.join(","))
    }
}

/// The `h` of a difference quotient: a positive number, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum StepSize {
    /// Where truncation and rounding are in balance.
    Auto,
    /// This one.
    Fixed(f32),
}

impl StepSize {
    /// Where nothing is chosen yet.
    const DEFAULT: f32 = 1e-4;

    /// The number, or the default where one is still to be chosen.
    pub(super) fn fixed(self) -> f32 {
        match self {
            Self::Auto => Self::DEFAULT,
            Self::Fixed(step_size) => step_size,
        }
    }
}

impl FromStr for StepSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            positive(text).map(Self::Fixed).map_err(|e| format!("{e}, or auto"))
        }
    }
}

/// Which samples of a split: `0..100` (the last one not among them) or `0,5,9`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Indices(pub(super) Vec<usize>);

impl FromStr for Indices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// More samples than any data set here has.
        const MOST: usize = 1 << 24;
        let number = |part: &str| {
            part.trim().parse::<usize>().map_err(|_| format!("{part:?} is no index; expected such as 0..100 or 0,5,9"))
        };
        let indices: Vec<usize> = match text.split_once("..") {
            Some((first, end)) => {
                let (first, end) = (number(first)?, number(end)?);
                if end > MOST {
                    return Err(format!("there are no {end} samples"));
                }
                (first..end).collect()
            }
            None => text.split(',').map(number).collect::<Result<_, _>>()?,
        };
        if indices.is_empty() { Err(format!("{text} holds no index")) } else { Ok(Self(indices)) }
    }
}

/// A number of bytes: `256MiB`, `1.5GB`, `1048576`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not an amount of memory; expected such as 256MiB, 2GB or 1048576");
    let unit_at = text.find(|symbol: char| symbol.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * factor as f64;
    // Beyond 2^53 bytes, 8 PiB, float64 is no longer exact; and no memory is as large.
    if (1.0..=9_007_199_254_740_992.0).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

/// A positive number.
pub(super) fn positive(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        Ok(_) => Err("it must be positive, and finite in float32".into()),
        Err(_) => Err("expected a number".into()),
    }
}

/// A number of 0 or more.
pub(super) fn not_negative(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(_) => Err("it must be 0 or positive, and finite in float32".into()),
        Err(_) => Err("expected a number".into()),
    }
}

/// The name of one of several values, as it is typed.
pub(super) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::Probes;

    #[test]
    fn hidden_sizes_are_lists() {
        assert_eq!("50".parse(), Ok(HiddenSizes(vec![50])));
        assert_eq!("512, 256".parse(), Ok(HiddenSizes(vec![512, 256])));
        assert_eq!("none".parse(), Ok(HiddenSizes(vec![])));
        for text in ["", "0", "50,", "50,0", "-1", "1e3", "none,50", "99999999999999999999"] {
            assert!(text.parse::<HiddenSizes>().is_err(), "{text}");
        }
        for text in ["none", "512,256"] {
            assert_eq!(text.parse::<HiddenSizes>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn steps_are_numbers_or_auto() {
        assert_eq!("auto".parse(), Ok(StepSize::Auto));
        assert_eq!("0.5".parse(), Ok(StepSize::Fixed(0.5)));
        for text in ["0", "-1", "Auto", ""] {
            assert!(text.parse::<StepSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn indices_are_ranges_or_lists() {
        assert_eq!("2..5".parse(), Ok(Indices(vec![2, 3, 4])));
        assert_eq!("7, 0,7".parse(), Ok(Indices(vec![7, 0, 7])));
        for text in ["", "5..5", "5..2", "..3", "1..", "-1..3", "1,,2", "0..99999999999"] {
            assert!(text.parse::<Indices>().is_err(), "{text}");
        }
    }

    #[test]
    fn memory_has_units() {
        let read = ["1", "256MiB", "1.5 kB", "2g", "1TB"].map(|text| bytes(text).unwrap());
        assert_eq!(read, [1, 256 << 20, 1_500, 2 << 30, 1_000_000_000_000]);
        for text in ["", "0", "MiB", "-1MiB", "0.5", "1PiB", "nan", "inf", "1e400", "9999999TiB", "12 34"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(positive("1e-4"), Ok(1e-4));
        assert_eq!(not_negative("0"), Ok(0.0));
        for text in ["0", "-1", "nan", "inf", "1e-50", "1e50", "x", ""] {
            assert!(positive(text).is_err(), "{text}");
        }
        for text in ["-1", "nan", "inf", "x"] {
            assert!(not_negative(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_what_is_typed() {
        assert_eq!(name(Probes::Each), "each");
    }
}
