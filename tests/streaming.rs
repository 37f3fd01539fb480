//! Data that do not fit the device are streamed through it: the same batches, the same bits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::Result;
use gpu_train::backend::Backend;
use gpu_train::data::{Dataset, Sampling, Split};
use gpu_train::gradient::Method;
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use gpu_train::train::{Evaluation, Observer, Settings, train};
use support::devices::{all, cpu};
use support::draw::Draw;

/// What a run says step by step, as bits.
#[derive(Default, PartialEq, Debug)]
struct Seen {
    losses: Vec<u32>,
    evaluations: Vec<(u64, [u64; 4])>,
    parameters: Vec<u32>,
}

impl Observer for Seen {
    fn losses(&mut self, _first: u64, losses: &[f32], _seconds: f64) -> Result<()> {
        self.losses.extend(losses.iter().map(|loss| loss.to_bits()));
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        let Evaluation { step, train, test, .. } = evaluation;
        let scores = [train.loss, train.accuracy, test.loss, test.accuracy].map(f64::to_bits);
        self.evaluations.push((*step, scores));
        Ok(())
    }
}

/// `samples` images of `rows * columns` pixels, four fifths of them 0, in `classes` classes.
fn split(samples: usize, [rows, columns]: [usize; 2], classes: usize, seed: u64) -> Split {
    let mut draw = Draw::new(seed);
    let pixels = (0..samples * rows * columns).map(|_| if draw.below(5) == 0 { draw.below(256) as u8 } else { 0 });
    let labels = (0..samples).map(|sample| (sample % classes) as u8).collect();
    Split::new(pixels.collect::<Vec<u8>>(), labels, rows, columns).unwrap()
}

fn trained(backend: &mut dyn Backend, dataset: &Dataset, hidden: &[usize], settings: &Settings) -> Result<Seen> {
    let sizes = [&[dataset.train().features()], hidden, &[dataset.classes()]].concat();
    let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
    let architecture = Architecture::new(sizes, Activation::Sigmoid, output)?;
    let mut network = Network::initialized(architecture, Initialization::Xavier, 3);
    let mut seen = Seen::default();
    let summary = train(backend, dataset, &mut network, settings, &mut seen)?;
    assert_eq!(seen.losses.len() as u64, summary.steps);
    seen.parameters = network.parameters.iter().map(|parameter| parameter.to_bits()).collect();
    Ok(seen)
}

#[test]
fn streamed_data_give_the_same_bits_as_resident_ones() {
    // Rows that are no whole number of words, splits that are no whole number of chunks.
    let size = [9, 7];
    let dataset = Dataset::new("small", split(2_311, size, 5, 1), split(1_093, size, 5, 2), None).unwrap();
    for mut device in all() {
        for sampling in [Sampling::Replacement, Sampling::Epoch] {
            let method = if sampling == Sampling::Epoch { Method::Backprop } else { Method::Numerical };
            let resident = Settings {
                steps: 120,
                batch_size: 33,
                learning_rate: 0.5,
                sampling,
                method,
                // Within a block, where the evaluation uses the memory of the block.
                eval_every: Some(37),
                ..Settings::default()
            };
            let wanted = device.with(|backend| trained(backend, &dataset, &[11], &resident)).expect(&device.name);
            assert_eq!(wanted.evaluations.len(), 4, "{}", device.name);
            for memory in [1, 20_000, 140_000] {
                let streamed = Settings { memory: Some(memory), ..resident.clone() };
                let got = device.with(|backend| trained(backend, &dataset, &[11], &streamed)).expect(&device.name);
                assert!(got == wanted, "{}: {sampling:?} with {memory} bytes differs", device.name);
            }
            let other = Settings { seed: resident.seed + 1, memory: Some(20_000), ..resident };
            let other = device.with(|backend| trained(backend, &dataset, &[11], &other)).expect(&device.name);
            assert_ne!(other.losses, wanted.losses, "{}: other batches must show", device.name);
        }
    }
}

/// More images than one binding of a usual device takes, 128 MiB, and so wide that a usual chunk of them does not fit
/// as float32 either.
#[test]
fn a_split_larger_than_the_devices_largest_buffer_is_trained_on() {
    let size = [256, 256];
    let dataset = Dataset::new("large", split(2_100, size, 3, 3), split(131, size, 3, 4), None).unwrap();
    let settings = Settings {
        steps: 6,
        batch_size: 10,
        learning_rate: 0.01,
        method: Method::Backprop,
        eval_every: Some(6),
        ..Settings::default()
    };
    let reference = trained(cpu(2).backend.as_mut(), &dataset, &[], &settings).unwrap();
    for mut device in all() {
        let seen = device.with(|backend| trained(backend, &dataset, &[], &settings)).expect(&device.name);
        for (index, (&got, &expected)) in seen.losses.iter().zip(&reference.losses).enumerate() {
            let (got, expected) = (f32::from_bits(got), f32::from_bits(expected));
            // Sums of 65,536 terms, each device in an order of its own.
            let tolerance = 1e-4 * expected.abs();
            assert!((got - expected).abs() <= tolerance, "{}: step {index}: {got}, not {expected}", device.name);
        }
        let (got, expected) = (seen.evaluations[0].1, reference.evaluations[0].1);
        let [got, expected] = [got, expected].map(|scores| [scores[0], scores[2]].map(f64::from_bits));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-4 * expected, "{}: {got}, not {expected}", device.name);
        }
    }
}

/// Blocks of indices for small images in batches of a hundred thousand stay within a device's largest buffer.
#[test]
fn large_batches_of_small_images() {
    let dataset = Dataset::new("tiny", split(500, [1, 3], 2, 5), split(9, [1, 3], 2, 6), None).unwrap();
    let settings = Settings { steps: 45, batch_size: 100_000, method: Method::Backprop, ..Settings::default() };
    let reference = trained(cpu(2).backend.as_mut(), &dataset, &[], &settings).unwrap();
    assert_eq!(reference.losses.len(), 45);
    for mut device in all() {
        let seen = device.with(|backend| trained(backend, &dataset, &[], &settings)).expect(&device.name);
        let [got, expected] = [&seen, &reference].map(|seen| f32::from_bits(seen.losses[44]));
        assert!((got - expected).abs() <= 1e-4 * expected, "{}: {got}, not {expected}", device.name);
    }
}
