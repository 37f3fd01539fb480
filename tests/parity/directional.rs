//! Cases of the kernels of directional gradients.

use gpu_train::Result;
use gpu_train::backend::{BatchMatmul, DirectionalGradient, Directions, LossDifferences, Measure, Perturb, Shift};
use gpu_train::network::Activation;

use crate::losses::OUTPUTS;
use crate::suite::Cases;
use crate::support::draw::Draw;
use crate::support::memory::Memory;

const SEED: u64 = 0x0123_4567_89ab_cdef;

fn directions(memory: &mut Memory, step: u32, first: usize, count: usize) -> Result<Directions> {
    Ok(Directions { seed: SEED, step: memory.words(&[step])?, first, count })
}

/// A block's parts of these lengths, first and number of directions; more than 64 directions are made in turns.
const PARTS: [(usize, usize, usize); 6] =
    [(1, 0, 1), (31, 3, 2), (64, 0, 7), (257, 64, 5), (1_100, 1, 33), (101, 60, 130)];

pub(crate) fn add(cases: &mut Cases) {
    for (index, (len, first, count)) in PARTS.into_iter().enumerate() {
        let (offset, step) = (64 * index, 7 * index as u32);
        let name = format!("{count} directions from {first}, {len} elements from {offset}");
        cases.add("perturb", name.clone(), move |memory| {
            let directions = directions(memory, step, first, count)?;
            Ok(Perturb { directions, offset, parameters: None, step_size: 1.0, out: memory.result(count, len)? }.into())
        });
        cases.add("perturb", format!("{name}, parameters"), move |memory| {
            let directions = directions(memory, step, first, count)?;
            let parameters = Some(memory.tensor(&Draw::new(61).reals(len, 1.0), 1, len)?);
            let out = memory.result(2 * count, len)?;
            Ok(Perturb { directions, offset, parameters, step_size: 3e-3, out }.into())
        });
        cases.add("directional_gradient", name, move |memory| {
            let directions = directions(memory, step, first, count)?;
            let coefficients = memory.tensor(&Draw::new(62).reals(count, 2.0), count, 1)?;
            Ok(DirectionalGradient { directions, offset, coefficients, out: memory.result(len, 1)? }.into())
        });
    }
    products(cases);
    for activation in Activation::ALL {
        for (rows, columns, count) in [(1, 1, 1), (7, 31, 3), (33, 50, 2)] {
            cases.add("shift", format!("{activation:?} of {count} times [{rows}, {columns}]"), move |memory| {
                let mut draw = Draw::new(64);
                let mut base = draw.reals(rows * columns, 6.0);
                base[0] = 0.75;
                let shift = draw.reals(count * rows * columns, 5.0);
                Ok(Shift {
                    activation,
                    base: memory.tensor(&base, rows, columns)?,
                    shift: memory.tensor(&shift, count * rows, columns)?,
                    step_size: 0.1,
                    out: memory.result(2 * count * rows, columns)?,
                }
                .into())
            });
        }
    }
    differences(cases);
}

fn products(cases: &mut Cases) {
    for (batches, rows, terms, columns) in
        [(1, 1, 1, 1), (3, 7, 31, 5), (2, 33, 257, 16), (5, 20, 101, 50), (2, 9, 64, 131), (2, 2, 7_001, 3)]
    {
        // A shared factor without zeros is taken whole, one of images without its zeros.
        for (shared, images) in [(true, true), (true, false), (false, false)] {
            let name = format!("{batches} of [{rows}, {terms}] to {columns}, shared {shared}, images {images}");
            cases.add("batch_matmul", name, move |memory| {
                let mut draw = Draw::new(63);
                let count = if shared { 1 } else { batches } * rows;
                let mut a = if images { draw.pixels(count * terms) } else { draw.integers(count * terms, 3) };
                a[0] = 2.0;
                // The bias stands before the weight here, and there is something behind it.
                let (bias_at, weight_at) = (1, columns + 3);
                let len = weight_at + terms * columns + 2;
                let b = if images { draw.reals(batches * len, 1.0) } else { draw.integers(batches * len, 3) };
                Ok(BatchMatmul {
                    a: memory.tensor(&a, count, terms)?,
                    shared,
                    b: memory.tensor(&b, batches, len)?,
                    weight_at,
                    bias_at,
                    out: memory.result(batches * rows, columns)?,
                }
                .into())
            });
        }
    }
}

fn differences(cases: &mut Cases) {
    let measures = || OUTPUTS.map(Measure::Loss).into_iter().chain([Measure::ErrorRate]);
    for measure in measures() {
        for (samples, classes, count, first) in
            [(1, 2, 1, 0), (7, 10, 3, 1), (101, 7, 2, 5), (3, 257, 2, 0), (300, 1, 1, 0)]
        {
            let name = format!("{measure:?} of {samples} in {classes} classes, {count} directions from {first}");
            cases.add("loss_differences", name, move |memory| {
                let mut draw = Draw::new(65);
                let block = samples * classes;
                let mut logits = draw.reals(2 * count * block, 3.0);
                let targets = draw.words(samples, classes as u32);
                // In the first case too there is to be a difference: the target's logit is largest at one end alone.
                logits[targets[0] as usize] = 4.0;
                logits[block + targets[0] as usize] = -4.0;
                let rest = draw.reals(first + count + 2, 1.0);
                Ok(LossDifferences {
                    measure,
                    logits: memory.tensor(&logits, 2 * count * samples, classes)?,
                    targets: memory.words(&targets)?,
                    step_size: 1e-2,
                    first,
                    out: memory.tensor(&rest, first + count + 2, 1)?,
                }
                .into())
            });
        }
    }
}
