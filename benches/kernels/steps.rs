//! Whole training steps: gather, gradient, update.

use criterion::{Criterion, Throughput};
use gpu_train::Result;
use gpu_train::backend::{Advance, Backend, Gather, Recording, Rule, Update};
use gpu_train::gradient::{Batch, GradientOptions, GradientStep, Method, NetworkTensors};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};

use super::support::{Device, NETWORKS, classes, measure, report};

const SAMPLES: usize = 10_000;

pub(crate) fn bench(criterion: &mut Criterion, device: &mut Device) {
    for (sizes, batch) in NETWORKS {
        for (name, method) in [("backprop", Method::Backprop), ("numerical", Method::Numerical)] {
            let shape: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let shape = format!("{} batch {batch}", shape.join("-"));
            let samples = Some(Throughput::Elements(batch as u64));
            let lay_out = |backend: &mut dyn Backend| step(backend, sizes, batch, method);
            report(&shape, measure(criterion, device, &format!("step {name}"), &shape, samples, lay_out));
        }
    }
}

/// A step as the training loop does it, on the same batch again and again; of deep numerical ones without the look that the
/// host takes at them afterwards.
fn step(backend: &mut dyn Backend, sizes: &[usize], samples: usize, method: Method) -> Result<Recording> {
    let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
    let architecture = Architecture::new(sizes.to_vec(), Activation::Sigmoid, output)?;
    let network = Network::initialized(architecture, Initialization::Xavier, 42);
    let tensors = NetworkTensors::upload(backend, &network)?;
    let features = sizes[0];
    // Four fifths zeros, as images are.
    let pixels: Vec<u8> = (0..SAMPLES * features).map(|i| if i % 5 == 0 { (i % 251) as u8 } else { 0 }).collect();
    let labels: Vec<u8> = classes(SAMPLES).iter().map(|&class| class as u8).collect();
    let indices: Vec<u32> = (0..samples).map(|n| (n * 7919 % SAMPLES) as u32).collect();
    // The cursor never moves: every step takes the first batch.
    let (cursor, still) = (backend.words(1, "cursor")?, backend.words(1, "another cursor")?);
    let batch = Batch {
        inputs: backend.tensor(samples, features, "inputs")?,
        targets: backend.words(samples, "targets")?,
        from_bytes: true,
    };
    let options = GradientOptions { method, ..GradientOptions::default() };
    let step = GradientStep::new(backend, &tensors, &batch, options)?;
    let losses = backend.tensor(1, 1, "losses")?;
    let steps_done = backend.words(1, "steps done")?;
    let mut recording = Recording::new();
    recording.push(Gather {
        images: backend.bytes_from(&pixels, features, "images")?,
        labels: backend.bytes_from(&labels, 1, "labels")?,
        indices: backend.words_from(&indices, "indices")?,
        cursor,
        inputs: batch.inputs,
        targets: batch.targets,
    })?;
    step.record(&mut recording, &tensors, &batch, losses, cursor)?;
    recording.push(Update {
        rule: Rule::Sgd,
        learning_rate: 1e-6,
        parameters: tensors.parameters,
        gradient: step.gradient,
        state: None,
        step: steps_done,
    })?;
    recording.push(Advance { cursor: still, step: steps_done })?;
    Ok(recording)
}
