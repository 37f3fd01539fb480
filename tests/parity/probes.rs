//! Cases of the numerical gradient's kernels.

use gpu_train::Result;
use gpu_train::backend::{CurveFeatures, PreciseAffine, ProbeCurve, ProbeList, ProbeSingle, ProbedLayer};
use gpu_train::network::{Activation, OutputLoss};

use crate::losses::{OUTPUTS, probabilities};
use crate::suite::Cases;
use crate::support::draw::Draw;
use crate::support::memory::Memory;

/// Accepts every curve that has no kink.
const ANY: f32 = 1e30;

/// Sizes of the probed layer and of the logits.
#[derive(Clone, Copy)]
struct Shape {
    samples: usize,
    inputs: usize,
    units: usize,
    /// `None` where the probed units are the logits.
    classes: Option<usize>,
}

const SHAPES: [Shape; 4] = [
    Shape { samples: 1, inputs: 1, units: 1, classes: Some(2) },
    Shape { samples: 7, inputs: 31, units: 33, classes: Some(10) },
    Shape { samples: 33, inputs: 7, units: 10, classes: None },
    Shape { samples: 101, inputs: 3, units: 31, classes: Some(7) },
];

/// A layer with these pre-activations, random weights behind it, and logits up to `reach`.
fn layer(
    memory: &mut Memory,
    draw: &mut Draw,
    shape: Shape,
    (activation, output): (Activation, OutputLoss),
    pre_activations: &[f32],
    step_size: f32,
    reach: f32,
) -> Result<ProbedLayer> {
    let classes = shape.classes.unwrap_or(shape.units);
    let y = match output {
        OutputLoss::SumOfSquares => draw.reals(shape.samples * classes, 2.0),
        _ => probabilities(draw, shape.samples, classes, reach),
    };
    let next = match shape.classes {
        Some(classes) => Some(memory.tensor(&draw.reals(shape.units * classes, 1.0), shape.units, classes)?),
        None => None,
    };
    Ok(ProbedLayer {
        activation: if shape.classes.is_some() { activation } else { Activation::Identity },
        pre_activations: memory.tensor(pre_activations, shape.samples, shape.units)?,
        next,
        y: memory.tensor(&y, shape.samples, classes)?,
        targets: memory.words(&draw.words(shape.samples, classes as u32))?,
        output,
        step_size,
    })
}

pub(crate) fn add(cases: &mut Cases) {
    curves(cases);
    precise(cases);
    singles(cases);
    for (rows, columns, nodes, ranged) in
        [(1, 1, 1, false), (7, 31, 2, true), (33, 7, 3, true), (101, 33, 8, true), (31, 257, 6, false)]
    {
        cases.add("curve_features", format!("{nodes} of [{rows}, {columns}], ranges {ranged}"), move |memory| {
            let mut draw = Draw::new(51);
            let mut x = draw.pixels(rows * columns);
            x[0] = 0.625;
            let range = if ranged {
                x.iter_mut().for_each(|x| *x *= 3.0);
                let ranges: Vec<f32> =
                    x.chunks_exact(columns).map(|row| row.iter().fold(1.0f32, |most, x| most.max(x.abs()))).collect();
                Some(memory.tensor(&ranges, rows, 1)?)
            } else {
                None
            };
            let x = memory.tensor(&x, rows, columns)?;
            Ok(CurveFeatures { x, range, out: memory.result(nodes * rows, columns)? }.into())
        });
    }
    for (samples, units, failing) in [(1, 1, 1), (7, 31, 0), (33, 7, 3), (257, 33, 5), (101, 257, 1)] {
        for given in [true, false] {
            let name = format!("1 in {failing} of [{samples}, {units}], errors {given}");
            cases.add("probe_list", name, move |memory| {
                let mut draw = Draw::new(52);
                let errors: Vec<f32> = (0..samples * units)
                    .map(|_| match (failing > 0 && draw.below(failing) == 0, draw.below(2)) {
                        (true, 0) => f32::INFINITY,
                        (true, _) => 2.5e-6,
                        (false, _) => draw.real(1e-6).abs(),
                    })
                    .collect();
                Ok(ProbeList {
                    errors: if given { Some(memory.tensor(&errors, samples, units)?) } else { None },
                    tolerance: 1e-6,
                    samples,
                    units,
                    list: memory.word_result(samples * units)?,
                    counts: memory.word_result(units)?,
                    totals: memory.words(&draw.words(units, 1000))?,
                    largest: memory.tensor(
                        &draw.reals(units, 1e-6).iter().map(|x| x.abs()).collect::<Vec<_>>(),
                        1,
                        units,
                    )?,
                }
                .into())
            });
        }
    }
}

fn curves(cases: &mut Cases) {
    let mut add = |shape: Shape, activation, output, (step, nodes): (f32, usize), reach: f32, tolerance: f32| {
        let Shape { samples, units, classes, .. } = shape;
        let name = format!(
            "{nodes} pairs, h {step}, {activation:?} [{samples}, {units}] to {classes:?}, {output:?}, logits to {reach}, \
             tolerance {tolerance:e}"
        );
        cases.add("probe_curve", name, move |memory| {
            let mut draw = Draw::new(53);
            let mut a = draw.reals(samples * units, 4.0);
            for (index, a) in a.iter_mut().enumerate().skip(1) {
                match index % 13 {
                    5 => *a *= 5.0,
                    9 => *a = 0.0,
                    12 => *a = step / 3.0,
                    _ => {}
                }
            }
            let layer = layer(memory, &mut draw, shape, (activation, output), &a, step, reach)?;
            let ranges: Vec<f32> = (0..samples).map(|_| 1.0 + draw.real(1.0).abs()).collect();
            Ok(ProbeCurve {
                layer,
                range: if samples % 2 == 1 { Some(memory.tensor(&ranges, samples, 1)?) } else { None },
                nodes,
                tolerance,
                coefficients: memory.result(nodes * samples, units)?,
                errors: memory.result(samples, units)?,
            }
            .into())
        });
    };
    for activation in Activation::ALL {
        for output in OUTPUTS {
            for (step, nodes) in [(1e-4, 1), (1e-2, 2), (0.5, 4), (0.5, 8)] {
                add(SHAPES[1], activation, output, (step, nodes), 3.0, ANY);
            }
        }
    }
    for shape in SHAPES {
        for output in OUTPUTS {
            add(shape, Activation::Tanh, output, (0.25, 3), 1.0, ANY);
            // Saturated outputs, and curves of which some are not trusted.
            add(shape, Activation::Sigmoid, output, (0.5, 2), 30.0, ANY);
            add(shape, Activation::Sigmoid, output, (0.5, 2), 3.0, 1e-5);
        }
    }
}

/// For each unit a list of one sample in `share`, and their counts.
fn listed(draw: &mut Draw, samples: usize, units: usize, share: u32) -> (Vec<u32>, Vec<u32>) {
    let mut list = vec![0; samples * units];
    let mut counts = vec![0; units];
    for unit in 0..units {
        for sample in 0..samples as u32 {
            if draw.below(share) == 0 || samples == 1 {
                list[unit * samples + counts[unit] as usize] = sample;
                counts[unit] += 1;
            }
        }
    }
    (list, counts)
}

fn precise(cases: &mut Cases) {
    for (samples, inputs, units, share) in
        [(1, 1, 1, 1), (7, 31, 33, 2), (33, 257, 7, 3), (101, 784, 10, 5), (2, 40_000, 3, 1)]
    {
        let name = format!("[{samples}, {inputs}] to {units}, 1 in {share}");
        cases.add("precise_affine", name, move |memory| {
            let mut draw = Draw::new(55);
            let mut x = draw.pixels(samples * inputs);
            x[0] = 0.3;
            let weight = draw.reals(inputs * units, 1.0);
            let bias = draw.reals(units + 1, 1.0);
            let (list, counts) = listed(&mut draw, samples, units, share);
            let biases = memory.tensor(&bias, 1, units + 1)?;
            Ok(PreciseAffine {
                inputs: memory.tensor(&x, samples, inputs)?,
                weight: memory.tensor(&weight, inputs, units)?,
                bias: gpu_train::backend::Tensor { columns: units, ..biases },
                list: memory.words(&list)?,
                counts: memory.words(&counts)?,
                out: memory.result(2 * units, samples)?,
            }
            .into())
        });
    }
}

fn singles(cases: &mut Cases) {
    for activation in Activation::ALL {
        for output in OUTPUTS {
            for (shape, step, share) in [
                (SHAPES[0], 1e-2, 1),
                (SHAPES[1], 1e-4, 3),
                (SHAPES[1], 0.5, 1),
                (SHAPES[2], 0.5, 2),
                (SHAPES[3], 1e-2, 5),
            ] {
                let name = format!(
                    "{activation:?}, {output:?}, [{}, {}, {}] to {:?}, h {step}, 1 in {share}",
                    shape.samples, shape.inputs, shape.units, shape.classes
                );
                for one_sided in [false, true] {
                    let name = if one_sided { format!("{name}, upwards only") } else { name.clone() };
                    let sides = (one_sided, share);
                    cases.add("probe_single", name, move |memory| {
                        single(memory, shape, activation, output, step, sides)
                    });
                }
            }
        }
    }
}

fn single(
    memory: &mut Memory,
    shape: Shape,
    activation: Activation,
    output: OutputLoss,
    step: f32,
    (one_sided, share): (bool, u32),
) -> Result<gpu_train::backend::Op> {
    let Shape { samples, inputs, units, .. } = shape;
    let mut draw = Draw::new(54);
    // Multiples of 1/8 make exact sums, so that a unit can be put on its kink, or half a step from it.
    let mut eighths = |count, reach| draw.integers(count, reach).into_iter().map(|x| x / 8.0).collect::<Vec<f32>>();
    let mut x = eighths(samples * inputs, 8);
    x[0] = 0.875;
    let weight = eighths(inputs * units, 8);
    let sum = |sample: usize, unit: usize| -> f32 {
        (0..inputs).map(|i| x[sample * inputs + i] * weight[i * units + unit]).sum()
    };
    let bias: Vec<f32> = (0..units)
        .map(|unit| match unit % 4 {
            1 => -sum(unit % samples, unit),
            2 => step / 2.0 - sum(unit % samples, unit),
            _ => 0.3,
        })
        .collect();
    let a: Vec<f32> =
        (0..samples * units).map(|index| sum(index / units, index % units) + bias[index % units]).collect();
    let (list, counts) = listed(&mut draw, samples, units, share);
    let precise = if activation == Activation::Relu && shape.classes.is_some() {
        let mut halves = vec![0.0; 2 * units * samples];
        for unit in 0..units {
            for entry in unit * samples..unit * samples + counts[unit] as usize {
                halves[entry] = a[list[entry] as usize * units + unit];
                // What float32 leaves of a sum that is not exact.
                halves[units * samples + entry] = halves[entry] * draw.real(2e-8);
            }
        }
        Some(memory.tensor(&halves, 2 * units, samples)?)
    } else {
        None
    };
    let layer = layer(memory, &mut draw, shape, (activation, output), &a, step, 3.0)?;
    Ok(ProbeSingle {
        layer,
        inputs: memory.tensor(&x, samples, inputs)?,
        precise,
        list: memory.words(&list)?,
        counts: memory.words(&counts)?,
        weight_gradient: memory.tensor(&draw.reals(inputs * units, 0.01), inputs, units)?,
        bias_gradient: memory.tensor(&draw.reals(units, 0.01), 1, units)?,
        one_sided,
    }
    .into())
}
