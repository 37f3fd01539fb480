//! Numbers as people read them.

/// `79520` as `79,520`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage: `0.9437` as `94.37%`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// Four significant digits, without an exponent where that stays short, in groups of three from 1,000 on.
#[must_use]
pub fn significant(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || !value.is_finite() {
        format!("{value:.3e}")
    } else if size >= 999.95 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(size.round() as u64))
    } else if size >= 1e-3 {
        let digits_before = size.log10().floor() as i32 + 1;
        format!("{value:.*}", (4 - digits_before).clamp(0, 6) as usize)
    } else if value == 0.0 {
        "0".into()
    } else {
        format!("{value:.3e}")
    }
}

/// A time in seconds, with the unit that suits it.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds >= 3600.0 {
        format!("{:.0} h {:02.0} min", (seconds / 3600.0).floor(), (seconds % 3600.0 / 60.0).floor())
    } else if seconds >= 60.0 {
        format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), (seconds % 60.0).floor())
    } else if seconds >= 1.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} ms", seconds * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        let shown = [0, 999, 1_000, 79_520, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "79,520", "1,234,567"]);
    }

    #[test]
    fn numbers_keep_four_digits() {
        let shown = [0.0, 2.345_678, 0.012_345, 312.46, 7_123.4, 1.2e-7, 999.99, -5_000.0].map(significant);
        assert_eq!(shown, ["0", "2.346", "0.01235", "312.5", "7,123", "1.200e-7", "1,000", "-5,000"]);
        assert_eq!(significant(f64::INFINITY), "inf");
    }

    #[test]
    fn times_have_units() {
        let shown = [0.0123, 1.25, 61.0, 3_725.0].map(duration);
        assert_eq!(shown, ["12 ms", "1.2 s", "1 min 01 s", "1 h 02 min"]);
    }
}
