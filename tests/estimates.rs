//! What is said of a gradient's error, held to its error: estimates on sweeps of the step, the check and what it must
//! find, the float64 oracles against each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::backend::Backend;
use gpu_train::gradient::{
    BatchSource, CheckOptions, Difference, ErrorEstimate, GradientOptions, LiteralOptions, Method, Oracle, Rounding,
    TensorCheck, all_parameters, balanced_steps, check_gradient, device_literal_quotients, error_estimates,
    incremental_quotients, literal_quotients, measured_gradient,
};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use support::devices::{Device, adapters, cpu};
use support::draw::Draw;
use support::network::Reference;

const DIFFERENCES: [Difference; 4] =
    [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson];

const CROSS_ENTROPY: OutputLoss = OutputLoss::CrossEntropy { epsilon: 1e-7 };

/// A network and a batch of images.
struct Problem {
    name: String,
    network: Network,
    inputs: Vec<f32>,
    targets: Vec<u32>,
}

impl Problem {
    fn new(sizes: &[usize], activation: Activation, output: OutputLoss, samples: usize, scale: f32) -> Self {
        let mut draw = Draw::new(81);
        let architecture = Architecture::new(sizes.to_vec(), activation, output).unwrap();
        let mut network = Network::initialized(architecture, Initialization::Xavier, 7);
        for layer in network.layout.layers().to_vec() {
            network.parameters[layer.bias.range()].fill_with(|| draw.real(0.3));
        }
        network.parameters.iter_mut().for_each(|value| *value *= scale);
        Self {
            name: format!("{sizes:?} {} {output:?}, weights times {scale}", activation.name()),
            inputs: draw.pixels(samples * sizes[0]),
            targets: draw.words(samples, sizes[sizes.len() - 1] as u32),
            network,
        }
    }

    fn source(&self) -> BatchSource<'_> {
        BatchSource::Floats { inputs: &self.inputs, targets: &self.targets }
    }

    fn wide_inputs(&self) -> Vec<f64> {
        self.inputs.iter().map(|&x| f64::from(x)).collect()
    }

    /// A gradient and its estimates.
    fn estimated(&self, backend: &mut dyn Backend, options: GradientOptions) -> (Vec<f32>, Vec<ErrorEstimate>) {
        let source = self.source();
        let gradient = measured_gradient(backend, &self.network, &source, options, None).unwrap().gradient;
        let estimates = error_estimates(backend, &self.network, &source, options, &gradient).unwrap();
        (gradient, estimates)
    }

    fn derivative(&self) -> Vec<f64> {
        Reference::of(&self.network).back_propagation(&self.wide_inputs(), &self.targets)
    }

    /// The distance of each tensor of a gradient to another, by the norm.
    fn distances(&self, got: &[f64], wanted: &[f64]) -> Vec<f64> {
        let tensors = self.network.layout.tensors();
        tensors.map(|t| norm(got[t.range()].iter().zip(&wanted[t.range()]).map(|(got, wanted)| got - wanted))).collect()
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The smooth networks on which estimates are promised.
fn smooth() -> Vec<Problem> {
    vec![
        Problem::new(&[60, 12, 10], Activation::Sigmoid, CROSS_ENTROPY, 40, 1.0),
        Problem::new(&[60, 12, 10], Activation::Tanh, CROSS_ENTROPY, 40, 1.0),
        Problem::new(&[60, 12, 10], Activation::Tanh, OutputLoss::SoftmaxSumOfSquares, 40, 1.0),
        Problem::new(&[60, 12, 10], Activation::Sigmoid, OutputLoss::SumOfSquares, 40, 1.0),
        Problem::new(&[60, 10], Activation::Identity, CROSS_ENTROPY, 40, 1.0),
        // Sure of its answers, most of them wrong.
        Problem::new(&[60, 12, 10], Activation::Tanh, CROSS_ENTROPY, 40, 3.0),
        Problem::new(&[784, 50, 10], Activation::Sigmoid, CROSS_ENTROPY, 100, 1.0),
    ]
}

/// Where an estimate may lie, in errors.
const WINDOW: std::ops::RangeInclusive<f64> = 1.0..=10.0;

/// The tensors whose estimate, times `factor`, lies outside the window.
fn sweep(devices: Vec<Device>, difference: Difference, steps: &[f32], factor: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    for mut device in devices {
        for problem in smooth() {
            let derivative = problem.derivative();
            for &step_size in steps {
                let options = GradientOptions { difference, step_size, ..GradientOptions::default() };
                let (gradient, estimates) = device.with(|backend| problem.estimated(backend, options));
                let errors = problem.distances(&widened(&gradient), &derivative);
                for ((tensor, error), estimate) in problem.network.layout.tensors().zip(errors).zip(estimates) {
                    let ratio = factor * estimate.total() / error;
                    if !WINDOW.contains(&ratio) {
                        wrong.push(format!(
                            "{}: {}: {}, {difference:?}, h = {step_size}: error {error:.2e}, estimate {ratio:.2} times \
                             it ({estimate:?})",
                            device.name, problem.name, tensor.name
                        ));
                    }
                }
            }
        }
    }
    wrong
}

const SWEEP: [f32; 9] = [1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.25, 0.5];

#[test]
fn estimates_bound_the_error_and_stay_near_it() {
    let on_cpu = |difference| sweep(vec![cpu(2)], difference, &SWEEP, 1.0);
    let mut wrong: Vec<String> = DIFFERENCES.into_iter().flat_map(on_cpu).collect();
    wrong.extend(sweep(adapters(None), Difference::Central, &[1e-4, 3e-3, 0.1], 1.0));
    assert!(wrong.is_empty(), "{} estimates are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Estimates a fifth, or five times, as large do not pass.
#[test]
fn other_estimates_do_not_pass() {
    let all = smooth().iter().map(|problem| problem.network.layout.tensors().count()).sum::<usize>() * SWEEP.len();
    for factor in [0.2, 5.0] {
        let wrong = sweep(vec![cpu(2)], Difference::Central, &SWEEP, factor).len();
        assert!(wrong > all / 4, "times {factor}: {wrong} of {all}");
    }
}

#[test]
fn the_chosen_step_balances_truncation_and_rounding() {
    let mut device = cpu(2);
    let backend = device.backend.as_mut();
    for difference in DIFFERENCES {
        for problem in smooth() {
            let options = GradientOptions { difference, ..GradientOptions::default() };
            let source = problem.source();
            let steps = balanced_steps(backend, &problem.network, &source, options, Rounding::OfChanges).unwrap();
            assert_eq!(steps.len(), problem.network.layout.tensors().count());
            let at = |backend: &mut dyn Backend, tensor: usize, step_size: f32| {
                problem.estimated(backend, GradientOptions { step_size, ..options }).1[tensor]
            };
            // Twice the ten that estimates may be larger than errors: both of them are measured, and noisy.
            const TOO_LARGE: f32 = 20.0;
            for pair in 0..steps.len() / 2 {
                let chosen: Vec<_> = [2 * pair, 2 * pair + 1].map(|tensor| at(backend, tensor, steps[2 * pair])).into();
                let larger: Vec<_> =
                    [2 * pair, 2 * pair + 1].map(|tensor| at(backend, tensor, TOO_LARGE * steps[2 * pair])).into();
                let name = format!("{difference:?}, {}: {steps:?}: {chosen:?}, {larger:?}", problem.name);
                assert!(chosen.iter().all(|error| error.truncation < error.rounding), "{name}");
                // A step so much larger is too large for one of the two, unless it is a parabola's, or none above 0.1 is chosen.
                let parabola = problem.network.architecture.output == OutputLoss::SumOfSquares && pair > 0;
                let too_large = larger.iter().any(|error| error.truncation > error.rounding);
                assert!(too_large || steps[2 * pair] == 0.1 || parabola, "{name}");
            }
        }
    }
}

/// Networks of every depth for the oracles, which are not the engine's.
fn deep() -> Vec<Problem> {
    let outputs = [
        CROSS_ENTROPY,
        OutputLoss::CrossEntropy { epsilon: 0.0 },
        OutputLoss::SoftmaxSumOfSquares,
        OutputLoss::SumOfSquares,
    ];
    let depths: [&[usize]; 4] = [&[9, 5], &[9, 7, 5], &[9, 6, 4, 5], &[9, 5, 4, 4, 3, 5]];
    let mut problems = Vec::new();
    for sizes in depths {
        for activation in Activation::ALL {
            problems.extend(outputs.map(|output| Problem::new(sizes, activation, output, 6, 1.0)));
        }
    }
    problems
}

#[test]
fn the_oracles_are_the_textbooks_loop() {
    let mut controls = 0;
    for problem in deep() {
        let (reference, inputs) = (Reference::of(&problem.network), problem.wide_inputs());
        let (source, places) = (problem.source(), all_parameters(&problem.network));
        for difference in DIFFERENCES {
            for step_size in [1e-4, 1e-2, 0.5] {
                let h = f64::from(step_size);
                let wanted = reference.literal_difference(&inputs, &problem.targets, difference, h);
                let floor = reference.rounding_floor(&inputs, &problem.targets, h);
                let options = LiteralOptions { difference, step_size, threads: Some(2) };
                let literal = literal_quotients(&problem.network, &source, &places, options, &|_| true).unwrap();
                assert!(
                    (literal.loss - reference.loss(&inputs, &problem.targets)).abs()
                        < 1e-14 * literal.loss.abs().max(1.0)
                );
                let changes = incremental_quotients(&problem.network, &source, &places, difference, step_size).unwrap();
                let off = |got: &[f64]| {
                    places.iter().zip(got).map(|(&place, got)| (got - wanted[place]).abs()).fold(0.0, f64::max)
                };
                for (name, quotients) in [("literal", &literal.quotients), ("incremental", &changes)] {
                    let off = off(quotients);
                    assert!(
                        off <= 2.0 * floor + 1e-13,
                        "{name}: {}, {difference:?}, h = {h}: {off:e}, {floor:e}",
                        problem.name
                    );
                }
                // The quotient of another step does not pass.
                if step_size == 0.5 && problem.network.architecture.activation == Activation::Tanh {
                    let other = incremental_quotients(&problem.network, &source, &places, difference, 0.51).unwrap();
                    controls += usize::from(off(&other) > 1e-6);
                }
            }
        }
    }
    // All but three fail: of a parabola, as the raw outputs' loss without a hidden layer is one, every quotient but the
    // forward one is the derivative.
    assert_eq!(controls, 4 * 4 * 4 - 3, "controls that fail");
}

#[test]
fn threads_change_no_bit_of_the_literal_loop_and_it_stops_when_told() {
    let problem = Problem::new(&[9, 7, 5], Activation::Tanh, CROSS_ENTROPY, 6, 1.0);
    let places = all_parameters(&problem.network);
    let run = |threads| LiteralOptions { difference: Difference::Central, step_size: 1e-3, threads: Some(threads) };
    let quotients =
        |threads| literal_quotients(&problem.network, &problem.source(), &places, run(threads), &|_| true).unwrap();
    assert_eq!(quotients(1), quotients(3));
    let stopped = literal_quotients(&problem.network, &problem.source(), &places, run(2), &|done| done < 3);
    assert!(matches!(stopped, Err(gpu_train::Error::Interrupted)), "{stopped:?}");
    let gap = places.iter().max().unwrap() + 1;
    assert!(literal_quotients(&problem.network, &problem.source(), &[gap], run(1), &|_| true).is_err());
}

/// Checks a gradient as the command does.
fn checked(
    problem: &Problem,
    gradient: &[f32],
    estimates: &[ErrorEstimate],
    options: GradientOptions,
) -> Vec<TensorCheck> {
    let derivative: Vec<f32> = problem.derivative().into_iter().map(|value| value as f32).collect();
    let how = CheckOptions { difference: options.difference, step_size: options.step_size, ..CheckOptions::default() };
    check_gradient(&problem.network, &problem.source(), gradient, estimates, &derivative, how).unwrap()
}

#[test]
fn sound_gradients_pass_the_check() {
    let mut problems = smooth();
    problems.push(Problem::new(&[60, 12, 10], Activation::Relu, CROSS_ENTROPY, 40, 1.0));
    problems.push(Problem::new(&[60, 12, 10], Activation::Sigmoid, CROSS_ENTROPY, 40, 10.0));
    for mut device in adapters(None).into_iter().chain([cpu(2)]) {
        for problem in &problems {
            for difference in DIFFERENCES {
                for step_size in [1e-4, 1e-2, 0.5] {
                    let options = GradientOptions { difference, step_size, ..GradientOptions::default() };
                    let (gradient, estimates) = device.with(|backend| problem.estimated(backend, options));
                    let checks = checked(problem, &gradient, &estimates, options);
                    assert!(checks.iter().all(|check| check.passed), "{}: {}: {checks:#?}", device.name, problem.name);
                }
            }
        }
    }
}

/// What is wrong with a gradient, and in which tensors of four the check must see it.
#[test]
fn wrong_gradients_do_not_pass_the_check() {
    let problem = Problem::new(&[60, 12, 10], Activation::Tanh, CROSS_ENTROPY, 40, 1.0);
    let mut device = cpu(2);
    let backend = device.backend.as_mut();
    let options = GradientOptions { step_size: 0.5, ..GradientOptions::default() };
    let (sound, estimates) = problem.estimated(backend, options);
    let verdicts = |gradient: &[f32]| -> Vec<bool> {
        checked(&problem, gradient, &estimates, options).iter().map(|check| check.passed).collect()
    };
    assert_eq!(verdicts(&sound), [true; 4]);
    let spoilt = |spoil: &dyn Fn(&mut [f32])| {
        let mut gradient = sound.clone();
        spoil(&mut gradient[problem.network.layout.layers()[0].weight.range()]);
        gradient
    };
    let first = [false, true, true, true];
    let all = [false; 4];
    // At h = 0.5 the derivative is not the quotient.
    let derivative = GradientOptions { method: Method::Backprop, ..options };
    let derivative =
        measured_gradient(backend, &problem.network, &problem.source(), derivative, None).unwrap().gradient;
    let other = problem.estimated(backend, GradientOptions { step_size: 0.49, ..options }).0;
    for (name, gradient, expected) in [
        ("a tensor a thousandth too large", spoilt(&|tensor| tensor.iter_mut().for_each(|g| *g *= 1.001)), first),
        ("a tensor of zeros", spoilt(&|tensor| tensor.fill(0.0)), first),
        ("a tensor backwards", spoilt(&<[f32]>::reverse), first),
        ("a NaN", spoilt(&|tensor| tensor[17] = f32::NAN), first),
        ("one element far off", spoilt(&|tensor| tensor[17] += 1.0), first),
        ("the derivative", derivative, all),
        ("another step", other, all),
    ] {
        assert_eq!(verdicts(&gradient), expected, "{name}");
    }
}

/// Four hidden layers of small weights: the literal quotient's own rounding hides the gradient, and that is told.
#[test]
fn the_check_says_where_the_literal_loop_is_too_coarse() {
    let problem = Problem::new(&[9, 5, 4, 4, 3, 5], Activation::Sigmoid, CROSS_ENTROPY, 6, 0.3);
    let options = GradientOptions::default();
    let places = all_parameters(&problem.network);
    let exact =
        incremental_quotients(&problem.network, &problem.source(), &places, Difference::Central, options.step_size)
            .unwrap();
    let mut gradient = vec![0.0; problem.network.layout.len()];
    for (&place, quotient) in places.iter().zip(&exact) {
        gradient[place] = *quotient as f32;
    }
    let estimates = vec![ErrorEstimate { truncation: 0.0, rounding: 0.0 }; problem.network.layout.tensors().count()];
    let checks = checked(&problem, &gradient, &estimates, options);
    assert_eq!(checks[0].oracle, Oracle::Incremental, "{checks:#?}");
    assert!(checks[0].quotient_error < 1e-7, "{checks:#?}");
    let literal = LiteralOptions { difference: Difference::Central, step_size: options.step_size, threads: None };
    let literal = literal_quotients(&problem.network, &problem.source(), &places, literal, &|_| true).unwrap();
    let range = problem.network.layout.layers()[0].weight.range();
    let off = norm(literal.quotients[range.clone()].iter().zip(&exact[range.clone()]).map(|(a, b)| a - b));
    let share = off / norm(exact[range].iter().copied());
    assert!(share > 1e-6, "the literal loop would do: {share:e}");
}

/// With several nodes a gradient is the sum of products of several orders, whose terms shrink with the order. They must
/// not be rounded away: at these steps the second order's terms are about a unit in the last place of the sum.
#[test]
fn small_terms_of_curves_are_not_rounded_away() {
    let problem = Problem::new(&[60, 50, 10], Activation::Sigmoid, CROSS_ENTROPY, 100, 1.0);
    let places = all_parameters(&problem.network);
    for mut device in adapters(None).into_iter().chain([cpu(2)]) {
        for step_size in [5e-3, 1e-2, 2e-2] {
            let central = Difference::Central;
            let exact =
                incremental_quotients(&problem.network, &problem.source(), &places, central, step_size).unwrap();
            let mut wanted = vec![0.0; problem.network.layout.len()];
            places.iter().zip(&exact).for_each(|(&place, &quotient)| wanted[place] = quotient);
            let options = GradientOptions { step_size, ..GradientOptions::default() };
            let got = device.with(|backend| problem.estimated(backend, options).0);
            let errors = problem.distances(&widened(&got), &wanted);
            let sizes = problem.distances(&wanted, &vec![0.0; wanted.len()]);
            for (error, size) in errors.iter().zip(sizes) {
                // Twice what one order alone has; with the orders the other way around it is 2e-6.
                assert!(error / size < 4e-7, "{}: h = {step_size}: {errors:?}", device.name);
            }
        }
    }
}

/// In float32 a literal quotient is what two rounded losses leave of it: near the truth where the step is large, and
/// far off at the usual step. Both are shown, on every device.
#[test]
fn literal_quotients_on_devices_are_as_exact_as_their_losses() {
    for mut device in adapters(None).into_iter().chain([cpu(2)]) {
        for problem in deep() {
            let places = all_parameters(&problem.network);
            for difference in DIFFERENCES {
                for step_size in [1e-4f32, 0.25] {
                    let options = LiteralOptions { difference, step_size, threads: None };
                    let source = problem.source();
                    let got = device.with(|backend| {
                        device_literal_quotients(backend, &problem.network, &source, &places, options, &|_| true)
                            .unwrap()
                    });
                    let exact = literal_quotients(&problem.network, &source, &places, options, &|_| true).unwrap();
                    // Two or four losses, each rounded a few times on its way through the layers, by the step; and the
                    // step itself, rounded to the parameters' last digit, which bends the higher quotients.
                    let allowed = 40.0 * f64::from(f32::EPSILON) * (1.0 + exact.loss.abs()) / f64::from(step_size);
                    let off = |quotients: &[f64]| {
                        let pairs = quotients.iter().zip(&exact.quotients);
                        pairs.map(|(got, exact)| (got - exact).abs()).fold(0.0, f64::max)
                    };
                    let worst = off(&got.quotients);
                    assert!(
                        worst <= allowed,
                        "{}: {}, {difference:?}, h = {step_size}: {worst:e}",
                        device.name,
                        problem.name
                    );
                    assert!((got.loss - exact.loss).abs() < 1e-5 * (1.0 + exact.loss));
                    // The negative control: quotients of neighbours.
                    let mut shifted = got.quotients.clone();
                    shifted.rotate_left(1);
                    assert!(step_size < 0.1 || off(&shifted) > allowed, "{}: neighbours pass", problem.name);
                }
            }
        }
        let problem = Problem::new(&[60, 12, 10], Activation::Tanh, CROSS_ENTROPY, 40, 1.0);
        let places = all_parameters(&problem.network);
        let options = LiteralOptions { difference: Difference::Central, step_size: 1e-4, threads: None };
        let exact = literal_quotients(&problem.network, &problem.source(), &places, options, &|_| true).unwrap();
        let share = |step_size: f32, backend: &mut dyn Backend| {
            let options = LiteralOptions { step_size, ..options };
            let source = problem.source();
            let got =
                device_literal_quotients(backend, &problem.network, &source, &places, options, &|_| true).unwrap();
            norm(got.quotients.iter().zip(&exact.quotients).map(|(got, exact)| got - exact))
                / norm(exact.quotients.iter().copied())
        };
        let [small, large] = [1e-4, 3e-2].map(|step_size| device.with(|backend| share(step_size, backend)));
        assert!(small > 1e-3 && large < 1e-3, "{}: {small:e} at 1e-4, {large:e} at 0.03", device.name);
    }
}
