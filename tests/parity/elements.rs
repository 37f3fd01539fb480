//! Cases of kernels that work element by element or row by row.

use gpu_train::backend::{
    Activate, ActivationGradient, Argmax, CountCorrect, Fill, Gather, MultiplyAdd, OneHot, RowRange, Softmax,
};
use gpu_train::network::Activation;

use crate::suite::Cases;
use crate::support::draw::Draw;

/// Lengths around the sizes of vectors and workgroups.
const SIZES: [usize; 6] = [1, 7, 31, 33, 101, 257];

/// Pre-activations where functions are linear, curved and saturated.
fn pre_activations(draw: &mut Draw, count: usize) -> Vec<f32> {
    const SPECIAL: [f32; 16] =
        [0.0, -0.0, 1e-7, -1e-7, 1e-30, 0.5, -0.5, 1.0, 5.0, -10.0, 20.0, -20.0, 80.0, -80.0, 1000.0, -1000.0];
    (0..count).map(|index| if index % 3 == 0 { SPECIAL[index / 3 % 16] } else { draw.real(9.0) }).collect()
}

pub(crate) fn add(cases: &mut Cases) {
    gather(cases);
    activations(cases);
    softmax(cases);
    rows(cases);
    for (rows, columns) in [(1, 1), (7, 31), (257, 257)] {
        for value in [0.0, -2.5e-3] {
            cases.add("fill", format!("[{rows}, {columns}] with {value}"), move |memory| {
                Ok(Fill { value, out: memory.result(rows, columns)? }.into())
            });
        }
    }
    for (rows, columns) in [(1, 4), (7, 4), (31, 36), (101, 100), (257, 260)] {
        for rounds in [0, 8, 72, 1 << 16] {
            if rows > 31 && rounds > 72 {
                continue;
            }
            cases.add("multiply_add", format!("{rounds} rounds of [{rows}, {columns}]"), move |memory| {
                let x = Draw::new(12).reals(rows * columns, 3.0);
                let (x, out) = (memory.tensor(&x, rows, columns)?, memory.result(rows, columns)?);
                Ok(MultiplyAdd { x, factor: -0.75, addend: 0.625, rounds, out }.into())
            });
        }
    }
    for (count, classes) in [(1, 1), (33, 10), (257, 7), (70_001, 3)] {
        cases.add("count_correct", format!("{count} of {classes} classes"), move |memory| {
            let mut draw = Draw::new(11);
            let predictions = draw.words(count, classes);
            let targets = if count == 1 { predictions.clone() } else { draw.words(count, classes) };
            Ok(CountCorrect {
                predictions: memory.words(&predictions)?,
                targets: memory.words(&targets)?,
                out: memory.words(&[1_000_003])?,
            }
            .into())
        });
    }
}

fn gather(cases: &mut Cases) {
    // Images of a size that is no multiple of four begin inside a word.
    for (samples, columns, batch, cursor) in
        [(1, 1, 1, 0), (5, 7, 3, 2), (40, 221, 33, 0), (40, 221, 33, 1), (300, 784, 101, 3), (9, 64, 257, 1)]
    {
        let name = format!("batch {cursor} of {batch} out of {samples} images of {columns} bytes");
        cases.add("gather", name, move |memory| {
            let mut draw = Draw::new(1);
            let mut images = draw.bytes(samples * columns);
            images[0] = 255;
            let labels = draw.bytes(samples);
            let indices = draw.words(batch * 4, samples as u32);
            Ok(Gather {
                images: memory.bytes(&images, columns)?,
                labels: memory.bytes(&labels, 1)?,
                indices: memory.words(&indices)?,
                cursor: memory.words(&[cursor])?,
                inputs: memory.result(batch, columns)?,
                targets: memory.word_result(batch)?,
            }
            .into())
        });
    }
    for (rows, classes) in [(1, 1), (7, 10), (101, 33), (257, 257)] {
        cases.add("one_hot", format!("{rows} of {classes} classes"), move |memory| {
            let targets = Draw::new(2).words(rows, classes as u32);
            Ok(OneHot { targets: memory.words(&targets)?, out: memory.result(rows, classes)? }.into())
        });
    }
}

fn activations(cases: &mut Cases) {
    for activation in Activation::ALL {
        for (rows, columns) in [(1, 1), (7, 31), (101, 257)] {
            let name = format!("{} of [{rows}, {columns}]", activation.name());
            cases.add("activate", name.clone(), move |memory| {
                let mut x = pre_activations(&mut Draw::new(3), rows * columns);
                // One element alone is to have a value that a fault can show.
                x[0] = 0.75;
                Ok(Activate { activation, x: memory.tensor(&x, rows, columns)?, out: memory.result(rows, columns)? }
                    .into())
            });
            cases.add("activation_gradient", name, move |memory| {
                let mut draw = Draw::new(4);
                let mut x = pre_activations(&mut draw, rows * columns);
                x[0] = 0.75;
                let gradient = draw.reals(rows * columns, 2.0);
                Ok(ActivationGradient {
                    activation,
                    x: memory.tensor(&x, rows, columns)?,
                    gradient: memory.tensor(&gradient, rows, columns)?,
                }
                .into())
            });
        }
    }
}

fn softmax(cases: &mut Cases) {
    for logarithm in [false, true] {
        let what = if logarithm { "log-softmax" } else { "softmax" };
        for (rows, columns, reach) in [(1, 1, 1.0), (7, 10, 3.0), (31, 33, 20.0), (101, 7, 80.0), (3, 257, 1000.0)] {
            let name = format!("{what} of [{rows}, {columns}] up to {reach}");
            cases.add("softmax", name, move |memory| {
                let x = Draw::new(5).reals(rows * columns, reach);
                Ok(Softmax { x: memory.tensor(&x, rows, columns)?, logarithm, out: memory.result(rows, columns)? }
                    .into())
            });
        }
        cases.add("softmax", format!("{what} of extremes"), move |memory| {
            let rows = [
                [1000.0, -1000.0, 1000.0],
                [-1000.0, -1000.0, -1000.0],
                [1010.0, 1000.0, 990.0],
                [0.0, 0.0, 0.0],
                [1.5e38, -1.5e38, 0.0],
            ];
            Ok(Softmax { x: memory.tensor(rows.as_flattened(), 5, 3)?, logarithm, out: memory.result(5, 3)? }.into())
        });
    }
}

fn rows(cases: &mut Cases) {
    for columns in SIZES {
        let rows = 258 - columns;
        cases.add("argmax", format!("[{rows}, {columns}]"), move |memory| {
            // Few distinct values, so that most rows have several largest ones.
            let mut x = Draw::new(6).integers(rows * columns, 3);
            x[..columns].fill(-1000.0);
            Ok(Argmax { x: memory.tensor(&x, rows, columns)?, out: memory.word_result(rows)? }.into())
        });
        cases.add("row_range", format!("[{rows}, {columns}]"), move |memory| {
            let mut draw = Draw::new(7);
            let mut x = draw.reals(rows * columns, 0.9);
            for row in 0..rows / 2 {
                x[row * columns + draw.below(columns as u32) as usize] = if row % 2 == 0 { -7.25 } else { 3.5 };
            }
            Ok(RowRange { x: memory.tensor(&x, rows, columns)?, out: memory.result(rows, 1)? }.into())
        });
    }
    cases.add("argmax", "a row of 70,001", |memory| {
        let mut x = vec![0.0; 70_001];
        x[70_000] = 1.0;
        Ok(Argmax { x: memory.tensor(&x, 1, 70_001)?, out: memory.word_result(1)? }.into())
    });
    cases.add("row_range", "a row of 70,001", |memory| {
        let mut x = vec![0.0; 70_001];
        x[70_000] = -2.0;
        Ok(RowRange { x: memory.tensor(&x, 1, 70_001)?, out: memory.result(1, 1)? }.into())
    });
}
