//! What a device can do at most, and what was reached, over the multiply-adds that each byte takes part in
//! (Williams, Waterman and Patterson, 2009).

use super::plot::{Axis, Figure, Lines, Panel, Series, Stroke};
use crate::bench::{Ceilings, Row};

/// The picture of rows that have both floats and bytes to their name.
#[must_use]
pub fn roofline_figure(device: &str, ceilings: &Ceilings, rows: &[Row]) -> Figure {
    let placed: Vec<_> = rows.iter().filter_map(|row| Some((row, row.flops_per_byte?, row.gflops?))).collect();
    let intensities = || placed.iter().map(|&(_, intensity, _)| intensity);
    // From the leftmost point to the rightmost, and to both sides of where the roofs meet.
    let ridge = |gbytes: f64| ceilings.multiply_add_gflops / gbytes;
    let fastest = ceilings.copies.iter().map(|copy| copy.gbytes_per_second).fold(0.0, f64::max);
    let first = intensities().fold(ridge(fastest) / 4.0, f64::min) / 1.5;
    let last = intensities().fold(ridge(ceilings.copy_gbytes_per_second) * 4.0, f64::max) * 1.5;
    let slope = |gbytes: f64| vec![(first, first * gbytes), (ridge(gbytes), ceilings.multiply_add_gflops)];
    let series = |name: &str, points: Vec<(f64, f64)>, stroke: Stroke| Series { name: name.into(), points, stroke };
    let mut all = vec![
        series(
            "multiply-adds",
            vec![(ridge(fastest), ceilings.multiply_add_gflops), (last, ceilings.multiply_add_gflops)],
            Stroke::Solid,
        ),
        series("copies, memory", slope(ceilings.copy_gbytes_per_second), Stroke::Solid),
        series("copies, cache", slope(fastest), Stroke::Dashed),
    ];
    // Products that a network is made of, other products, and whatever else.
    let group = |row: &Row| match (row.suite, row.name) {
        ("kernels", "matmul square" | "matmul odd") => "squares and odd shapes",
        ("kernels", name) if name.starts_with("matmul") => "networks' products",
        ("kernels", _) => "other kernels",
        _ => "gradients and steps",
    };
    for name in ["networks' products", "squares and odd shapes", "other kernels", "gradients and steps"] {
        let members = placed.iter().filter(|(row, ..)| group(row) == name);
        let points: Vec<_> = members.map(|&(_, intensity, gflops)| (intensity, gflops)).collect();
        if !points.is_empty() {
            all.push(series(name, points, Stroke::Points));
        }
    }
    let axis = |label: &str| Axis { label: label.into(), logarithmic: true, range: None };
    Figure {
        title: format!("Roofline of {device}"),
        panels: vec![Panel::Lines(Lines {
            x: axis("floating-point operations a byte"),
            y: axis("GFLOP/s"),
            series: all,
        })],
    }
}
