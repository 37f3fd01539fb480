//! Cases of matrix products and long sums.

use gpu_train::backend::{ColumnSums, Matmul, Mean, MovedAffine};

use crate::suite::Cases;
use crate::support::draw::Draw;

/// `[M, K, N]`, with every size at every place, and sums longer than any driver's loop may be.
const SHAPES: [[usize; 3]; 20] = [
    [1, 1, 1],
    [1, 7, 31],
    [7, 1, 33],
    [31, 33, 1],
    [33, 31, 7],
    [7, 7, 7],
    [101, 257, 10],
    [100, 784, 50],
    [257, 101, 33],
    [128, 64, 96],
    [221, 30, 11],
    [2, 70_001, 3],
    [1, 70_001, 1],
    [70_001, 2, 5],
    // So large that software drivers load by fours, with every remainder of rows and columns.
    [131, 212, 161],
    [190, 148, 155],
    [128, 260, 128],
    // Sums that GPUs cut, with every remainder, and the shortest of them.
    [50, 1_031, 10],
    [127, 128, 129],
    // So many tiles that GPUs take wide ones.
    [515, 21, 1_030],
];

pub(crate) fn add(cases: &mut Cases) {
    for shape @ [m, k, n] in SHAPES {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            for whole in [true, false] {
                let with_bias = !transpose_a;
                let name = format!(
                    "{m}x{k}x{n}{}{}{}{}",
                    if transpose_a { ", A transposed" } else { "" },
                    if transpose_b { ", B transposed" } else { "" },
                    if with_bias { ", bias" } else { "" },
                    if whole { ", whole numbers" } else { "" }
                );
                cases.add("matmul", name, move |memory| product(memory, shape, [transpose_a, transpose_b], whole));
            }
        }
    }
    cases.add("matmul", "factors of 0", |memory| {
        Ok(Matmul {
            a: memory.tensor(&[0.0; 33 * 31], 33, 31)?,
            transpose_a: false,
            b: memory.tensor(&[0.0; 31 * 7], 31, 7)?,
            transpose_b: false,
            bias: Some(memory.tensor(&[0.5; 7], 1, 7)?),
            out: memory.result(33, 7)?,
        }
        .into())
    });
    for (samples, inputs, units, sets) in
        [(1, 1, 1, 1), (3, 7, 5, 4), (5, 31, 10, 6), (2, 257, 33, 7), (1, 70_001, 2, 3)]
    {
        for own in [false, true] {
            let name =
                format!("{sets} sets of {inputs} to {units}, {samples} samples{}", if own { " each" } else { "" });
            cases.add("moved_affine", name, move |memory| moved(memory, [samples, inputs, units, sets], own));
        }
    }
    for (rows, steps, cursor) in [(1, 1, 0), (7, 3, 2), (33, 5, 0), (100, 500, 499), (257, 2, 1), (70_001, 2, 0)] {
        for whole in [true, false] {
            let kind = if whole { "whole numbers" } else { "fractions" };
            cases.add("mean", format!("{rows} {kind} as result {cursor}"), move |memory| {
                let mut draw = Draw::new(21);
                let mut x = if whole { draw.integers(rows, 100) } else { draw.reals(rows, 3.0) };
                x[0] = 97.0;
                let out = draw.integers(steps, 9);
                Ok(Mean {
                    x: memory.tensor(&x, rows, 1)?,
                    out: memory.tensor(&out, steps, 1)?,
                    cursor: memory.words(&[cursor])?,
                }
                .into())
            });
        }
    }
    for (rows, columns) in [(1, 1), (7, 31), (33, 257), (101, 10), (257, 1), (70_001, 3)] {
        for whole in [true, false] {
            let kind = if whole { ", whole numbers" } else { "" };
            cases.add("column_sums", format!("[{rows}, {columns}]{kind}"), move |memory| {
                let mut draw = Draw::new(22);
                let mut x = if whole { draw.integers(rows * columns, 5) } else { draw.reals(rows * columns, 2.0) };
                x[0] = 4.0;
                Ok(ColumnSums { x: memory.tensor(&x, rows, columns)?, out: memory.result(1, columns)? }.into())
            });
        }
    }
}

/// Sets in which a weight, a bias, or nothing is moved.
fn moved(
    memory: &mut crate::support::memory::Memory,
    [samples, inputs, units, sets]: [usize; 4],
    own: bool,
) -> gpu_train::Result<gpu_train::backend::Op> {
    let mut draw = Draw::new(23);
    let rows = if own { samples * sets } else { samples };
    let mut x = draw.reals(rows * inputs, 1.5);
    x[0] = 1.25;
    let places = |set: usize| match set % 3 {
        0 => draw.below((inputs * units) as u32),
        1 => (inputs * units) as u32 + draw.below(units as u32),
        _ => u32::MAX,
    };
    let places: Vec<u32> = (0..sets).map(places).collect();
    Ok(MovedAffine {
        inputs: memory.tensor(&x, rows, inputs)?,
        weight: memory.tensor(&draw.reals(inputs * units, 1.5), inputs, units)?,
        bias: memory.tensor(&draw.reals(units, 1.5), 1, units)?,
        places: memory.words(&places)?,
        values: memory.tensor(&draw.reals(sets, 40.0), 1, sets)?,
        out: memory.result(samples * sets, units)?,
    }
    .into())
}

fn product(
    memory: &mut crate::support::memory::Memory,
    [m, k, n]: [usize; 3],
    [transpose_a, transpose_b]: [bool; 2],
    whole: bool,
) -> gpu_train::Result<gpu_train::backend::Op> {
    let mut draw = Draw::new(20);
    let mut values = |count| if whole { draw.integers(count, 3) } else { draw.reals(count, 1.5) };
    let (mut a, mut b, bias) = (values(m * k), values(k * n), values(n));
    // A sum of one term is not to be 0 by chance.
    (a[0], b[0]) = (3.0, -2.0);
    let (a_rows, a_columns) = if transpose_a { (k, m) } else { (m, k) };
    let (b_rows, b_columns) = if transpose_b { (n, k) } else { (k, n) };
    Ok(Matmul {
        a: memory.tensor(&a, a_rows, a_columns)?,
        transpose_a,
        b: memory.tensor(&b, b_rows, b_columns)?,
        transpose_b,
        bias: if transpose_a { None } else { Some(memory.tensor(&bias, 1, n)?) },
        out: memory.result(m, n)?,
    }
    .into())
}
