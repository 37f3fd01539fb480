//! What works element by element or row by row: gather, activations, outputs and losses, the update.

use criterion::{Criterion, Throughput};
use gpu_train::backend::{Activate, CrossEntropy, Gather, LossGradient, Recording, Rule, Softmax, Targets, Update};
use gpu_train::network::{Activation, OutputLoss};

use super::support::{CLASSES, Device, NETWORKS, classes, measure, probabilities, report, tensor};

const EPSILON: f32 = 1e-7;

pub(crate) fn bench(criterion: &mut Criterion, device: &mut Device) {
    for (sizes, batch) in NETWORKS {
        gather(criterion, device, sizes[0], batch);
        activate(criterion, device, batch, sizes[1]);
        output(criterion, device, batch);
        update(criterion, device, sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum());
    }
}

fn gather(criterion: &mut Criterion, device: &mut Device, features: usize, batch: usize) {
    const SAMPLES: usize = 10_000;
    let shape = format!("{batch} of {SAMPLES}");
    let bytes = Some(Throughput::Bytes((5 * batch * features) as u64));
    let outcome = measure(criterion, device, "gather", &shape, bytes, |backend| {
        // Four fifths zeros, as images are; places that lie far from each other.
        let pixels: Vec<u8> = (0..SAMPLES * features).map(|i| if i % 5 == 0 { (i % 251) as u8 } else { 0 }).collect();
        let labels: Vec<u8> = classes(SAMPLES).iter().map(|&class| class as u8).collect();
        let indices: Vec<u32> = (0..batch).map(|n| (n * 7919 % SAMPLES) as u32).collect();
        let mut recording = Recording::new();
        recording.push(Gather {
            images: backend.bytes_from(&pixels, features, "images")?,
            labels: backend.bytes_from(&labels, 1, "labels")?,
            indices: backend.words_from(&indices, "indices")?,
            cursor: backend.words(1, "cursor")?,
            inputs: backend.tensor(batch, features, "inputs")?,
            targets: backend.words(batch, "targets")?,
        })?;
        Ok(recording)
    });
    report("gather", outcome);
}

fn activate(criterion: &mut Criterion, device: &mut Device, rows: usize, columns: usize) {
    let shape = format!("{rows}x{columns}");
    for (name, activation) in [("sigmoid", Activation::Sigmoid), ("tanh", Activation::Tanh)] {
        let elements = Some(Throughput::Elements((rows * columns) as u64));
        let outcome = measure(criterion, device, &format!("activate {name}"), &shape, elements, |backend| {
            let (x, out) = (tensor(backend, rows, columns, 4.0)?, backend.tensor(rows, columns, "activations")?);
            let mut recording = Recording::new();
            recording.push(Activate { activation, x, out })?;
            Ok(recording)
        });
        report("activate", outcome);
    }
}

/// Probabilities, their losses, and the gradient of these.
fn output(criterion: &mut Criterion, device: &mut Device, batch: usize) {
    let shape = format!("{batch}x{CLASSES}");
    let outcome = measure(criterion, device, "softmax and cross entropy", &shape, None, |backend| {
        let targets = backend.words_from(&classes(batch), "targets")?;
        let (x, y) = (tensor(backend, batch, CLASSES, 3.0)?, backend.tensor(batch, CLASSES, "outputs")?);
        let out = backend.tensor(batch, 1, "losses")?;
        let mut recording = Recording::new();
        recording.push(Softmax { x, logarithm: false, out: y })?;
        recording.push(CrossEntropy {
            y,
            logarithm: false,
            targets: Targets::Classes(targets),
            epsilon: EPSILON,
            out,
        })?;
        Ok(recording)
    });
    report("softmax and cross entropy", outcome);
    let outcome = measure(criterion, device, "loss gradient", &shape, None, |backend| {
        let mut recording = Recording::new();
        recording.push(LossGradient {
            output: OutputLoss::CrossEntropy { epsilon: EPSILON },
            y: probabilities(backend, batch)?,
            targets: backend.words_from(&classes(batch), "targets")?,
            out: backend.tensor(batch, CLASSES, "gradients")?,
        })?;
        Ok(recording)
    });
    report("loss gradient", outcome);
}

fn update(criterion: &mut Criterion, device: &mut Device, parameters: usize) {
    let bytes = Some(Throughput::Bytes(12 * parameters as u64));
    let outcome = measure(criterion, device, "update sgd", &parameters.to_string(), bytes, |backend| {
        let mut recording = Recording::new();
        recording.push(Update {
            rule: Rule::Sgd,
            // So small that the parameters stay finite however often it is done.
            learning_rate: 1e-9,
            parameters: tensor(backend, 1, parameters, 0.1)?,
            gradient: tensor(backend, 1, parameters, 1.0)?,
            state: None,
            step: backend.words(1, "steps done")?,
        })?;
        Ok(recording)
    });
    report("update", outcome);
}
