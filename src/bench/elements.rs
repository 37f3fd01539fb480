//! Kernels that work element by element or row by row.

use super::case::{Case, Prepared, Work};
use super::draw::{Draw, images, targets};
use super::kernels::networks;
use super::reference::{EPSILON, ULP, cross_entropy, hold, hold_all, row, sigmoid, softmax};
use super::{Options, Suite};
use crate::backend::{
    Activate, ColumnSums, CrossEntropy, Gather, LossGradient, Recording, Rule, Softmax, Targets, Update,
};
use crate::network::{Activation, OutputLoss};

const CLASSES: usize = 10;

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let seed = options.seed;
    let mut cases = Vec::new();
    for (sizes, batch) in networks(options.quick) {
        let units = sizes[1];
        let parameters = sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
        cases.push(gather(Suite::Kernels, batch, batch, seed));
        cases.push(activate(batch, units, seed));
        cases.push(softmax_cross_entropy(batch, seed));
        cases.push(loss_gradient(batch, seed));
        cases.push(column_sums(batch, units, seed));
        // Larger batches have the same parameters.
        if batch < 1024 {
            cases.push(update(parameters, seed));
        }
    }
    cases
}

/// A share of memory that is moved and nothing computed that counts as multiply-adds.
fn moved(bytes: usize, dispatches: usize) -> Work {
    Work { flops: None, bytes: Some(bytes as f64), dispatches }
}

/// A batch drawn from so many images, all over them.
pub(super) fn gather(suite: Suite, samples: usize, batch: usize, seed: u64) -> Case {
    const FEATURES: usize = 784;
    let shape = format!("{batch} of {samples} images");
    Case::kernel(suite, "gather", shape, moved(5 * batch * FEATURES + 9 * batch, 1), move |backend| {
        let (pixels, labels) = images(samples)?;
        // Places that lie far from each other, as those of a random draw do.
        let indices: Vec<u32> = (0..batch).map(|n| ((n * 7919 + seed as usize % 97) % samples) as u32).collect();
        let (inputs, targets) = (backend.tensor(batch, FEATURES, "inputs")?, backend.words(batch, "targets")?);
        let mut recording = Recording::new();
        recording.push(Gather {
            images: backend.bytes_from(&pixels, FEATURES, "images")?,
            labels: backend.bytes_from(&labels, 1, "labels")?,
            indices: backend.words_from(&indices, "indices")?,
            cursor: backend.words(1, "cursor")?,
            inputs,
            targets,
        })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "gather", inputs, |index| {
                let place = indices[index / FEATURES] as usize * FEATURES + index % FEATURES;
                let value = f64::from(pixels[place]) / 255.0;
                (value, ULP * value)
            })?;
            let got = backend.read_words(targets)?;
            let label = |&index: &u32| f64::from(labels[index as usize]);
            let pairs = got.iter().zip(indices.iter().map(label));
            pairs.into_iter().try_for_each(|(&got, label)| hold(backend, "gather", got.into(), (label, 0.0)))
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

fn activate(batch: usize, units: usize, seed: u64) -> Case {
    let shape = format!("{batch}x{units}");
    Case::kernel(Suite::Kernels, "activate sigmoid", shape, moved(8 * batch * units, 1), move |backend| {
        let (x, values) = Draw::new(seed).tensor(backend, [batch, units], 2.0)?;
        let out = backend.tensor(batch, units, "activations")?;
        let mut recording = Recording::new();
        recording.push(Activate { activation: Activation::Sigmoid, x, out })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "activate", out, |index| {
                let value = sigmoid(values[index].into());
                // An exponential of our own and a division around it.
                (value, 8.0 * ULP * value)
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

/// The rounding of an exponential and of a sum of ten: of numbers up to 1.
const ROUNDING: f64 = 16.0 * ULP;

fn softmax_cross_entropy(batch: usize, seed: u64) -> Case {
    let shape = format!("{batch}x{CLASSES}");
    // Logits to probabilities to a loss each, and the classes.
    let work = moved(4 * batch * (3 * CLASSES + 2), 2);
    Case::kernel(Suite::Kernels, "softmax cross entropy", shape, work, move |backend| {
        let (x, logits) = Draw::new(seed).tensor(backend, [batch, CLASSES], 2.0)?;
        let classes = targets(batch);
        let targets = Targets::Classes(backend.words_from(&classes, "targets")?);
        let (y, out) = (backend.tensor(batch, CLASSES, "outputs")?, backend.tensor(batch, 1, "losses")?);
        let mut recording = Recording::new();
        recording.push(Softmax { x, logarithm: false, out: y })?;
        recording.push(CrossEntropy { y, logarithm: false, targets, epsilon: EPSILON, out })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "softmax", y, |index| {
                (softmax(&row(&logits, index / CLASSES, CLASSES))[index % CLASSES], ROUNDING)
            })?;
            hold_all(backend, "cross_entropy", out, |n| {
                let loss = cross_entropy(&row(&logits, n, CLASSES), classes[n]);
                // A relative error of the probability is an absolute one of its logarithm.
                (loss, ROUNDING * (1.0 + loss))
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

fn loss_gradient(batch: usize, seed: u64) -> Case {
    let shape = format!("{batch}x{CLASSES}");
    Case::kernel(Suite::Kernels, "loss gradient", shape, moved(4 * batch * (2 * CLASSES + 1), 1), move |backend| {
        let logits = Draw::new(seed).normals(batch * CLASSES, 2.0);
        let y: Vec<f32> = (0..batch).flat_map(|n| softmax(&row(&logits, n, CLASSES))).map(|y| y as f32).collect();
        let classes = targets(batch);
        let out = backend.tensor(batch, CLASSES, "gradients")?;
        let mut recording = Recording::new();
        recording.push(LossGradient {
            output: OutputLoss::CrossEntropy { epsilon: EPSILON },
            y: backend.tensor_from(&y, batch, CLASSES, "outputs")?,
            targets: backend.words_from(&classes, "targets")?,
            out,
        })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "loss_gradient", out, |index| {
                let (n, k) = (index / CLASSES, index % CLASSES);
                let (target, of_target) = (classes[n] as usize, f64::from(y[n * CLASSES + classes[n] as usize]));
                let one = if k == target { 1.0 } else { 0.0 };
                // -d ln(y_t + epsilon) by the logit k.
                let factor = of_target / (of_target + f64::from(EPSILON)) / batch as f64;
                (factor * (f64::from(y[index]) - one), ROUNDING / batch as f64)
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

fn column_sums(batch: usize, units: usize, seed: u64) -> Case {
    let shape = format!("{batch}x{units}");
    let work =
        Work { flops: Some((batch * units) as f64), bytes: Some(4.0 * (batch * units + units) as f64), dispatches: 1 };
    Case::kernel(Suite::Kernels, "column sums", shape, work, move |backend| {
        let (x, values) = Draw::new(seed).tensor(backend, [batch, units], 1.0)?;
        let out = backend.tensor(1, units, "sums")?;
        let mut recording = Recording::new();
        recording.push(ColumnSums { x, out })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "column_sums", out, |column| {
                let terms = || values.iter().skip(column).step_by(units).map(|&value| f64::from(value));
                let magnitude: f64 = terms().map(f64::abs).sum();
                (terms().sum(), (2.0 + (batch as f64).sqrt()) * ULP * magnitude)
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

fn update(parameters: usize, seed: u64) -> Case {
    // So small that any number of steps leaves the parameters where they are finite.
    const RATE: f32 = 1e-6;
    let work = Work { flops: Some(2.0 * parameters as f64), bytes: Some(12.0 * parameters as f64), dispatches: 1 };
    Case::kernel(Suite::Kernels, "update sgd", format!("{parameters} parameters"), work, move |backend| {
        let mut draw = Draw::new(seed);
        let (place, before) = draw.tensor(backend, [1, parameters], 0.1)?;
        let (gradient, slopes) = draw.tensor(backend, [1, parameters], 1e3)?;
        let step = backend.words(1, "steps done")?;
        let mut recording = Recording::new();
        recording.push(Update {
            rule: Rule::Sgd,
            learning_rate: RATE,
            parameters: place,
            gradient,
            state: None,
            step,
        })?;
        let check = move |backend: &mut dyn crate::backend::Backend| {
            hold_all(backend, "update", place, |index| {
                let (before, shift) = (f64::from(before[index]), f64::from(RATE) * f64::from(slopes[index]));
                (before - shift, 2.0 * ULP * (before.abs() + shift.abs()))
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}
