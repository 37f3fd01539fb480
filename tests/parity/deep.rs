//! Cases of the kernels that follow probes through hidden layers.

use gpu_train::Result;
use gpu_train::backend::{ProbeBehind, ProbeChunk, ProbeDifference, ProbeThrough};
use gpu_train::network::Activation;

use crate::losses::{OUTPUTS, probabilities};
use crate::suite::Cases;
use crate::support::draw::Draw;
use crate::support::memory::Memory;

/// Samples, probed units, units behind, and which curves: from inside one sample to inside another.
const SHAPES: [([usize; 3], [usize; 2]); 4] =
    [([1, 1, 1], [0, 1]), ([7, 5, 33], [3, 22]), ([3, 33, 7], [0, 99]), ([2, 101, 31], [100, 2])];

/// Step size and pairs of points.
const STEPS: [(f32, usize); 4] = [(1e-4, 1), (1e-2, 2), (0.5, 4), (0.5, 8)];

/// A chunk of curves; some units stand on their kink or within a step of it.
fn chunk(
    memory: &mut Memory,
    draw: &mut Draw,
    ([samples, units, _], [first, count]): ([usize; 3], [usize; 2]),
    activation: Activation,
    (step_size, nodes): (f32, usize),
) -> Result<ProbeChunk> {
    let mut a = draw.reals(samples * units, 4.0);
    for (index, a) in a.iter_mut().enumerate().skip(1) {
        match index % 13 {
            5 => *a *= 5.0,
            9 => *a = 0.0,
            12 => *a = step_size / 3.0,
            _ => {}
        }
    }
    let ranges: Vec<f32> = (0..samples).map(|_| 1.0 + draw.real(1.0).abs()).collect();
    Ok(ProbeChunk {
        activation,
        pre_activations: memory.tensor(&a, samples, units)?,
        range: if samples % 2 == 1 { Some(memory.tensor(&ranges, samples, 1)?) } else { None },
        step_size,
        nodes,
        first,
        count,
    })
}

pub(crate) fn add(cases: &mut Cases) {
    for shape in SHAPES {
        let [samples, units, width] = shape.0;
        for (activation, step) in Activation::ALL.into_iter().flat_map(|a| STEPS.map(|step| (a, step))) {
            let name = format!(
                "{} pairs, h {}, {activation:?} [{samples}, {units}] to {width}, curves {:?}",
                step.1, step.0, shape.1
            );
            cases.add("probe_behind", name.clone(), move |memory| {
                let mut draw = Draw::new(61);
                let chunk = chunk(memory, &mut draw, shape, activation, step)?;
                let weight = draw.reals(units * width, 2.0);
                let behind = draw.reals(samples * width, 3.0);
                Ok(ProbeBehind {
                    chunk,
                    weight: memory.tensor(&weight, units, width)?,
                    behind: memory.tensor(&behind, samples, width)?,
                    out: memory.result(chunk.rows(), width)?,
                    kinks: memory.result(chunk.count, 1)?,
                }
                .into())
            });
            cases.add("probe_through", name, move |memory| {
                let mut draw = Draw::new(62);
                let chunk = chunk(memory, &mut draw, shape, activation, step)?;
                let behind = draw.reals(samples * width, 3.0);
                let moves = draw.reals(chunk.rows() * width, 2.0 * step.0);
                let kinks: Vec<f32> =
                    (0..chunk.count).map(|curve| if curve % 5 == 4 { f32::INFINITY } else { 0.0 }).collect();
                Ok(ProbeThrough {
                    chunk,
                    behind: memory.tensor(&behind, samples, width)?,
                    x: memory.tensor(&moves, chunk.rows(), width)?,
                    kinks: memory.tensor(&kinks, chunk.count, 1)?,
                }
                .into())
            });
        }
        for (output, step) in OUTPUTS.into_iter().flat_map(|output| STEPS.map(|step| (output, step))) {
            for (classes, tolerance) in [(2, 1e30), (10, 1e30), (13, 1e-4)] {
                let name = format!(
                    "{} pairs, h {}, {output:?}, [{samples}, {units}] to {classes}, curves {:?}, tolerance {tolerance:e}",
                    step.1, step.0, shape.1
                );
                cases.add("probe_difference", name, move |memory| {
                    let mut draw = Draw::new(63);
                    let chunk = chunk(memory, &mut draw, shape, Activation::Tanh, step)?;
                    let moves = smooth_moves(&mut draw, &chunk, classes);
                    let y = match output {
                        gpu_train::network::OutputLoss::SumOfSquares => draw.reals(samples * classes, 2.0),
                        _ => probabilities(&mut draw, samples, classes, 3.0),
                    };
                    let kinks: Vec<f32> =
                        (0..chunk.count).map(|curve| if curve % 7 == 5 { f32::INFINITY } else { 0.0 }).collect();
                    Ok(ProbeDifference {
                        chunk,
                        moves: memory.tensor(&moves, chunk.rows(), classes)?,
                        kinks: memory.tensor(&kinks, chunk.count, 1)?,
                        y: memory.tensor(&y, samples, classes)?,
                        targets: memory.words(&draw.words(samples, classes as u32))?,
                        output,
                        tolerance,
                        coefficients: memory.result(chunk.nodes * samples, units)?,
                        errors: memory.result(samples, units)?,
                    }
                    .into())
                });
            }
        }
    }
}

/// Moves of the logits that are a smooth function of the shift, as a network's are: `s v + s^2 u`.
fn smooth_moves(draw: &mut Draw, chunk: &ProbeChunk, classes: usize) -> Vec<f32> {
    let (v, u) = (draw.reals(chunk.count * classes, 1.0), draw.reals(chunk.count * classes, 0.3));
    let mut moves = Vec::new();
    for pair in 0..chunk.pairs() {
        // No matter where exactly the points are: what the kernel is given is what the reference is given.
        let share = 1.0 - pair as f32 / (chunk.pairs() + 1) as f32;
        for curve in 0..chunk.count {
            for s in [chunk.step_size * share, -chunk.step_size * share] {
                moves.extend((curve * classes..(curve + 1) * classes).map(|at| s * v[at] + s * s * u[at]));
            }
        }
    }
    moves
}
