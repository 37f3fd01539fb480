//! The numerical gradient over a matrix of networks: depths x activations x losses x weights as they are at the beginning, in
//! the middle and after the end of training, and saturated ones x inputs that are bytes or not x step sizes, on every device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::gradient::{GradientOptions, Method, Probes};
use gpu_train::network::{Activation, OutputLoss};
use support::devices::{Device, all, cpu};
use support::network::Reference;
use support::problem::{Problem, numerical};

/// Where the quotient is the derivative to float32's rounding, where it differs a little, and where it is far off.
const STEPS: [f32; 3] = [1e-4, 1e-2, 0.5];

/// What a tensor may be off by at least, as a share of its norm; else four times what back-propagation is off by on the same
/// device, since both begin with the same float32 sums.
const ROUNDING: f64 = 1e-6;

/// The same where pre-activations stand on kinks or within a step of them, so that their own rounding counts.
const AT_KINKS: f64 = 1e-5;

/// From the inputs to the classes: no hidden layer, one, two, and four.
const DEPTHS: [&[usize]; 4] = [&[17, 5], &[17, 6, 5], &[17, 6, 7, 5], &[13, 5, 6, 4, 5, 3]];

/// What the weights have been through.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weights {
    Fresh,
    Trained,
    /// On this very batch, 600 times over: what is left of the gradient is a difference of much larger parts.
    Overtrained,
    /// So large that most units are at an end of their range.
    Saturated,
}

impl Problem {
    fn with(mut self, weights: Weights) -> Self {
        match weights {
            Weights::Fresh => {}
            Weights::Trained => self.train(50, 0.2),
            Weights::Overtrained => self.train(600, 0.2),
            Weights::Saturated => {
                // Without a bound it is the softmax alone that saturates.
                let bounded = matches!(self.network.architecture.activation, Activation::Sigmoid | Activation::Tanh);
                let layers = self.network.layout.layers();
                let first = if bounded { 0 } else { layers[layers.len() - 1].weight.range().start };
                self.network.parameters[first..].iter_mut().for_each(|p| *p *= 4.0);
            }
        }
        self.name = format!("{weights:?} {}", self.name);
        self
    }
}

/// A problem, and whether its inputs come as bytes.
struct Case {
    problem: Problem,
    bytes: bool,
}

impl Case {
    fn gradient(&self, device: &mut Device, options: GradientOptions) -> Vec<f32> {
        let found = device.with(|backend| match self.bytes {
            true => self.problem.gradient_of_bytes(backend, options),
            false => self.problem.gradient(backend, options),
        });
        found.gradient
    }

    /// Four times back-propagation's error on this device, or [`ROUNDING`]; [`AT_KINKS`] where a step leads over some.
    fn allowed(&self, device: &mut Device) -> [f64; STEPS.len()] {
        let relu = self.problem.network.architecture.activation == Activation::Relu;
        let backprop = self.gradient(device, GradientOptions { method: Method::Backprop, ..numerical(1e-4) });
        // Units that are off for every sample have no gradient to lose a share of.
        let errors = self.problem.errors(&backprop, &self.problem.derivative());
        let shares = errors.into_iter().filter(|&(_, size)| size > 0.0).map(|(off, size)| off / size);
        let lost = 4.0 * shares.fold(0.0, f64::max);
        assert!(lost.is_finite(), "{}: back-propagation gives no gradient", self.problem.name);
        STEPS.map(|step_size| lost.max(if relu && step_size > 1e-3 { AT_KINKS } else { ROUNDING }))
    }
}

/// The matrix's networks with this loss.
fn cases(output: OutputLoss) -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in DEPTHS {
        for activation in Activation::ALL {
            // Without hidden units there is nothing to activate.
            if sizes.len() == 2 && activation != Activation::Identity {
                continue;
            }
            for weights in [Weights::Fresh, Weights::Trained, Weights::Overtrained, Weights::Saturated] {
                for bytes in [true, false] {
                    let problem = Problem::new(sizes, activation, output, 11, bytes).with(weights);
                    cases.push(Case { problem, bytes });
                }
            }
        }
    }
    cases
}

/// Holds every case of the matrix with this loss to the quotient, on these devices. A tensor that float32 cannot give so
/// exactly must be one of few, and the library's own estimate must say so.
fn demand(output: OutputLoss, devices: Vec<Device>) {
    let cases = cases(output);
    let wanted: Vec<_> = cases.iter().map(|case| STEPS.map(|h| case.problem.incremental_quotient(h))).collect();
    let (mut wrong, mut tensors, mut said) = (Vec::new(), 0, 0);
    for mut device in devices {
        for (case, wanted) in cases.iter().zip(&wanted) {
            let (problem, allowed) = (&case.problem, case.allowed(&mut device));
            for ((step_size, wanted), allowed) in STEPS.into_iter().zip(wanted).zip(allowed) {
                let got = case.gradient(&mut device, numerical(step_size));
                let told = problem.wrong(&got, wanted, allowed);
                tensors += problem.network.layout.tensors().count();
                if told.is_empty() {
                    continue;
                }
                let estimates = device.with(|backend| problem.rounding(backend, numerical(step_size), &got));
                let errors = problem.errors(&got, wanted);
                let explained =
                    errors.iter().zip(estimates).all(|(&(off, size), lost)| off <= lost.max(allowed * size));
                if explained {
                    said += told.len();
                } else {
                    wrong.extend(told.into_iter().map(|told| format!("{}: h = {step_size}: {told}", device.name)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(said * 100 <= tensors, "of {tensors} tensors {said} were farther off than they should, if estimated so");
}

#[test]
fn cross_entropy() {
    demand(OutputLoss::CrossEntropy { epsilon: 1e-7 }, all());
}

#[test]
fn sum_of_squares() {
    demand(OutputLoss::SumOfSquares, all());
}

/// On the CPU alone: the adapters have it in the tests of single networks.
#[test]
fn sum_of_squares_of_the_softmax() {
    demand(OutputLoss::SoftmaxSumOfSquares, vec![cpu(1)]);
}

/// The reference itself, held to the literal quotient as far as float64 allows.
#[test]
fn the_incremental_quotient_is_the_literal_one() {
    let mut told = Vec::new();
    for output in [OutputLoss::CrossEntropy { epsilon: 1e-7 }, OutputLoss::SumOfSquares] {
        for case in cases(output) {
            for step_size in STEPS {
                let (problem, literal) = (&case.problem, case.problem.quotient(step_size));
                let incremental: Vec<f32> =
                    problem.incremental_quotient(step_size).gradient.into_iter().map(|g| g as f32).collect();
                told.extend(problem.wrong(&incremental, &literal, 1e-7));
            }
        }
    }
    assert!(told.is_empty(), "{} tensors differ:\n{}", told.len(), told.join("\n"));
}

/// What the check is for: with it, curves and single probes agree on every network; without it, curves alone fail where a
/// ReLU has a kink, and where a step is too large for the usual number of points.
#[test]
fn curves_agree_with_single_probes_and_only_the_check_makes_them() {
    let (mut differ, mut kinks, mut large) = (Vec::new(), 0, 0);
    let mut device = cpu(2);
    for case in cases(OutputLoss::CrossEntropy { epsilon: 1e-7 }) {
        let allowed = case.allowed(&mut device);
        for (step_size, allowed) in STEPS.into_iter().zip(allowed) {
            let [auto, each, curve] = [Probes::Auto, Probes::Each, Probes::Curve]
                .map(|probes| case.gradient(&mut device, GradientOptions { probes, ..numerical(step_size) }));
            let (problem, wanted) = (&case.problem, support::problem::Wanted::of(&each));
            // Both may be off.
            differ.extend(
                problem.wrong(&auto, &wanted, 2.0 * allowed).into_iter().map(|told| format!("h = {step_size}: {told}")),
            );
            if !problem.wrong(&curve, &wanted, allowed).is_empty() {
                if problem.network.architecture.activation == Activation::Relu {
                    kinks += 1;
                } else if step_size == 0.5 {
                    large += 1;
                }
            }
        }
    }
    assert!(differ.is_empty(), "{} tensors differ:\n{}", differ.len(), differ.join("\n"));
    assert!(kinks > 10 && large > 10, "without the check {kinks} ReLU networks and {large} large steps failed");
}

/// A ReLU network of which unit `j` of hidden layer `layer` has, for sample `j`, a pre-activation of 0 (as far as float32
/// says it) or half a step.
fn on_kinks(sizes: &[usize], layer: usize, step_size: f32) -> Problem {
    let mut problem = Problem::new(sizes, Activation::Relu, OutputLoss::CrossEntropy { epsilon: 1e-7 }, 11, true);
    problem.name = format!("{sizes:?}, layer {layer} on its kinks");
    let bias = problem.network.layout.layers()[layer].bias.clone();
    for unit in 0..bias.columns {
        let input: Vec<f64> = problem.inputs[unit * sizes[0]..][..sizes[0]].iter().map(|&x| x.into()).collect();
        let a = Reference::of(&problem.network).pre_activations(&input)[layer][unit];
        let wanted = if unit % 2 == 0 { 0.0 } else { f64::from(step_size) / 2.0 };
        let place = bias.range().start + unit;
        problem.network.parameters[place] = (f64::from(problem.network.parameters[place]) - a + wanted) as f32;
    }
    problem
}

#[test]
fn deep_units_on_their_kinks() {
    let mut wrong = Vec::new();
    for mut device in all() {
        for (sizes, layer) in
            [(DEPTHS[2], 0), (DEPTHS[2], 1), (DEPTHS[3], 0), (DEPTHS[3], 1), (DEPTHS[3], 2), (DEPTHS[3], 3)]
        {
            for step_size in STEPS {
                let problem = on_kinks(sizes, layer, step_size);
                let got = device.with(|backend| problem.gradient(backend, numerical(step_size)));
                let told = problem.wrong(&got.gradient, &problem.incremental_quotient(step_size), AT_KINKS);
                wrong.extend(told.into_iter().map(|told| format!("{}: h = {step_size}: {told}", device.name)));
                assert!(got.probes.expect("numerical gradients report their probes").single > 0);
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Nothing passes for the quotient at 0.5 that is none: in every row of the matrix but ReLU's.
#[test]
fn derivatives_do_not_pass() {
    let mut passed = Vec::new();
    let mut device = cpu(2);
    // Of a ReLU network whose units are all on or off at every sample, for good, quotient and derivative are nearly one.
    let bent = |case: &Case| case.problem.network.architecture.activation != Activation::Relu;
    for case in cases(OutputLoss::CrossEntropy { epsilon: 1e-7 }).into_iter().filter(bent) {
        let [.., allowed] = case.allowed(&mut device);
        let derivative = case.gradient(&mut device, GradientOptions { method: Method::Backprop, ..numerical(0.5) });
        if case.problem.wrong(&derivative, &case.problem.incremental_quotient(0.5), allowed).is_empty() {
            passed.push(case.problem.name);
        }
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}
