//! Cases of losses and their gradients.

use gpu_train::backend::{CrossEntropy, LossGradient, SumOfSquares, Targets};
use gpu_train::network::OutputLoss;

use crate::suite::Cases;
use crate::support::draw::Draw;
use crate::support::reference::softmax;

const SHAPES: [(usize, usize); 6] = [(1, 1), (7, 10), (31, 33), (33, 7), (101, 257), (257, 31)];

/// Every output loss, with epsilon as in the chapter, large, and 0.
pub(crate) const OUTPUTS: [OutputLoss; 5] = [
    OutputLoss::CrossEntropy { epsilon: 1e-7 },
    OutputLoss::CrossEntropy { epsilon: 0.01 },
    OutputLoss::CrossEntropy { epsilon: 0.0 },
    OutputLoss::SoftmaxSumOfSquares,
    OutputLoss::SumOfSquares,
];

/// Softmax outputs in float32 of logits up to `reach`: with a large one some are 1 and others 0.
pub(crate) fn probabilities(draw: &mut Draw, rows: usize, columns: usize, reach: f32) -> Vec<f32> {
    let logits: Vec<f64> = draw.reals(rows * columns, reach).into_iter().map(f64::from).collect();
    logits.chunks_exact(columns).flat_map(softmax).map(|p| p as f32).collect()
}

pub(crate) fn add(cases: &mut Cases) {
    for (rows, columns) in SHAPES {
        for (reach, epsilon) in [(3.0, 1e-7), (3.0, 0.0), (200.0, 1e-7)] {
            for one_hot in [false, true] {
                let kind = if one_hot { "weights" } else { "classes" };
                let name = format!("[{rows}, {columns}] {kind}, logits to {reach}, epsilon {epsilon}");
                cases.add("cross_entropy", name, move |memory| {
                    let mut draw = Draw::new(31);
                    let y = probabilities(&mut draw, rows, columns, reach);
                    let targets = if one_hot {
                        let weights = draw.integers(rows * columns, 2);
                        Targets::OneHot(memory.tensor(&weights, rows, columns)?)
                    } else {
                        Targets::Classes(memory.words(&draw.words(rows, columns as u32))?)
                    };
                    Ok(CrossEntropy {
                        y: memory.tensor(&y, rows, columns)?,
                        logarithm: false,
                        targets,
                        epsilon,
                        out: memory.result(rows, 1)?,
                    }
                    .into())
                });
            }
        }
        for one_hot in [false, true] {
            cases.add("cross_entropy", format!("[{rows}, {columns}] log-probabilities {one_hot}"), move |memory| {
                let mut draw = Draw::new(32);
                let y: Vec<f32> = draw.reals(rows * columns, 8.0).into_iter().map(|x| -x.abs()).collect();
                let targets = draw.words(rows, columns as u32);
                let targets = if one_hot {
                    let rows_of: Vec<f64> = crate::support::reference::one_hot(&targets, columns);
                    let rows_of: Vec<f32> = rows_of.into_iter().map(|t| t as f32).collect();
                    Targets::OneHot(memory.tensor(&rows_of, rows, columns)?)
                } else {
                    Targets::Classes(memory.words(&targets)?)
                };
                let (y, out) = (memory.tensor(&y, rows, columns)?, memory.result(rows, 1)?);
                Ok(CrossEntropy { y, logarithm: true, targets, epsilon: 0.5, out }.into())
            });
        }
        for one_hot in [false, true] {
            cases.add("sum_of_squares", format!("[{rows}, {columns}] {one_hot}"), move |memory| {
                let mut draw = Draw::new(33);
                let y = draw.reals(rows * columns, 4.0);
                let targets = if one_hot {
                    Targets::OneHot(memory.tensor(&draw.reals(rows * columns, 1.0), rows, columns)?)
                } else {
                    Targets::Classes(memory.words(&draw.words(rows, columns as u32))?)
                };
                Ok(SumOfSquares { y: memory.tensor(&y, rows, columns)?, targets, out: memory.result(rows, 1)? }.into())
            });
        }
        for output in OUTPUTS {
            for reach in [2.0, 200.0] {
                let name = format!("[{rows}, {columns}] {output:?}, logits to {reach}");
                cases.add("loss_gradient", name, move |memory| {
                    let mut draw = Draw::new(34);
                    let y = match output {
                        OutputLoss::SumOfSquares => draw.reals(rows * columns, reach),
                        _ => probabilities(&mut draw, rows, columns, reach),
                    };
                    let targets = draw.words(rows, columns as u32);
                    Ok(LossGradient {
                        output,
                        y: memory.tensor(&y, rows, columns)?,
                        targets: memory.words(&targets)?,
                        out: memory.result(rows, columns)?,
                    }
                    .into())
                });
            }
        }
    }
    special(cases);
}

fn special(cases: &mut Cases) {
    // Probabilities of exactly 0 and 1; a weight of 0 hides the infinite logarithm, one of 1 shows it.
    for epsilon in [1e-7, 0.0] {
        cases.add("cross_entropy", format!("a target of probability 0, epsilon {epsilon}"), move |memory| {
            Ok(CrossEntropy {
                y: memory.tensor(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0], 2, 3)?,
                logarithm: false,
                targets: Targets::Classes(memory.words(&[0, 0])?),
                epsilon,
                out: memory.result(2, 1)?,
            }
            .into())
        });
        cases.add("cross_entropy", format!("weights of 0 on probabilities of 0, epsilon {epsilon}"), move |memory| {
            Ok(CrossEntropy {
                y: memory.tensor(&[0.0, 0.5, 0.5, 0.0], 2, 2)?,
                logarithm: false,
                targets: Targets::OneHot(memory.tensor(&[0.0, 1.0, 2.0, 0.0], 2, 2)?),
                epsilon,
                out: memory.result(2, 1)?,
            }
            .into())
        });
    }
    cases.add("cross_entropy", "a weight of 0 on an infinite log-probability", |memory| {
        Ok(CrossEntropy {
            y: memory.tensor(&[f32::NEG_INFINITY, -0.25], 1, 2)?,
            logarithm: true,
            targets: Targets::OneHot(memory.tensor(&[0.0, 1.0], 1, 2)?),
            epsilon: 0.0,
            out: memory.result(1, 1)?,
        }
        .into())
    });
    cases.add("cross_entropy", "a target that is no class", |memory| {
        Ok(CrossEntropy {
            y: memory.tensor(&[0.25, 0.75, 0.5, 0.5], 2, 2)?,
            logarithm: false,
            targets: Targets::Classes(memory.words(&[2, 1])?),
            epsilon: 1e-7,
            out: memory.result(2, 1)?,
        }
        .into())
    });
    cases.add("sum_of_squares", "a target that is no class", |memory| {
        Ok(SumOfSquares {
            y: memory.tensor(&[0.25, 0.75, 0.5, 0.5], 2, 2)?,
            targets: Targets::Classes(memory.words(&[1, u32::MAX])?),
            out: memory.result(2, 1)?,
        }
        .into())
    });
}
