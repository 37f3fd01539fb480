//! Gradients along random directions: held to the float64 quotients along the same directions, and to what they are
//! for, the gradient itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::backend::{Backend, Recording};
use gpu_train::data::Dataset;
use gpu_train::gradient::{
    Batch, BatchGradient, GradientOptions, GradientStep, Method, NetworkTensors, Objective, batch_gradient,
};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use gpu_train::train::{Optimizer, Settings, train};
use support::devices::{all, cpu};
use support::draw::Draw;
use support::network::Reference;
use support::reference::{argmax, direction};

const CROSS_ENTROPY: OutputLoss = OutputLoss::CrossEntropy { epsilon: 1e-7 };

const SEED: u64 = 0xfeed_0000_0007;

struct Problem {
    network: Network,
    inputs: Vec<f32>,
    targets: Vec<u32>,
}

impl Problem {
    fn new(sizes: &[usize], activation: Activation, output: OutputLoss, samples: usize) -> Self {
        let mut draw = Draw::new(81);
        let architecture = Architecture::new(sizes.to_vec(), activation, output).unwrap();
        let network = Network::initialized(architecture, Initialization::Xavier, 5);
        let inputs = draw.pixels(samples * sizes[0]);
        Self { network, inputs, targets: draw.words(samples, sizes[sizes.len() - 1] as u32) }
    }

    fn gradient(&self, backend: &mut dyn Backend, options: GradientOptions) -> BatchGradient {
        batch_gradient(backend, &self.network, &self.inputs, &self.targets, options).unwrap()
    }

    fn wide_inputs(&self) -> Vec<f64> {
        self.inputs.iter().map(|&x| f64::from(x)).collect()
    }

    /// What the objective is with every parameter moved by `h` along a direction.
    fn moved(&self, u: &[f64], h: f64, objective: Objective) -> f64 {
        let (mut moved, inputs) = (Reference::of(&self.network), self.wide_inputs());
        moved.parameters.iter_mut().zip(u).for_each(|(parameter, u)| *parameter += h * u);
        match objective {
            Objective::Loss => moved.loss(&inputs, &self.targets),
            Objective::Accuracy => {
                let rows = inputs.chunks_exact(self.network.architecture.inputs()).zip(&self.targets);
                let wrong = rows.filter(|(row, target)| argmax(moved.pre_activations(row).last().unwrap()) != **target);
                wrong.count() as f64 / self.targets.len() as f64
            }
        }
    }

    fn directions(&self, options: GradientOptions, step: u32) -> Vec<Vec<f64>> {
        let len = self.network.layout.len();
        (0..options.directions as u32).map(|k| direction(options.seed, step, k, 0..len)).collect()
    }

    /// The estimate from float64 quotients along the same directions.
    fn estimate(&self, options: GradientOptions, step: u32) -> Vec<f64> {
        let h = f64::from(options.step_size);
        self.weighted(&self.directions(options, step), |u| {
            (self.moved(u, h, options.objective) - self.moved(u, -h, options.objective)) / (2.0 * h)
        })
    }

    /// The estimate from the derivatives by back-propagation along the same directions.
    fn derivatives(&self, options: GradientOptions) -> Vec<f64> {
        let gradient = self.back_propagation();
        self.weighted(&self.directions(options, 0), |u| self.places().map(|i| gradient[i] * u[i]).sum())
    }

    fn back_propagation(&self) -> Vec<f64> {
        Reference::of(&self.network).back_propagation(&self.wide_inputs(), &self.targets)
    }

    fn weighted(&self, directions: &[Vec<f64>], coefficient: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let mut mean = vec![0.0; self.network.layout.len()];
        for u in directions {
            let coefficient = coefficient(u) / directions.len() as f64;
            mean.iter_mut().zip(u).for_each(|(mean, u)| *mean += coefficient * u);
        }
        mean
    }

    /// The places of parameters in the block, which has gaps.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.network.layout.tensors().flat_map(|tensor| tensor.range())
    }

    /// The largest difference of any parameter's element.
    fn largest_error(&self, got: &[f32], expected: &[f64]) -> f64 {
        assert_eq!(got.len(), self.network.layout.len(), "a gradient is laid out as the parameters");
        let off = self.places().map(|i| (f64::from(got[i]) - expected[i]).abs());
        // A NaN is larger than anything.
        off.fold(0.0, |most, off| if off.is_nan() || off > most { off } else { most })
    }

    /// What rounding may do to an element: each of two losses of a sample is wrong by about a unit in its last place,
    /// the mean over samples by less, and the difference is divided by `2h`.
    fn rounding(&self, step_size: f32) -> f64 {
        let loss = Reference::of(&self.network).loss(&self.wide_inputs(), &self.targets);
        4.0 * f64::from(f32::EPSILON) * loss.max(1.0) / (2.0 * f64::from(step_size))
    }
}

fn options(directions: usize, step_size: f32) -> GradientOptions {
    GradientOptions { method: Method::Directional, directions, step_size, seed: SEED, ..GradientOptions::default() }
}

/// Of every depth, each activation and loss, where the step is small and where the quotient is no derivative.
#[test]
fn estimates_are_the_float64_quotients_times_the_directions() {
    let depths: [&[usize]; 4] = [&[31, 5], &[31, 17, 5], &[31, 9, 8, 5], &[40, 16, 12, 9, 3]];
    let outputs = [
        CROSS_ENTROPY,
        OutputLoss::CrossEntropy { epsilon: 0.0 },
        OutputLoss::SoftmaxSumOfSquares,
        OutputLoss::SumOfSquares,
    ];
    let mut wrong = Vec::new();
    for mut device in all() {
        for (index, activation) in Activation::ALL.into_iter().enumerate() {
            for (depth, sizes) in depths.into_iter().enumerate() {
                let output = outputs[(index + depth) % outputs.len()];
                let problem = Problem::new(sizes, activation, output, 21);
                for (directions, step_size) in [(3, 1e-3), (70, 0.05)] {
                    let options = options(directions, step_size);
                    let got = device.with(|backend| problem.gradient(backend, options));
                    let (off, allowed) = (
                        problem.largest_error(&got.gradient, &problem.estimate(options, 0)),
                        problem.rounding(step_size),
                    );
                    if off > allowed || off.is_nan() {
                        wrong.push(format!(
                            "{}: {sizes:?} {activation:?} {output:?} h {step_size}: {off:e}, allowed {allowed:e}",
                            device.name
                        ));
                    }
                    assert_eq!(got.loss_evaluations, (1 + 2 * directions) as f64, "forward passes are counted");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} estimates are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// At a small step, the derivative by back-propagation times the direction; at a large one not, nor with other
/// directions: the controls of the test above.
#[test]
fn at_a_small_step_they_are_back_propagations_derivatives() {
    let problem = Problem::new(&[31, 9, 5], Activation::Tanh, CROSS_ENTROPY, 21);
    let mut device = cpu(2);
    let mut error = |options: GradientOptions, expected: &[f64]| {
        problem.largest_error(&problem.gradient(device.backend.as_mut(), options).gradient, expected)
    };
    let small = options(3, 1e-3);
    let derivatives = problem.derivatives(small);
    // The quotient's own error is h^2 / 6 times the third derivative along some 300 parameters at once: 1e-4 is ample.
    assert!(error(small, &derivatives) < problem.rounding(1e-3) + 1e-4);
    let controls = [
        ("a large step", options(3, 0.1), &derivatives),
        ("another seed", GradientOptions { seed: SEED + 1, ..small }, &derivatives),
        ("the directions of the next step", small, &problem.estimate(small, 1)),
        ("a direction more", options(4, 1e-3), &derivatives),
        ("another objective", GradientOptions { objective: Objective::Accuracy, ..small }, &derivatives),
    ];
    for (name, options, expected) in controls {
        let off = error(options, expected);
        assert!(off > 2e-3, "{name} passes: {off:e}");
    }
}

/// The mean over `K` directions comes to `sqrt(P / K)` of the gradient, as it should: neither farther nor nearer.
#[test]
fn many_directions_come_to_the_gradient() {
    let problem = Problem::new(&[6, 4, 3], Activation::Tanh, CROSS_ENTROPY, 33);
    let gradient = problem.back_propagation();
    let parameters = problem.network.architecture.parameter_count() as f64;
    let norm = |values: &dyn Fn(usize) -> f64| problem.places().map(|i| values(i).powi(2)).sum::<f64>().sqrt();
    for mut device in all() {
        for directions in [100, 10_000] {
            let got = device.with(|backend| problem.gradient(backend, options(directions, 1e-3))).gradient;
            let off = norm(&|i| f64::from(got[i]) - gradient[i]) / norm(&|i| gradient[i]);
            let expected = (parameters / directions as f64).sqrt();
            // Of some 40 squares that add up, the root is within a third of its mean.
            assert!(
                (0.6 * expected..1.4 * expected).contains(&off),
                "{}: {directions}: {off}, expected {expected}",
                device.name
            );
        }
    }
}

/// Bits, not tolerances: and other ones for another seed.
#[test]
fn the_same_seed_gives_the_same_bits_whatever_the_threads() {
    let problem = Problem::new(&[101, 33, 20, 10], Activation::Gelu, CROSS_ENTROPY, 37);
    let bits = |threads: usize, seed: u64| -> Vec<u32> {
        let options = GradientOptions { seed, ..options(37, 1e-3) };
        let gradient = problem.gradient(cpu(threads).backend.as_mut(), options).gradient;
        gradient.into_iter().map(f32::to_bits).collect()
    };
    let one = bits(1, SEED);
    for threads in [2, 3, 5] {
        assert!(one == bits(threads, SEED), "{threads} threads give other bits");
    }
    assert!(one != bits(1, SEED + 1), "the seed makes no difference");
}

/// A prepared step that runs again has the directions of the next step.
#[test]
fn each_step_has_directions_of_its_own() {
    let problem = Problem::new(&[31, 9, 5], Activation::Sigmoid, CROSS_ENTROPY, 21);
    let options = options(5, 1e-2);
    for mut device in all() {
        let gradients = device.with(|backend| {
            let network = NetworkTensors::upload(backend, &problem.network).unwrap();
            let batch = Batch {
                inputs: backend.tensor_from(&problem.inputs, 21, 31, "inputs").unwrap(),
                targets: backend.words_from(&problem.targets, "targets").unwrap(),
                from_bytes: true,
            };
            let (losses, cursor) = (backend.tensor(1, 1, "loss").unwrap(), backend.words(1, "cursor").unwrap());
            let step = GradientStep::new(backend, &network, &batch, options).unwrap();
            let mut recording = Recording::new();
            step.record(&mut recording, &network, &batch, losses, cursor).unwrap();
            let program = backend.prepare(&recording).unwrap();
            [0; 3].map(|_| {
                backend.run(program, 1).unwrap();
                backend.read_tensor(step.gradient).unwrap()
            })
        });
        for (step, gradient) in gradients.iter().enumerate() {
            let off = problem.largest_error(gradient, &problem.estimate(options, step as u32));
            assert!(off <= problem.rounding(1e-2), "{}: step {step}: {off:e}", device.name);
        }
    }
}

/// The accuracy is counted, so the quotients are exact; of infinitely small steps they are 0.
#[test]
fn the_accuracy_itself_can_be_the_objective() {
    let problem = Problem::new(&[31, 9, 5], Activation::Tanh, CROSS_ENTROPY, 101);
    for mut device in all() {
        let mut gradient = |step_size: f32| {
            let options = GradientOptions { objective: Objective::Accuracy, ..options(40, step_size) };
            (device.with(|backend| problem.gradient(backend, options)).gradient, problem.estimate(options, 0))
        };
        let (got, expected) = gradient(0.1);
        let off = problem.largest_error(&got, &expected);
        // Sums of 40 multiples of 1/20.2 in float32.
        assert!(off <= 1e-5, "{}: {off:e}", device.name);
        assert!(expected.iter().any(|g| g.abs() > 0.1), "there is something to descend");
        let (got, _) = gradient(1e-9);
        assert!(got.iter().all(|&g| g == 0.0), "{}: where no answer changes there is no slope", device.name);
    }
}

fn trained(settings: &Settings, activation: Activation) -> (Network, f64, f64) {
    let digits = Dataset::open("digits", None).unwrap();
    let architecture = Architecture::new(vec![784, 20, 10], activation, CROSS_ENTROPY).unwrap();
    let mut network = Network::initialized(architecture, Initialization::Xavier, 42);
    let summary = train(cpu(2).backend.as_mut(), &digits, &mut network, settings, &mut ()).unwrap();
    (network, summary.evaluation.test.accuracy, summary.loss_evaluations)
}

/// With every optimiser, and with the accuracy as the objective; guessing is right one time in ten.
#[test]
fn training_learns() {
    let loss =
        Settings { method: Method::Directional, step_size: 1e-3, steps: 150, batch_size: 50, ..Settings::default() };
    let runs = [
        ("sgd", Settings { learning_rate: 0.1, ..loss.clone() }),
        ("momentum", Settings { rule: Optimizer::Momentum.rule(), learning_rate: 0.01, ..loss.clone() }),
        ("adam", Settings { rule: Optimizer::Adam.rule(), learning_rate: 0.01, ..loss.clone() }),
        ("accuracy", Settings { objective: Objective::Accuracy, step_size: 0.03, learning_rate: 0.03, ..loss.clone() }),
    ];
    for (name, settings) in runs {
        let (network, accuracy, evaluations) = trained(&settings, Activation::Tanh);
        assert!(accuracy > 0.3, "{name}: {accuracy}");
        assert_eq!(evaluations, 150.0 * 65.0, "{name}: forward passes are counted");
        let gap =
            network.layout.tensors().map(|tensor| tensor.range().end).find(|end| !end.is_multiple_of(64)).unwrap();
        assert_eq!(network.parameters[gap], 0.0, "{name}: what lies between tensors stays 0");
    }
    // The control: steps so short that no answer changes teach nothing.
    let blind = Settings { objective: Objective::Accuracy, step_size: 1e-9, steps: 20, ..loss };
    let (_, accuracy, _) = trained(&blind, Activation::Tanh);
    assert!(accuracy < 0.25, "{accuracy}");
}
