//! Results as people read them.

use super::Document;
use crate::bench::{Ceilings, Comparison, Row};
use crate::report::{duration, pairs, percent, significant, table};

/// Of the columns of [`cells`].
pub(super) const HEADINGS: [&str; 10] =
    ["row", "shape", "median", "fastest", "on the device", "spread", "a second", "GFLOP/s", "GB/s", "of the ceiling"];

/// All columns but that of the device's clock, which many devices do not have.
fn without_clock<T>([row, shape, median, fastest, _, spread, rate, gflops, gbytes, share]: [T; 10]) -> [T; 9] {
    [row, shape, median, fastest, spread, rate, gflops, gbytes, share]
}

/// A time with the unit that suits it, from nanoseconds on.
fn time(seconds: f64) -> String {
    let (factor, unit) = match seconds {
        _ if seconds >= 1.0 => (1.0, "s"),
        _ if seconds >= 1e-3 => (1e3, "ms"),
        _ if seconds >= 1e-6 => (1e6, "us"),
        _ => (1e9, "ns"),
    };
    format!("{} {unit}", significant(seconds * factor))
}

/// One row.
pub(super) fn cells(row: &Row) -> [String; 10] {
    let known = |value: Option<f64>| value.map_or_else(String::new, significant);
    let share = row.share_of_ceiling.zip(row.ceiling);
    [
        format!("{} {}", row.suite, row.name),
        row.shape.clone(),
        time(row.median_seconds),
        time(row.min_seconds),
        row.device_seconds.map_or_else(String::new, time),
        format!("{:.0}%", row.spread * 100.0),
        significant(row.per_second),
        known(row.gflops),
        known(row.gbytes_per_second),
        share.map_or_else(String::new, |(share, ceiling)| format!("{} {ceiling}", percent(share))),
    ]
}

/// What the device can do at most.
pub(super) fn ceilings(ceilings: &Ceilings) -> Vec<(&'static str, String)> {
    let copies = ceilings.copies.iter().map(|copy| {
        let mebibytes = significant(copy.bytes as f64 / f64::from(1 << 20));
        format!("{} GB/s ({mebibytes} MiB)", significant(copy.gbytes_per_second))
    });
    vec![
        ("multiply-adds", format!("{} GFLOP/s", significant(ceilings.multiply_add_gflops))),
        ("copies", copies.collect::<Vec<_>>().join(", ")),
        ("a dispatch", time(ceilings.dispatch_seconds)),
        ("a submission", time(ceilings.submission_seconds)),
        ("a read-back", time(ceilings.read_back_seconds)),
    ]
}

/// Everything.
pub(super) fn results(document: &Document) -> String {
    let rows = document.results.iter().map(cells);
    let rows = if document.results.iter().any(|row| row.device_seconds.is_some()) {
        table(HEADINGS, &rows.collect::<Vec<_>>())
    } else {
        table(without_clock(HEADINGS), &rows.map(without_clock).collect::<Vec<_>>())
    };
    let mut foot = ceilings(&document.ceilings);
    if let Some(bytes) = document.peak_memory_bytes {
        foot.push(("peak memory", format!("{} MiB", significant(bytes as f64 / f64::from(1 << 20)))));
    }
    let stopped = if document.interrupted { ", interrupted" } else { "" };
    foot.push(("took", format!("{}{stopped}", duration(document.seconds))));
    foot.push(("device", document.device.to_string()));
    let mut text = format!("{rows}\n{}", pairs(&foot));
    if let Some(comparison) = &document.comparison {
        text.push('\n');
        text.push_str(&compared(comparison));
    }
    text
}

fn compared(comparison: &Comparison) -> String {
    let rows: Vec<_> = comparison
        .rows
        .iter()
        .map(|row| {
            let verdict = if row.slower { "SLOWER" } else { "" };
            [row.row.clone(), format!("{:.2}", row.ratio), format!("{:.2}", row.ratio_of_fastest), verdict.into()]
        })
        .collect();
    let mut text = table(["against the baseline", "median", "fastest", ""], &rows);
    let of = comparison.rows.len();
    let (slower, most) = (comparison.slower(), comparison.max_slowdown);
    text.push_str(&match slower {
        0 => format!("none of {of} rows takes more than {most} times as long as in {}\n", comparison.baseline),
        _ => format!("{slower} of {of} rows take more than {most} times as long as in {}\n", comparison.baseline),
    });
    for (rows, what) in
        [(&comparison.only_here, "not in the baseline"), (&comparison.only_in_baseline, "in the baseline only")]
    {
        if !rows.is_empty() {
            text.push_str(&format!("{what}: {}\n", rows.join("; ")));
        }
    }
    text
}

/// What makes the figures doubtful, and what to do about it.
pub(super) fn warnings(document: &Document) -> Vec<String> {
    /// Rows with a larger spread are no good for small differences.
    const SPREAD: f64 = 0.2;
    /// One sample in so many may be an outlier: every system interrupts now and then.
    const FEW: usize = 10;
    let rows = &document.results;
    let mut warnings = Vec::new();
    let mut warn = |doubtful: Vec<&Row>, what: &str| {
        if let Some(first) = doubtful.first() {
            warnings.push(format!("{} of {} rows, such as {}, {what}", doubtful.len(), rows.len(), first.label()));
        }
    };
    warn(
        rows.iter().filter(|row| row.outliers * FEW > row.runs).collect(),
        "have many outliers: something else ran at the same time; close other programs and repeat",
    );
    warn(
        rows.iter().filter(|row| row.spread > SPREAD).collect(),
        "spread by more than a fifth: compare them by their fastest times, or repeat without --quick",
    );
    warnings
}
