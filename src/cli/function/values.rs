//! Numbers on the command line, which may be formulas themselves, and as they are shown.

use std::str::FromStr;

use crate::formula::Formula;

/// A point: `3,4` or `pi/2`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point(pub(super) Vec<f64>);

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(number).collect::<Result<_, _>>().map(Self)
    }
}

/// The ends of each variable: `-2:2` for all, or `-2:2,-1:3`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranges(Vec<(f64, f64)>);

impl Ranges {
    /// The ends for so many variables.
    pub(super) fn of(&self, variables: usize) -> Option<Vec<(f64, f64)>> {
        match self.0.as_slice() {
            [all] => Some(vec![*all; variables]),
            each if each.len() == variables => Some(each.to_vec()),
            _ => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Ranges {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (from, to) = part.split_once(':').ok_or(format!("{part:?} is no range; expected such as -2:2"))?;
            let (from, to) = (number(from)?, number(to)?);
            // Also where the difference overflows.
            if from < to && (to - from).is_finite() { Ok((from, to)) } else { Err(format!("{part} is no range")) }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

/// Learning rates: `0.1` or `0.1,0.9`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rates(pub(super) Vec<f64>);

impl FromStr for Rates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(positive).collect::<Result<_, _>>().map(Self)
    }
}

/// A finite number, or a formula without variables that is one.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().or_else(|| {
        let formula = Formula::parse(text).ok()?;
        formula.variables().is_empty().then(|| formula.value(&[]))
    });
    match value {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) => Err(format!("{text} is {value}; it must be finite")),
        None => Err(format!("{text:?} is no number")),
    }
}

/// A positive number.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value.is_normal() && value > 0.0 { Ok(value) } else { Err("it must be positive".into()) }
}

/// From 0 to less than 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if (0.0..1.0).contains(&value) { Ok(value) } else { Err("it must be at least 0 and less than 1".into()) }
}

/// Up to ten significant digits, and no more than there are.
pub(super) fn shown(value: f64) -> String {
    let rounded = format!("{value:.9e}").parse::<f64>().unwrap_or(value);
    let size = rounded.abs();
    if rounded == 0.0 {
        "0".into()
    } else if (1e-4..1e10).contains(&size) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// An error: its size, with two digits.
pub(super) fn size(error: f64) -> String {
    if error == 0.0 { "0".into() } else { format!("{error:.1e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_ranges_and_rates() {
        assert_eq!("-3, 4".parse(), Ok(Point(vec![-3.0, 4.0])));
        assert_eq!("pi/2".parse(), Ok(Point(vec![std::f64::consts::FRAC_PI_2])));
        for text in ["", "3,", "x", "nan", "inf", "1e999", "3;4", "1/0"] {
            assert!(text.parse::<Point>().is_err(), "{text}");
        }
        let ranges: Ranges = "-2:2".parse().unwrap();
        assert_eq!((ranges.of(2), ranges.count()), (Some(vec![(-2.0, 2.0); 2]), 1));
        let ranges: Ranges = "-2:2,0:1".parse().unwrap();
        assert_eq!((ranges.of(2), ranges.of(3)), (Some(vec![(-2.0, 2.0), (0.0, 1.0)]), None));
        for text in ["", "1", "2:1", "1:1", "1:2:3", "-1e308:1e308"] {
            assert!(text.parse::<Ranges>().is_err(), "{text}");
        }
        assert_eq!("0.1,0.9".parse(), Ok(Rates(vec![0.1, 0.9])));
        assert!("0".parse::<Rates>().is_err() && "-1".parse::<Rates>().is_err());
        assert!(share("1").is_err() && share("-0.1").is_err() && share("0.9") == Ok(0.9));
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let shown = [0.2, 0.1 + 0.2, 25.0, 6.000_000_000_000_01, -6.1e-10, 1e-4, 1e12, 1.0 / 3.0, 0.0].map(shown);
        assert_eq!(shown, ["0.2", "0.3", "25", "6", "-6.1e-10", "0.0001", "1e12", "0.3333333333", "0"]);
    }
}
