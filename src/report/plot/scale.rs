//! Axes' scales: from values to pixels, and where the ticks are and what they say.

use super::figure::Axis;
use crate::report::count;

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    /// Empty for a mark between labelled ones.
    pub(super) label: String,
}

/// From values to places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Ends of the values; of their logarithms to base 10 where it is logarithmic.
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Where the ends are, in pixels.
    from: f64,
    to: f64,
}

/// No picture tells larger values apart, and differences of these are still finite.
const LARGEST: f64 = 1e300;

impl Scale {
    /// A scale for `axis` that shows its range, or all of the values that can be shown with `padding` (a share of their
    /// range) on either side.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, padding: f64) -> Self {
        let logarithmic = axis.logarithmic;
        let shown = |value: f64| value.is_finite() && (!logarithmic || value > 0.0);
        let coordinate = |value: f64| if logarithmic { value.log10() } else { value.clamp(-LARGEST, LARGEST) };
        let given = axis.range.filter(|&(low, high)| low < high && shown(low) && shown(high));
        let (low, high) = match given {
            Some((low, high)) => (coordinate(low), coordinate(high)),
            None => {
                let ends = values.filter(|&value| shown(value)).map(coordinate);
                let ends = ends.fold(None, |ends: Option<(f64, f64)>, value| {
                    Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
                });
                let default = if logarithmic { (-1.0, 0.0) } else { (0.0, 1.0) };
                ends.map_or(default, |(low, high)| widened(low, high, logarithmic, padding))
            }
        };
        Self { low, high, logarithmic, from: 0.0, to: 1.0 }
    }

    /// The same with its ends at these places.
    pub(super) fn between(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// Where a value is, be it inside or outside of the ends; `None` for one that has no place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let coordinate = if self.logarithmic { value.log10() } else { value };
        let share = (coordinate - self.low) / (self.high - self.low);
        // A place far outside stays far outside, and can be calculated with.
        share.is_finite().then(|| self.from + share.clamp(-1e4, 1e4) * (self.to - self.from))
    }

    /// The ends of the values.
    pub(super) fn ends(&self) -> (f64, f64) {
        if self.logarithmic { (10_f64.powf(self.low), 10_f64.powf(self.high)) } else { (self.low, self.high) }
    }

    /// Marks: about `wanted` labelled ones, at most.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(1);
        if self.logarithmic { self.factors(wanted) } else { steps(self.low, self.high, wanted) }
    }

    fn factors(&self, wanted: usize) -> Vec<Tick> {
        let inside = |value: f64| (self.low - 1e-9..=self.high + 1e-9).contains(&value.log10());
        let (first, last) = ((self.low - 1e-9).ceil() as i32, (self.high + 1e-9).floor() as i32);
        let decades = (last - first + 1).max(0) as usize;
        if decades >= 3 || (decades == 2 && wanted < 4) {
            let every = decades.div_ceil(wanted) as i32;
            let labelled = (first..=last).filter(|power| power.rem_euclid(every) == 0);
            let mut ticks: Vec<_> =
                labelled.map(|power| Tick { value: 10_f64.powi(power), label: decade(power) }).collect();
            if every == 1 && decades <= 6 {
                let between =
                    (first - 1..=last).flat_map(|power| (2..10).map(move |n| f64::from(n) * 10_f64.powi(power)));
                ticks.extend(between.filter(|&value| inside(value)).map(|value| Tick { value, label: String::new() }));
            }
            return ticks;
        }
        for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0]] {
            let values =
                (first - 1..=last).flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
            let values: Vec<_> = values.filter(|&value| inside(value)).collect();
            if (2..=wanted.max(2)).contains(&values.len()) {
                return values.into_iter().map(|value| Tick { value, label: short(value) }).collect();
            }
        }
        let (low, high) = self.ends();
        steps(low, high, wanted)
    }
}

/// The range with room at its ends, where it has none of its own.
fn widened(low: f64, high: f64, logarithmic: bool, padding: f64) -> (f64, f64) {
    // What rounding alone may have parted is one value.
    if high - low > 1e-12 * low.abs().max(high.abs()) {
        let room = (high - low) * padding;
        (low - room, high + room)
    } else if logarithmic {
        (low - 0.5, high + 0.5)
    } else if low == 0.0 {
        (-1.0, 1.0)
    } else {
        (low - 0.1 * low.abs(), high + 0.1 * high.abs())
    }
}

/// 1, 2 or 5 times a power of ten that parts `range` into at most `wanted` steps.
pub(super) fn step(range: f64, wanted: usize) -> f64 {
    let least = range / wanted.max(1) as f64;
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= least * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// Equal steps between two values.
fn steps(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let step = step(high - low, wanted);
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let values = (first..=last).map(|index| index as f64 * step);
    let largest = low.abs().max(high.abs());
    values.map(|value| Tick { value, label: label(value, step, largest) }).collect()
}

/// A multiple of `step` as people write it, beside others up to `largest`.
pub(super) fn label(value: f64, step: f64, largest: f64) -> String {
    let step_power = (step.log10() + 1e-9).floor() as i32;
    if value.abs() < step / 2.0 {
        return "0".into();
    }
    if !(1e-3..1e7).contains(&largest) {
        let power = (value.abs().log10() + 1e-9).floor() as i32;
        let digits = (power - step_power).clamp(0, 15) as usize;
        let mantissa = format!("{:.*}", digits, value / 10_f64.powi(power));
        return format!("{}e{power}", trimmed(&mantissa));
    }
    let digits = (-step_power).clamp(0, 15) as usize;
    if digits == 0 && largest >= 9_999.5 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(value.abs().round() as u64));
    }
    format!("{value:.digits$}")
}

/// A number of at most three digits as people write it.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let power = (value.abs().log10() + 1e-9).floor() as i32;
    if (-3..6).contains(&power) {
        let digits = (2 - power).max(0) as usize;
        let rounded = if power > 2 { (value / 10_f64.powi(power - 2)).round() * 10_f64.powi(power - 2) } else { value };
        let text = trimmed(&format!("{rounded:.digits$}")).to_string();
        if power >= 4 { label(rounded, 1.0, rounded.abs()) } else { text }
    } else {
        format!("{}e{power}", trimmed(&format!("{:.2}", value / 10_f64.powi(power))))
    }
}

/// A number with what digits a reader may want of it: five, and all of a whole number.
pub(in crate::report) fn exact(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e6 {
        return format!("{value}");
    }
    let power = (value.abs().log10() + 1e-9).floor() as i32;
    if (-3..6).contains(&power) {
        trimmed(&format!("{value:.*}", (4 - power).max(0) as usize)).to_string()
    } else {
        let text = format!("{value:.4e}");
        text.split_once('e').map_or(text.clone(), |(digits, power)| format!("{}e{power}", trimmed(digits)))
    }
}

/// Without zeros behind the point that say nothing.
fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A power of ten.
fn decade(power: i32) -> String {
    match power {
        0..=3 => 10_u64.pow(power as u32).to_string(),
        4..=5 => count(10_u64.pow(power as u32)),
        -3..0 => format!("{:.*}", -power as usize, 10_f64.powi(power)),
        _ => format!("1e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, logarithmic: bool, wanted: usize) -> Vec<String> {
        let axis = Axis { label: String::new(), logarithmic, range: Some((low, high)) };
        let ticks = Scale::new(&axis, std::iter::empty(), 0.0).ticks(wanted);
        ticks.into_iter().map(|tick| tick.label).filter(|label| !label.is_empty()).collect()
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(labels(0.0, 1.0, false, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 10_000.0, false, 5), ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]);
        assert_eq!(labels(0.0, 4_000.0, false, 5), ["0", "1000", "2000", "3000", "4000"]);
        assert_eq!(labels(-0.002, 0.002, false, 4), ["-0.002", "-0.001", "0", "0.001", "0.002"]);
        assert_eq!(labels(0.0, 2e-6, false, 4), ["0", "5e-7", "1e-6", "1.5e-6", "2e-6"]);
        assert_eq!(labels(0.0, 1.2e6, false, 3), ["0", "500,000", "1,000,000"]);
        assert_eq!(labels(0.0, 4e7, false, 4), ["0", "1e7", "2e7", "3e7", "4e7"]);
        assert_eq!(labels(1e-3, 1e3, true, 9), ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!(
            labels(1e-16, 1.0, true, 9),
            ["1e-16", "1e-14", "1e-12", "1e-10", "1e-8", "1e-6", "1e-4", "0.01", "1"]
        );
        assert_eq!(labels(0.5, 3.0, true, 6), ["0.5", "1", "2"]);
        let shown = [0.0, 0.001_234, 123.456, 1234.0, 12_345.0, 1.5e-7, 2e9, -0.25].map(short);
        assert_eq!(shown, ["0", "0.00123", "123", "1230", "12,300", "1.5e-7", "2e9", "-0.25"]);
    }

    #[test]
    fn every_range_has_a_scale() {
        let axis = |logarithmic| Axis { label: String::new(), logarithmic, range: None };
        let odd = [
            vec![],
            vec![f64::NAN],
            vec![0.0],
            vec![-3.0, -3.0],
            vec![-1e308, 1e308],
            vec![1e-320, 1e-310],
            vec![1.0, 1.0 + 1e-15],
            vec![f64::INFINITY, 2.0],
            vec![1e15, 1e15 + 1.0],
        ];
        for values in odd {
            for logarithmic in [false, true] {
                let scale = Scale::new(&axis(logarithmic), values.iter().copied(), 0.05).between(0.0, 500.0);
                let (low, high) = scale.ends();
                assert!(low < high || high < 1e-300, "{values:?}: {low} to {high}");
                let ticks = scale.ticks(6);
                assert!(ticks.len() <= 60, "{values:?}: {} ticks", ticks.len());
                for value in values.iter().chain(ticks.iter().map(|tick| &tick.value)) {
                    if let Some(place) = scale.place(*value).filter(|_| value.abs() < 1e300) {
                        assert!((-1.0..=501.0).contains(&place), "{values:?}: {value} at {place}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_place_has_none() {
        let axis = Axis { label: String::new(), logarithmic: true, range: Some((1.0, 100.0)) };
        let scale = Scale::new(&axis, std::iter::empty(), 0.0).between(0.0, 10.0);
        assert_eq!([-1.0, 0.0, f64::NAN, f64::INFINITY].map(|value| scale.place(value)), [None; 4]);
        assert!((scale.place(10.0).unwrap() - 5.0).abs() < 1e-9);
    }
}
