//! Gradients on every device against float64: numerical ones against the literal central difference quotient, at step
//! sizes where it is the derivative to rounding and where it is not; back-propagation against back-propagation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::backend::{Matmul, Op};
use gpu_train::gradient::{Difference, GradientOptions, Method, Probes, batch_gradient};
use gpu_train::network::{Activation, OutputLoss};
use support::devices::{all, cpu};
use support::draw::Draw;
use support::faulty::{Fault, Faulty, Rewrite};
use support::network::Reference;
use support::problem::{OUTPUTS, Problem, Wanted, numerical};

/// Largest relative error of a tensor, by its norm: float32's rounding in two sums of a few hundred terms.
const ROUNDING: f64 = 2e-6;

/// The same where a pre-activation stands on a kink or within a step of it, so that its own rounding counts.
const AT_KINKS: f64 = 1e-5;

/// Where the quotient is the derivative to float32's rounding, where it differs a little, and where it is far off.
const STEPS: [f32; 3] = [1e-4, 1e-2, 0.5];

/// Holds numerical gradients on all devices to the literal quotients, and tells all that is wrong at once.
fn demand_quotients(problems: &[Problem], steps: &[f32]) {
    let wanted: Vec<(&Problem, f32, Wanted)> = problems
        .iter()
        .flat_map(|problem| steps.iter().map(move |&step_size| (problem, step_size, problem.quotient(step_size))))
        .collect();
    let mut wrong = Vec::new();
    for mut device in all() {
        for (problem, step_size, wanted) in &wanted {
            let got = device.with(|backend| problem.gradient(backend, numerical(*step_size)));
            let told = problem.wrong(&got.gradient, wanted, ROUNDING);
            wrong.extend(told.into_iter().map(|told| format!("{}: h = {step_size}: {told}", device.name)));
            let loss = problem.loss();
            if (f64::from(got.loss) - loss).abs() > 2e-6 * loss.abs() {
                wrong.push(format!("{}: {}: the loss is {}, expected {loss}", device.name, problem.name, got.loss));
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn numerical_gradients_are_the_literal_quotients_for_every_activation_and_loss() {
    let mut problems = Vec::new();
    for output in OUTPUTS {
        for images in [true, false] {
            problems.push(Problem::new(&[31, 5], Activation::Identity, output, 21, images));
            for activation in Activation::ALL {
                problems.push(Problem::new(&[31, 6, 5], activation, output, 21, images));
            }
        }
    }
    problems.push(Problem::new(&[1, 1, 2], Activation::Sigmoid, OUTPUTS[0], 1, false));
    problems.push(Problem::new(&[7, 33, 2], Activation::Tanh, OUTPUTS[1], 3, true));
    demand_quotients(&problems, &STEPS);
}

/// The larger the step, the more points a curve is sampled at: here the steps that ask most of each number of them.
#[test]
fn steps_between_the_usual_ones() {
    let (mut problems, mut unbounded) = (Vec::new(), Vec::new());
    for output in OUTPUTS {
        for images in [true, false] {
            for activation in [Activation::Sigmoid, Activation::Tanh] {
                problems.push(Problem::new(&[31, 6, 5], activation, output, 21, images));
            }
            for activation in [Activation::Gelu, Activation::Softplus] {
                unbounded.push(Problem::new(&[31, 6, 5], activation, output, 21, images));
            }
        }
    }
    demand_quotients(&problems, &[3e-4, 3e-3, 0.02, 0.1, 0.25, 0.7, 1.5]);
    // Hidden units without a bound are inputs of the logits' layer: at a step of 1.5 they move logits by ten and more,
    // which no number of points on a curve follows to rounding.
    demand_quotients(&unbounded, &[3e-4, 3e-3, 0.02, 0.1, 0.25, 0.7]);
}

/// Two to four hidden layers: what is behind a probed unit is followed through all of them.
#[test]
fn deep_networks() {
    let mut problems = Vec::new();
    for activation in Activation::ALL {
        for (output, images) in [(OUTPUTS[0], true), (OUTPUTS[1], false), (OUTPUTS[2], true), (OUTPUTS[3], true)] {
            problems.push(Problem::new(&[31, 7, 6, 5], activation, output, 21, images));
        }
        problems.push(Problem::new(&[23, 6, 9, 5, 4], activation, OUTPUTS[0], 11, true));
        problems.push(Problem::new(&[13, 5, 6, 4, 5, 3], activation, OUTPUTS[0], 9, true));
    }
    // More classes, and more units, than are worked on side by side.
    problems.push(Problem::new(&[9, 33, 18, 13], Activation::Tanh, OUTPUTS[0], 5, true));
    let mut wrong = Vec::new();
    for mut device in all() {
        for problem in &problems {
            // What float32 loses in the forward pass, back-propagation loses as well: four times its error.
            let options = GradientOptions { method: Method::Backprop, ..numerical(1e-4) };
            let backprop = device.with(|backend| problem.gradient(backend, options)).gradient;
            let allowed = (4.0 * problem.largest_relative_error(&backprop, &problem.derivative())).max(1e-6);
            assert!(allowed < 1e-5, "{}: {}: {allowed:e}", device.name, problem.name);
            for step_size in STEPS {
                let got = device.with(|backend| problem.gradient(backend, numerical(step_size)));
                let told = problem.wrong(&got.gradient, &problem.quotient(step_size), allowed);
                wrong.extend(told.into_iter().map(|told| format!("{}: h = {step_size}: {told}", device.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// At a short step units behind may still move far, where an input is large: each form of their changes has its turn, and the
/// ends of each.
#[test]
fn moves_of_every_length_behind() {
    let factors = (0..9).map(|power| 4f32.powi(power));
    let kinds = factors.flat_map(|factor| Activation::ALL.map(|activation| (factor, activation)));
    let problems = kinds.flat_map(|(factor, activation)| {
        [OUTPUTS[0], OUTPUTS[3]].map(|output| {
            let mut problem = Problem::new(&[9, 18, 7, 5], activation, output, 6, false);
            problem.name = format!("an input of {factor}, {}", problem.name);
            problem.inputs.iter_mut().step_by(9).for_each(|x| *x = factor);
            // The pre-activations stay what they are.
            problem.network.parameters[..18].iter_mut().for_each(|w| *w /= factor);
            problem
        })
    });
    let wanted: Vec<_> = problems.map(|problem| (problem.incremental_quotient(1e-4), problem)).collect();
    let mut wrong = Vec::new();
    for mut device in all() {
        for (wanted, problem) in &wanted {
            let got = device.with(|backend| problem.gradient(backend, numerical(1e-4)));
            let relu = problem.network.architecture.activation == Activation::Relu;
            let told = problem.wrong(&got.gradient, wanted, if relu { AT_KINKS } else { ROUNDING });
            wrong.extend(told.into_iter().map(|told| format!("{}: {told}", device.name)));
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// One chunk or many, the result is the same to the bit.
#[test]
fn memory_changes_nothing() {
    let problem = Problem::new(&[23, 16, 9, 5, 4], Activation::Tanh, OUTPUTS[0], 11, true);
    for mut device in all() {
        for step_size in [1e-4, 0.5] {
            let [ample, scarce] = [None, Some(1 << 12)].map(|memory| {
                let options = GradientOptions { memory, ..numerical(step_size) };
                device.with(|backend| problem.gradient(backend, options)).gradient
            });
            assert!(ample == scarce, "{}: h = {step_size}: the budget of memory changes the gradient", device.name);
        }
    }
}

#[test]
fn images_of_17_by_13_in_7_classes() {
    let problems = [OutputLoss::SumOfSquares, OutputLoss::SoftmaxSumOfSquares]
        .map(|output| Problem::new(&[17 * 13, 11, 7], Activation::Tanh, output, 25, true));
    demand_quotients(&problems, &STEPS);
}

#[test]
fn probing_each_parameter_gives_the_same_as_the_curves() {
    let mut wrong = Vec::new();
    for mut device in all() {
        for activation in Activation::ALL {
            for (output, images) in [(OUTPUTS[0], true), (OUTPUTS[2], false), (OUTPUTS[3], true)] {
                let problem = Problem::new(&[31, 6, 5], activation, output, 21, images);
                for step_size in STEPS {
                    let each = GradientOptions { probes: Probes::Each, ..numerical(step_size) };
                    let [each, auto] = [each, numerical(step_size)]
                        .map(|options| device.with(|backend| problem.gradient(backend, options)));
                    let gradient = each.gradient.iter().map(|&g| f64::from(g)).collect();
                    let told = problem.wrong(&auto.gradient, &Wanted { gradient, floor: 0.0 }, 1e-6);
                    wrong.extend(told.into_iter().map(|told| format!("{}: h = {step_size}: {told}", device.name)));
                    let report = each.probes.expect("numerical gradients report their probes");
                    assert_eq!(report.single, 21 * (6 + 5), "each curve of both layers is probed singly");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors differ:\n{}", wrong.len(), wrong.join("\n"));
}

const DIFFERENCES: [Difference; 4] =
    [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson];

impl Problem {
    fn difference(&self, difference: Difference, step_size: f32) -> Wanted {
        let (reference, inputs) = (Reference::of(&self.network), self.wide_inputs());
        let h = f64::from(step_size);
        Wanted {
            gradient: reference.literal_difference(&inputs, &self.targets, difference, h),
            floor: reference.rounding_floor(&inputs, &self.targets, h),
        }
    }
}

#[test]
fn every_difference_is_its_literal_quotient() {
    let mut problems = Vec::new();
    for output in [OUTPUTS[0], OUTPUTS[2], OUTPUTS[3]] {
        for activation in Activation::ALL {
            problems.push(Problem::new(&[31, 6, 5], activation, output, 21, activation != Activation::Tanh));
        }
    }
    problems.push(Problem::new(&[31, 5], Activation::Identity, OUTPUTS[1], 21, false));
    let mut wanted = Vec::new();
    for problem in &problems {
        for difference in DIFFERENCES {
            for step_size in STEPS {
                wanted.push((problem, difference, step_size, problem.difference(difference, step_size)));
            }
        }
    }
    let mut wrong = Vec::new();
    for mut device in all() {
        for (problem, difference, step_size, wanted) in &wanted {
            let options = GradientOptions { difference: *difference, ..numerical(*step_size) };
            let got = device.with(|backend| problem.gradient(backend, options));
            let told = problem.wrong(&got.gradient, wanted, ROUNDING);
            wrong.extend(
                told.into_iter().map(|told| format!("{}: {difference:?}, h = {step_size}: {told}", device.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// None of the quotients passes for another, nor for itself at a larger step.
#[test]
fn differences_do_not_pass_for_each_other() {
    let problem = Problem::new(&[31, 6, 5], Activation::Tanh, OUTPUTS[0], 21, true);
    let mut device = cpu(2);
    let backend = device.backend.as_mut();
    for asked in DIFFERENCES {
        let wanted = problem.difference(asked, 0.5);
        for given in DIFFERENCES {
            let got = problem.gradient(backend, GradientOptions { difference: given, ..numerical(0.5) }).gradient;
            let wrong = problem.wrong(&got, &wanted, ROUNDING).len();
            assert_eq!(wrong, if given == asked { 0 } else { 4 }, "{given:?} as {asked:?}");
        }
        let other = problem.gradient(backend, GradientOptions { difference: asked, ..numerical(0.6) }).gradient;
        assert_eq!(problem.wrong(&other, &wanted, ROUNDING).len(), 4, "{asked:?} at another step");
    }
}

#[test]
fn a_forward_difference_has_no_even_curve() {
    let problem = Problem::new(&[31, 6, 5], Activation::Tanh, OUTPUTS[0], 21, true);
    let options = GradientOptions { difference: Difference::Forward, probes: Probes::Curve, ..numerical(0.1) };
    let mut device = cpu(1);
    let refused = batch_gradient(device.backend.as_mut(), &problem.network, &problem.inputs, &problem.targets, options);
    assert!(refused.is_err(), "it must not be taken for the central one");
}

/// A two-layer ReLU network of which hidden unit `j` has, for sample `j`, a pre-activation of exactly 0 (`j` even) or
/// half a step (`j` odd). Inputs and weights are multiples of 1/8, so that their sums are exact.
fn on_kinks(step_size: f32) -> Problem {
    let mut problem = Problem::new(&[31, 12, 5], Activation::Relu, OUTPUTS[0], 21, true);
    let mut draw = Draw::new(72);
    problem.name = format!("on kinks at h = {step_size}");
    problem.inputs.fill_with(|| draw.below(9) as f32 / 8.0);
    let layer = problem.network.layout.layers()[0].clone();
    let parameters = &mut problem.network.parameters;
    parameters[layer.weight.range()].fill_with(|| (draw.below(17) as f32 - 8.0) / 8.0);
    for unit in 0..12 {
        let weight = &parameters[layer.weight.range()];
        let sum: f32 = (0..31).map(|i| problem.inputs[unit * 31 + i] * weight[i * 12 + unit]).sum();
        parameters[layer.bias.offset + unit] = if unit % 2 == 0 { -sum } else { step_size / 2.0 - sum };
    }
    problem
}

#[test]
fn units_on_their_kinks() {
    let mut wrong = Vec::new();
    for mut device in all() {
        for step_size in STEPS {
            let problem = on_kinks(step_size);
            let wanted = problem.quotient(step_size);
            for probes in [Probes::Auto, Probes::Each] {
                let options = GradientOptions { probes, ..numerical(step_size) };
                let got = device.with(|backend| problem.gradient(backend, options));
                wrong.extend(
                    problem
                        .wrong(&got.gradient, &wanted, AT_KINKS)
                        .into_iter()
                        .map(|told| format!("{}: {probes:?}: {told}", device.name)),
                );
                let report = got.probes.expect("numerical gradients report their probes");
                assert!(report.single >= 12, "{}: {} of 12 kinks were seen", device.name, report.single);
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// GELU's slope is 0 at -0.7518: its units there, or within a step, for every sample. What is left of the first
/// layer's gradient is a difference of parts a hundred times as large, whose rounding counts in back-propagation just
/// as well: four times its error, on the same device, is what quotients may have.
#[test]
fn units_where_gelu_is_flat() {
    let mut wrong = Vec::new();
    for mut device in all() {
        for step_size in STEPS {
            let mut problem = Problem::new(&[31, 12, 5], Activation::Gelu, OUTPUTS[0], 21, true);
            problem.name = "where GELU is flat".into();
            let layer = problem.network.layout.layers()[0].clone();
            let parameters = &mut problem.network.parameters;
            parameters[layer.weight.range()].iter_mut().for_each(|weight| *weight *= 0.03);
            parameters[layer.bias.range()].fill(-0.751_79);
            let wanted = problem.quotient(step_size);
            let options = GradientOptions { method: Method::Backprop, ..numerical(step_size) };
            let backprop = device.with(|backend| problem.gradient(backend, options)).gradient;
            let allowed = 4.0 * problem.largest_relative_error(&backprop, &problem.derivative());
            assert!((ROUNDING..1e-4).contains(&allowed), "{}: back-propagation's error gives {allowed:e}", device.name);
            for probes in [Probes::Auto, Probes::Each] {
                let options = GradientOptions { probes, ..numerical(step_size) };
                let got = device.with(|backend| problem.gradient(backend, options));
                let told = problem.wrong(&got.gradient, &wanted, allowed);
                wrong.extend(
                    told.into_iter().map(|told| format!("{}: h = {step_size}, {probes:?}: {told}", device.name)),
                );
                if probes == Probes::Auto {
                    let report = got.probes.expect("numerical gradients report their probes");
                    // A share of the slope itself would be infinite, and flag them all.
                    let told = format!("{}: h = {step_size}: {} single probes", device.name, report.single);
                    assert!(report.single <= report.curves / 50, "{told}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn back_propagation_at_every_depth() {
    let depths: [&[usize]; 5] = [&[31, 5], &[31, 7, 5], &[31, 33, 7, 5], &[31, 9, 8, 7, 5], &[31, 16, 12, 9, 7, 5]];
    let mut wrong = Vec::new();
    for mut device in all() {
        for sizes in depths {
            for activation in Activation::ALL {
                for output in OUTPUTS {
                    let problem = Problem::new(sizes, activation, output, 21, true);
                    let options = GradientOptions { method: Method::Backprop, ..GradientOptions::default() };
                    let got = device.with(|backend| problem.gradient(backend, options));
                    let told = problem.wrong(&got.gradient, &problem.derivative(), ROUNDING);
                    wrong.extend(told.into_iter().map(|told| format!("{}: {told}", device.name)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The two references against each other: a mistake in one is not in the other.
#[test]
fn the_references_agree_where_the_step_is_small() {
    for output in OUTPUTS {
        for activation in Activation::ALL.into_iter().filter(|&activation| activation != Activation::Relu) {
            let problem = Problem::new(&[7, 6, 4, 5], activation, output, 9, false);
            let quotient: Vec<f32> = problem.quotient(1e-4).gradient.into_iter().map(|g| g as f32).collect();
            let wrong = problem.wrong(&quotient, &problem.derivative(), 1e-6);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
}

/// The problem of the negative controls: every tensor of its quotient at 0.5 is far from the derivative.
fn control() -> (Problem, Wanted) {
    let problem = Problem::new(&[31, 6, 5], Activation::Tanh, OUTPUTS[0], 21, true);
    let wanted = problem.quotient(0.5);
    (problem, wanted)
}

#[test]
fn other_gradients_do_not_pass_for_the_quotient() {
    let (problem, wanted) = control();
    let mut device = cpu(2);
    let backend = device.backend.as_mut();
    let sound = problem.gradient(backend, numerical(0.5)).gradient;
    assert!(problem.wrong(&sound, &wanted, ROUNDING).is_empty(), "the control itself is sound");
    let others = [
        ("back-propagation", GradientOptions { method: Method::Backprop, ..numerical(0.5) }),
        ("a step off by a hundredth", numerical(0.505)),
        ("the step of the default", numerical(1e-4)),
        ("one pair of points", GradientOptions { probes: Probes::Curve, nodes: Some(1), ..numerical(0.5) }),
        ("two pairs of points", GradientOptions { probes: Probes::Curve, nodes: Some(2), ..numerical(0.5) }),
    ];
    for (name, options) in others {
        let got = problem.gradient(backend, options).gradient;
        let wrong = problem.wrong(&got, &wanted, ROUNDING);
        assert_eq!(wrong.len(), 4, "{name}: tensors that were found wrong: {wrong:?}");
    }
}

#[test]
fn faulty_devices_do_not_pass() {
    let (problem, wanted) = control();
    let without_bias: Rewrite = |op| match op {
        Op::Matmul(op) if op.bias.is_some() => Some(vec![Matmul { bias: None, ..*op }.into()]),
        _ => None,
    };
    // The largest of the softmax, which the other fault would spoil, is not read: changes are taken against it.
    let mut faults = vec![Fault::Rewritten(without_bias), Fault::Zeros("softmax")];
    for kernel in ["matmul", "activate", "probe_curve", "curve_features"] {
        faults.extend([Fault::Perturbed(kernel), Fault::Zeros(kernel)]);
    }
    for (index, fault) in faults.into_iter().enumerate() {
        let mut device = cpu(2);
        let got = problem.gradient(&mut Faulty::new(device.backend.as_mut(), fault), numerical(0.5)).gradient;
        assert!(!problem.wrong(&got, &wanted, ROUNDING).is_empty(), "fault {index} was not found");
    }
}
