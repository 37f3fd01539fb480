//! Gradients of anybody's functions: held to their derivatives by their own estimates, over sweeps of the step, in both
//! types; the check and what it must find; the same bits from any number of threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use gpu_train::Error;
use gpu_train::gradient::Difference;
use gpu_train::gradient::function::{
    FunctionGradient, FunctionOptions, Real, StepSize, check_gradient, hessian_vector_product, numerical_gradient,
    numerical_gradient_batched, numerical_jacobian,
};

const DIFFERENCES: [Difference; 4] =
    [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson];

/// Terms of the long sum.
const TERMS: usize = 1_000_000;

/// The functions, in one type.
macro_rules! functions {
    ($module:ident, $real:ident) => {
        mod $module {
            pub(super) fn rosenbrock(x: &[$real]) -> $real {
                x.windows(2).map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)).sum()
            }

            /// `sum 1 / (1 + exp(-(a t + b))) + c t^2` over t from -1 to 1.
            pub(super) fn long_sum(x: &[$real]) -> $real {
                let term = |index: usize| {
                    let t = (2 * index + 1) as $real / super::TERMS as $real - 1.0;
                    1.0 / (1.0 + (-(x[0] * t + x[1])).exp()) + x[2] * t * t
                };
                // In float64: a sum that is lost in its own last places has no derivative to speak of.
                (0..super::TERMS).map(|index| f64::from(term(index))).sum::<f64>() as $real
            }

            pub(super) fn waves(x: &[$real]) -> $real {
                x.windows(2).map(|x| (1.5 * x[0]).sin() * x[1].cos() + (0.5 * x[0] * x[1]).sin()).sum()
            }

            /// Variables of the sizes 1e-6, 1 and 1e6, each of as much weight.
            pub(super) fn scaled(x: &[$real]) -> $real {
                (1e6 * x[0]).sin() + (1e6 * x[0]).exp() * x[1] + (1e-6 * x[2] * x[1]).cos() + (1e-6 * x[2]).ln()
            }
        }
    };
}

functions!(single, f32);
functions!(double, f64);

/// The derivatives, in float64.
mod derivatives {
    pub(super) fn rosenbrock(x: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; x.len()];
        for i in 0..x.len() - 1 {
            let inner = x[i + 1] - x[i] * x[i];
            gradient[i] += -400.0 * x[i] * inner - 2.0 * (1.0 - x[i]);
            gradient[i + 1] += 200.0 * inner;
        }
        gradient
    }

    pub(super) fn long_sum(x: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; 3];
        for index in 0..super::TERMS {
            let t = (2 * index + 1) as f64 / super::TERMS as f64 - 1.0;
            let share = 1.0 / (1.0 + (-(x[0] * t + x[1])).exp());
            let slope = share * (1.0 - share);
            gradient[0] += slope * t;
            gradient[1] += slope;
            gradient[2] += t * t;
        }
        gradient
    }

    pub(super) fn waves(x: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; x.len()];
        for i in 0..x.len() - 1 {
            let (a, b) = (x[i], x[i + 1]);
            gradient[i] += 1.5 * (1.5 * a).cos() * b.cos() + 0.5 * b * (0.5 * a * b).cos();
            gradient[i + 1] += -(1.5 * a).sin() * b.sin() + 0.5 * a * (0.5 * a * b).cos();
        }
        gradient
    }

    pub(super) fn scaled(x: &[f64]) -> Vec<f64> {
        let (a, b, c) = (1e6 * x[0], x[1], 1e-6 * x[2]);
        vec![1e6 * (a.cos() + a.exp() * b), a.exp() - c * (c * b).sin(), 1e-6 * (-b * (c * b).sin() + 1.0 / c)]
    }
}

/// A function of one type, its derivatives, and where they are taken.
struct Problem<T> {
    name: &'static str,
    function: fn(&[T]) -> T,
    derivatives: fn(&[f64]) -> Vec<f64>,
    at: Vec<T>,
    /// Steps of the sweep are shares of this; 0 where the variables have no common size.
    size: f64,
}

/// Numbers between -1 and 1 that nothing favours.
fn spread(count: usize) -> impl Iterator<Item = f64> {
    (1..=count).map(|index| 2.0 * (index as f64 * 0.618_033_988_75).fract() - 1.0)
}

macro_rules! problems {
    ($module:ident, $real:ident) => {{
        let point = |values: Vec<f64>| values.into_iter().map(|value| value as $real).collect::<Vec<$real>>();
        let problem =
            |name, function, derivatives, at, size| Problem::<$real> { name, function, derivatives, at, size };
        vec![
            problem(
                "Rosenbrock",
                $module::rosenbrock,
                derivatives::rosenbrock,
                point(spread(100).map(|x| 0.5 + x).collect()),
                1.0,
            ),
            problem(
                "Rosenbrock at its least",
                $module::rosenbrock,
                derivatives::rosenbrock,
                point(vec![1.0; 100]),
                1.0,
            ),
            problem("waves", $module::waves, derivatives::waves, point(spread(20).map(|x| 2.0 * x).collect()), 1.0),
            problem("long sum", $module::long_sum, derivatives::long_sum, point(vec![1.3, -0.4, 0.7]), 1.0),
            problem("scaled", $module::scaled, derivatives::scaled, point(vec![0.7e-6, 1.3, 2.1e6]), 0.0),
        ]
    }};
}

/// What may be wrong with the estimates of a gradient, if anything; `shrunk` divides them for the negative control.
fn faults<T: Real>(problem: &Problem<T>, options: &FunctionOptions, shrunk: f64, quiet: bool) -> Vec<String> {
    let result = numerical_gradient(problem.function, &problem.at, options).unwrap();
    let wide: Vec<f64> = problem.at.iter().map(|x| x.to_f64()).collect();
    let derivatives = (problem.derivatives)(&wide);
    let name = format!(
        "{} {} {:?} in {}",
        problem.name,
        options.difference.name(),
        options.step_size,
        std::any::type_name::<T>()
    );
    let mut faults = Vec::new();
    let (mut square, mut truncation, mut rounding) = (0.0, 0.0, 0.0);
    for (index, (derivative, (own, estimate))) in
        derivatives.iter().zip(result.gradient.iter().zip(&result.estimates)).enumerate()
    {
        let error = (own.to_f64() - derivative).abs();
        if error > estimate.total() / shrunk {
            faults.push(format!("{name}: variable {index}: {own}, not {derivative}; error {error:e}, {estimate:?}"));
        }
        square += error.powi(2);
        truncation += estimate.truncation.powi(2);
        rounding += estimate.rounding.powi(2);
    }
    let (error, estimate) = (square.sqrt(), result.error_estimate() / shrunk);
    // Rounding is a bound that luck undercuts; truncation is known.
    if truncation.sqrt() > 10.0 * rounding.sqrt() && estimate > 10.0 * error {
        faults.push(format!("{name}: estimate {estimate:e} of an error of {error:e}"));
    }
    if !quiet {
        println!("{name}: error {error:e}, estimate {estimate:e}, {} evaluations", result.evaluations);
    }
    faults
}

/// From steps that are all truncation to such that are all rounding.
fn sweep<T: Real>() -> impl Iterator<Item = f64> {
    let last = if T::EPSILON < 1e-10 { 18 } else { 8 };
    (1..=last).map(|power| 0.3 * 10f64.powf(-0.5 * f64::from(power)))
}

fn sweep_faults<T: Real>(problems: &[Problem<T>], shrunk: f64) -> Vec<String> {
    let mut all = Vec::new();
    for problem in problems.iter().filter(|problem| problem.size > 0.0) {
        // A million terms a call: every third step will do.
        let every = if problem.name == "long sum" { 3 } else { 1 };
        for difference in DIFFERENCES {
            for h in sweep::<T>().step_by(every) {
                let options =
                    FunctionOptions { difference, step_size: StepSize::Fixed(h * problem.size), ..Default::default() };
                all.extend(faults(problem, &options, shrunk, true));
            }
        }
    }
    all
}

#[test]
fn estimates_hold_over_sweeps_in_f64() {
    let faults = sweep_faults(&problems!(double, f64), 1.0);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn estimates_hold_over_sweeps_in_f32() {
    let faults = sweep_faults(&problems!(single, f32), 1.0);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The negative control: a tenth of each estimate is too little somewhere, and for each function.
#[test]
fn a_tenth_of_the_estimates_does_not_hold() {
    let mut problems = problems!(double, f64);
    problems.retain(|problem| problem.name != "long sum" && problem.size > 0.0);
    for problem in problems {
        let name = problem.name;
        assert!(!sweep_faults(&[problem], 10.0).is_empty(), "{name}");
    }
}

/// Errors, by the norm of each component's own size, that automatic steps reach: truncation and rounding in balance are
/// at about `eps^(p / (p + 1))`; a sum of a million terms in float32 has lost some digits before.
fn automatic<T: Real>(problems: &[Problem<T>]) {
    for problem in problems {
        for difference in DIFFERENCES {
            let options = FunctionOptions { difference, ..Default::default() };
            let faults = faults(problem, &options, 1.0, false);
            assert!(faults.is_empty(), "{}", faults.join("\n"));
            let order = f64::from(difference.order());
            let balanced = T::EPSILON.powf(order / (order + 1.0));
            let result = numerical_gradient(problem.function, &problem.at, &options).unwrap();
            let wide: Vec<f64> = problem.at.iter().map(|x| x.to_f64()).collect();
            let derivatives = (problem.derivatives)(&wide);
            for (index, (own, derivative)) in result.gradient.iter().zip(derivatives).enumerate() {
                // In units of the function, or of 100 (Rosenbrock's factor), for a move by the variable's own size.
                let size = wide[index].abs().max(if problem.size > 0.0 { problem.size } else { 0.0 });
                let value = result.value.to_f64().abs().max(100.0);
                let error = (own.to_f64() - derivative).abs() * size / value;
                assert!(
                    error <= LOST * balanced,
                    "{} {}: variable {index}: {error:e}",
                    problem.name,
                    difference.name()
                );
            }
        }
    }
}

/// Automatic steps: the noise of long sums and curvatures beyond the function's size cost this factor.
const LOST: f64 = 100.0;

#[test]
fn automatic_steps_suit_each_variable_in_f64() {
    automatic(&problems!(double, f64));
}

#[test]
fn automatic_steps_suit_each_variable_in_f32() {
    automatic(&problems!(single, f32));
}

#[test]
fn threads_and_batches_change_no_bit() {
    let at: Vec<f64> = spread(50).collect();
    let with = |threads| {
        let options = FunctionOptions { threads: Some(threads), ..Default::default() };
        numerical_gradient(double::waves, &at, &options).unwrap()
    };
    let bits = |result: &FunctionGradient<f64>| result.gradient.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    let one = with(1);
    for threads in [2, 3, 7, 1000] {
        let other = with(threads);
        assert_eq!(bits(&one), bits(&other), "{threads} threads");
        assert_eq!(one, other, "{threads} threads");
    }
    let all_at_once = |points: &[Vec<f64>]| points.iter().map(|x| double::waves(x)).collect();
    assert_eq!(one, numerical_gradient_batched(all_at_once, &at, &FunctionOptions::default()).unwrap());
}

#[test]
fn a_check_passes_the_derivative_and_finds_an_error_of_a_thousandth() {
    let at: Vec<f64> = spread(100).map(|x| 0.5 + x).collect();
    let options = FunctionOptions::default();
    let check = check_gradient(double::rosenbrock, derivatives::rosenbrock, &at, &options).unwrap();
    assert!(check.passed, "relative error {:e}, estimate {:e}", check.relative_error, check.estimate);
    let largest =
        (0..at.len()).max_by(|&a, &b| check.numerical.gradient[a].abs().total_cmp(&check.numerical.gradient[b].abs()));
    let largest = largest.unwrap();
    let off = |x: &[f64]| {
        let mut gradient = derivatives::rosenbrock(x);
        gradient[largest] *= 1.0 + 1e-3;
        gradient
    };
    let check = check_gradient(double::rosenbrock, off, &at, &options).unwrap();
    assert!(!check.passed, "relative error {:e}, estimate {:e}", check.relative_error, check.estimate);
    assert_eq!(check.worst_index, largest);
}

#[test]
fn a_check_in_f32_passes_the_derivative_and_finds_an_error_of_a_hundredth() {
    let at: Vec<f32> = spread(20).map(|x| 2.0 * x as f32).collect();
    let by = |factor: f64| {
        move |x: &[f32]| {
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            derivatives::waves(&wide).iter().map(|value| (factor * value) as f32).collect::<Vec<f32>>()
        }
    };
    for (factor, passes) in [(1.0, true), (1.01, false)] {
        let check = check_gradient(single::waves, by(factor), &at, &FunctionOptions::default()).unwrap();
        assert_eq!(
            check.passed, passes,
            "{factor}: relative error {:e}, estimate {:e}",
            check.relative_error, check.estimate
        );
    }
}

#[test]
fn a_jacobian_is_within_its_estimates() {
    let function = |x: &[f64]| vec![x[0] * x[1].sin(), x[2].exp() / x[0], x[0] * x[1] * x[2], 7.0];
    let x = [1.5_f64, 0.7, -0.3];
    let expected = [
        x[1].sin(),
        x[0] * x[1].cos(),
        0.0,
        -x[2].exp() / (x[0] * x[0]),
        0.0,
        x[2].exp() / x[0],
        x[1] * x[2],
        x[0] * x[2],
        x[0] * x[1],
        0.0,
        0.0,
        0.0,
    ];
    for difference in DIFFERENCES {
        let result = numerical_jacobian(function, &x, &FunctionOptions { difference, ..Default::default() }).unwrap();
        assert_eq!(result.values, function(&x));
        for (index, (own, expected)) in result.jacobian.iter().zip(expected).enumerate() {
            let estimate = result.estimates[index].total();
            let error = (own - expected).abs();
            assert!(error <= estimate, "{}: {index}: {own}, not {expected}, estimate {estimate:e}", difference.name());
            assert!(estimate < 1e-6, "{}: {index}: an estimate of {estimate:e} says nothing", difference.name());
        }
    }
}

#[test]
fn a_hessian_vector_product_is_within_its_estimates() {
    let x: Vec<f64> = spread(30).map(|x| 0.5 + x).collect();
    let v: Vec<f64> = spread(31).skip(1).map(|v| 3.0 * v).collect();
    // Rosenbrock's second derivatives.
    let mut expected = vec![0.0; x.len()];
    for i in 0..x.len() - 1 {
        expected[i] += (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0) * v[i] - 400.0 * x[i] * v[i + 1];
        expected[i + 1] += -400.0 * x[i] * v[i] + 200.0 * v[i + 1];
    }
    let result = hessian_vector_product(double::rosenbrock, &x, &v, &FunctionOptions::default()).unwrap();
    let size = expected.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let mut shrunk_holds = true;
    for (index, (own, expected)) in result.product.iter().zip(&expected).enumerate() {
        let (error, estimate) = ((own - expected).abs(), result.estimates[index].total());
        assert!(error <= estimate, "{index}: {own}, not {expected}, estimate {:?}", result.estimates[index]);
        // The fourth root of the precision, squared, with the noise's factor.
        assert!(estimate <= 1e-4 * size, "{index}: an estimate of {estimate:e} says nothing");
        shrunk_holds &= error <= estimate / 100.0;
    }
    assert!(!shrunk_holds, "a hundredth of the estimates would do");
}

#[test]
fn what_is_not_finite_is_told_with_its_variable() {
    let options = FunctionOptions { step_size: StepSize::Fixed(0.1), ..Default::default() };
    let logarithms = |x: &[f64]| x.iter().map(|x| x.ln()).sum();
    let error = numerical_gradient(logarithms, &[1.0, 1.0, 0.05, 1.0], &options).unwrap_err();
    assert!(matches!(error, Error::FunctionValue { value, .. } if value.is_nan()), "{error}");
    assert!(error.to_string().contains("variable 2"), "{error}");
    // Automatic steps stay inside.
    let result = numerical_gradient(logarithms, &[1.0, 1.0, 0.05, 1e-9], &FunctionOptions::default()).unwrap();
    for (own, expected) in result.gradient.iter().zip([1.0, 1.0, 20.0, 1e9]) {
        assert!((own / expected - 1.0_f64).abs() < 1e-8, "{own}, not {expected}");
    }
    let error = numerical_gradient(logarithms, &[1.0, f64::NAN], &options).unwrap_err();
    assert!(error.to_string().contains("variable 1"), "{error}");
    let error = numerical_gradient(logarithms, &[1.0, -1.0], &options).unwrap_err();
    assert!(matches!(error, Error::FunctionValue { .. }), "{error}");
}

#[test]
fn calls_that_make_no_sense_are_errors() {
    let sum = |x: &[f32]| x.iter().sum();
    let with = |h| FunctionOptions { step_size: StepSize::Fixed(h), ..Default::default() };
    assert!(numerical_gradient(sum, &[], &FunctionOptions::default()).is_err());
    for h in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(numerical_gradient(sum, &[1.0], &with(h)).is_err(), "{h}");
    }
    let error = numerical_gradient(sum, &[1.0, 1e9], &with(1e-3)).unwrap_err();
    assert!(error.to_string().contains("variable 1"), "{error}");
    assert!(numerical_gradient_batched(|_: &[Vec<f32>]| vec![1.0], &[1.0, 2.0], &FunctionOptions::default()).is_err());
    assert!(check_gradient(sum, |_| vec![1.0], &[1.0, 2.0], &FunctionOptions::default()).is_err());
    assert!(check_gradient(sum, |_| vec![f32::NAN, 1.0], &[1.0, 2.0], &FunctionOptions::default()).is_err());
    assert!(hessian_vector_product(sum, &[1.0, 2.0], &[1.0], &FunctionOptions::default()).is_err());
    let ragged = |x: &[f32]| vec![1.0; if x[0] > 1.0 { 2 } else { 1 }];
    assert!(numerical_jacobian(ragged, &[1.0], &FunctionOptions::default()).is_err());
}
