//! Gradients of functions in WGSL, on every adapter: held to their derivatives by their own estimates; sums whose terms
//! branch, and that are longer than some drivers' loops; mistakes in the user's own lines.
// The ranges of one tensor are a list of one range.
#![allow(clippy::single_range_in_vec_init)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use gpu_train::Error;
use gpu_train::device::{Selector, list};
use gpu_train::gradient::Difference;
use gpu_train::gradient::function::{FunctionOptions, StepSize, WgslFunction, WgslGradient, numerical_gradient};

const DIFFERENCES: [Difference; 4] =
    [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson];

/// Rosenbrock's function in all forms.
const FORMS: [&str; 5] = [
    "fn f(x: ptr<function, array<f32, N>>) -> f32 {
        var sum = 0.0;
        for (var i = 1u; i < u32(N); i++) { sum += part((*x)[i - 1u], (*x)[i]); }
        return sum;
    }
    fn part(a: f32, b: f32) -> f32 { let d = b - a * a; let e = 1.0 - a; return 100.0 * d * d + e * e; }",
    "fn f() -> f32 {
        var sum = 0.0;
        for (var i = 1u; i < u32(N); i++) { sum += part(parameter(i - 1u), parameter(i)); }
        return sum;
    }
    fn part(a: f32, b: f32) -> f32 { let d = b - a * a; let e = 1.0 - a; return 100.0 * d * d + e * e; }",
    ROSENBROCK_TERMS,
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
    fn f() -> f32 {
        var sum = 0.0;
        for (var i = 1u; i < arrayLength(&x); i++) {
            let d = x[i] - x[i - 1u] * x[i - 1u];
            let e = 1.0 - x[i - 1u];
            sum += 100.0 * d * d + e * e;
        }
        return sum;
    }",
    "@group(1) @binding(2) var<storage> point: array<f32>;
    const TERMS = N - 1;
    fn term(i: u32) -> f32 {
        let d = point[i + 1u] - point[i] * point[i];
        let e = 1.0 - point[i];
        return 100.0 * d * d + e * e;
    }",
];

const ROSENBROCK_TERMS: &str = "const TERMS = N - 1;
    fn term(i: u32) -> f32 {
        let a = parameter(i);
        let d = parameter(i + 1u) - a * a;
        let e = 1.0 - a;
        return 100.0 * d * d + e * e;
    }";

fn rosenbrock_gradient(x: &[f32]) -> Vec<f64> {
    let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let mut gradient = vec![0.0; x.len()];
    for i in 0..x.len() - 1 {
        let inner = x[i + 1] - x[i] * x[i];
        gradient[i] += -400.0 * x[i] * inner - 2.0 * (1.0 - x[i]);
        gradient[i + 1] += 200.0 * inner;
    }
    gradient
}

/// Numbers between -0.5 and 1.5 that nothing favours.
fn spread(count: usize) -> Vec<f32> {
    (1..=count).map(|index| (2.0 * (index as f64 * 0.618_033_988_75).fract() - 0.5) as f32).collect()
}

/// The function on every adapter. None is a failure where `GPU_TRAIN_REQUIRE_ADAPTER` is 1.
fn on_adapters(text: &str, point: &[f32]) -> Vec<(String, WgslFunction)> {
    let adapters = list();
    let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
    assert!(!adapters.is_empty() || !required, "no adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
    let open = |index| {
        let function = WgslFunction::open(Path::new("test.wgsl"), text, point, &Selector::Index(index));
        let function = function.unwrap_or_else(|error| panic!("adapter {index}: {error}"));
        (format!("{} ({})", function.device().name, function.device().backend), function)
    };
    (0..adapters.len()).map(open).collect()
}

fn with(difference: Difference, step_size: StepSize) -> FunctionOptions {
    FunctionOptions { difference, step_size, ..FunctionOptions::default() }
}

fn whole(function: &mut WgslFunction, count: usize, options: &FunctionOptions) -> WgslGradient {
    function.gradient(&[0..count], options).unwrap()
}

/// The error and its estimate, by the norm.
fn error(found: &WgslGradient, derivatives: &[f64]) -> (f64, f64) {
    let squares = found.gradient.iter().zip(derivatives).map(|(own, exact)| (f64::from(*own) - exact).powi(2));
    (squares.sum::<f64>().sqrt(), found.estimates.iter().map(|estimate| estimate.total().powi(2)).sum::<f64>().sqrt())
}

#[test]
fn estimates_hold_for_every_form_and_quotient_and_a_tenth_of_them_does_not() {
    let x = spread(40);
    let exact = rosenbrock_gradient(&x);
    for text in FORMS {
        for (device, mut function) in on_adapters(text, &x) {
            let mut a_tenth_holds = true;
            for difference in DIFFERENCES {
                for step in [StepSize::Auto, StepSize::Fixed(0.2), StepSize::Fixed(0.02), StepSize::Fixed(1e-3)] {
                    let found = whole(&mut function, x.len(), &with(difference, step));
                    let (error, estimate) = error(&found, &exact);
                    let name = format!("{device}, {}, {step:?}, {}...", difference.name(), &text[..20]);
                    assert!(error <= estimate, "{name}: error {error:e}, estimate {estimate:e}");
                    let parts = found.estimates[0];
                    // Rounding is a bound that luck undercuts; truncation is known.
                    if parts.truncation > 10.0 * parts.rounding {
                        assert!(estimate <= 10.0 * error, "{name}: error {error:e}, estimate {estimate:e}");
                    }
                    a_tenth_holds &= error <= estimate / 10.0;
                }
            }
            assert!(!a_tenth_holds, "{device}: a tenth of the estimates would do");
        }
    }
}

/// A sum's changes have the rounding of two terms; its values have that of all.
#[test]
fn a_sum_of_terms_is_more_exact_than_the_same_as_one_number() {
    let x = spread(500);
    let exact = rosenbrock_gradient(&x);
    for ((device, mut terms), (_, mut number)) in on_adapters(FORMS[2], &x).into_iter().zip(on_adapters(FORMS[1], &x)) {
        let options = FunctionOptions::default();
        let found = [&mut terms, &mut number].map(|function| error(&whole(function, x.len(), &options), &exact));
        assert!(10.0 * found[0].0 < found[1].0, "{device}: errors and estimates {found:?}");
        assert!(10.0 * found[0].1 < found[1].1, "{device}: errors and estimates {found:?}");
    }
}

/// A tensor of which a part stands for all; and two small ones around it.
#[test]
fn large_tensors_are_sampled_and_complete() {
    let x = spread(5_000);
    let exact = rosenbrock_gradient(&x);
    for (device, mut function) in on_adapters(ROSENBROCK_TERMS, &x) {
        let found = function.gradient(&[0..7, 7..4_990, 4_990..5_000], &FunctionOptions::default()).unwrap();
        assert_eq!((found.gradient.len(), found.step_sizes.len(), found.estimates.len()), (5_000, 5_000, 3));
        let (error, estimate) = error(&found, &exact);
        assert!(error <= estimate, "{device}: error {error:e}, estimate {estimate:e}");
        let size = exact.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(error < 1e-4 * size, "{device}: {error:e} of {size:e}");
        for wrong in [vec![], vec![0..4_999], vec![0..10, 11..5_000], vec![0..10, 5..5_000], vec![0..6_000]] {
            assert!(function.gradient(&wrong, &FunctionOptions::default()).is_err(), "{wrong:?}");
        }
    }
}

/// What a term reads depends on what it read: so moved points read other variables than the point does.
#[test]
fn terms_that_branch_are_evaluated_where_they_lead() {
    let text = "const TERMS = N;
        fn term(i: u32) -> f32 {
            let a = parameter(i);
            if a > 0.5 { return a * parameter((i + 7u) % u32(N)); }
            return 0.5 * parameter((i + 3u) % u32(N)) + a * a * a;
        }";
    let x = spread(60);
    let function = |x: &[f64]| -> f64 {
        let term = |i: usize| {
            if x[i] > 0.5 { x[i] * x[(i + 7) % x.len()] } else { 0.5 * x[(i + 3) % x.len()] + x[i].powi(3) }
        };
        (0..x.len()).map(term).sum()
    };
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    // A step over which many variables cross the branch: the quotient, and not the derivative, is what both compute.
    let options = with(Difference::Central, StepSize::Fixed(0.25));
    let literal = numerical_gradient(function, &wide, &options).unwrap();
    let straight = |i: usize| {
        let inner = if wide[i] > 0.5 { wide[(i + 7) % 60] } else { 3.0 * wide[i] * wide[i] + 0.0625 };
        let before = (0..60).filter(|&k| wide[k] > 0.5 && (k + 7) % 60 == i).map(|k| wide[k]).sum::<f64>();
        let others = (0..60).filter(|&k| wide[k] <= 0.5 && (k + 3) % 60 == i).count() as f64;
        inner + before + 0.5 * others
    };
    let crossing = (0..60).filter(|&i| (literal.gradient[i] - straight(i)).abs() > 1e-3).count();
    assert!(crossing > 5, "only {crossing} variables cross");
    for (device, mut function) in on_adapters(text, &x) {
        let found = whole(&mut function, x.len(), &options);
        for (index, (own, exact)) in found.gradient.iter().zip(&literal.gradient).enumerate() {
            // Terms of about 2 in float32, over a distance of 0.5.
            assert!((f64::from(*own) - exact).abs() < 1e-5, "{device}: variable {index}: {own}, not {exact}");
        }
    }
}

/// Longer than the 65,535 trips after which some software drivers stop a loop.
#[test]
fn long_sums_are_whole() {
    const TERMS: usize = 200_000;
    let text = format!(
        "const TERMS = {TERMS};
        fn term(i: u32) -> f32 {{
            let t = f32(i) / f32(TERMS);
            let r = parameter(0u) * t + parameter(1u) * t * t - parameter(2u);
            return r * r;
        }}"
    );
    let x = [0.7_f32, -1.1, 0.4];
    let wide = x.map(f64::from);
    let mut exact = [0.0; 3];
    let mut value = 0.0;
    for index in 0..TERMS {
        let t = index as f64 / TERMS as f64;
        let r = wide[0] * t + wide[1] * t * t - wide[2];
        value += r * r;
        for (sum, slope) in exact.iter_mut().zip([t, t * t, -1.0]) {
            *sum += 2.0 * r * slope;
        }
    }
    for (device, mut function) in on_adapters(&text, &x) {
        assert!(function.warnings().is_empty(), "{device}: {:?}", function.warnings());
        for step in [StepSize::Auto, StepSize::Fixed(1e-2)] {
            let found = whole(&mut function, 3, &with(Difference::Central, step));
            assert!((found.value - value).abs() < 1e-6 * value, "{device}: {} instead of {value}", found.value);
            let (error, estimate) = error(&found, &exact);
            assert!(error <= estimate, "{device}, {step:?}: error {error:e}, estimate {estimate:e}");
            assert!(error < 1e-4 * exact[2].abs(), "{device}, {step:?}: {:?}, not {exact:?}", found.gradient);
        }
    }
}

/// A loop in a term costs sharing, and trips.
#[test]
fn terms_may_loop() {
    let text = "const TERMS = N;
        fn term(i: u32) -> f32 {
            var product = 1.0;
            for (var k = 0u; k < 100u; k++) { product *= 1.0 + 0.01 * parameter((i + k) % u32(N)); }
            return product;
        }";
    let x = spread(300);
    let factor: Vec<f64> = x.iter().map(|&x| 1.0 + 0.01 * f64::from(x)).collect();
    let products: Vec<f64> = (0..300).map(|i| (0..100).map(|k| factor[(i + k) % 300]).product()).collect();
    let exact: Vec<f64> =
        (0..300).map(|j| (0..100).map(|k| 0.01 * products[(j + 300 - k) % 300] / factor[j]).sum()).collect();
    for (device, mut function) in on_adapters(text, &x) {
        let (error, estimate) = error(&whole(&mut function, 300, &FunctionOptions::default()), &exact);
        let size = exact.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(
            error <= estimate && error < 1e-3 * size,
            "{device}: error {error:e} of {size:e}, estimate {estimate:e}"
        );
    }
}

#[test]
fn what_is_not_finite_is_told_with_its_variable() {
    let root = "const TERMS = N;\nfn term(i: u32) -> f32 { return 1.0 / parameter(i); }";
    for text in [root, "fn f() -> f32 { return 1.0 / parameter(0u) + 1.0 / parameter(1u) + 1.0 / parameter(2u); }"] {
        for (device, mut function) in on_adapters(text, &[1.0, 0.25, 1.0]) {
            // 0.25 - 0.25 is 0, exactly.
            let refused = function.gradient(&[0..3], &with(Difference::Central, StepSize::Fixed(0.25))).unwrap_err();
            assert!(matches!(refused, Error::FunctionValue { variable: Some(1), .. }), "{device}: {refused}");
            let found = whole(&mut function, 3, &with(Difference::Central, StepSize::Fixed(1e-3)));
            assert!((found.gradient[1] + 16.0).abs() < 0.1, "{device}: {:?}", found.gradient);
        }
        for (device, mut function) in on_adapters(text, &[1.0, 0.0, 1.0]) {
            let refused = function.gradient(&[0..3], &FunctionOptions::default()).unwrap_err();
            assert!(matches!(refused, Error::FunctionValue { variable: None, .. }), "{device}: {refused}");
        }
    }
    for point in [vec![], vec![1.0, f32::NAN]] {
        let refused = WgslFunction::open(Path::new("f.wgsl"), root, &point, &Selector::Index(0));
        assert!(matches!(refused, Err(Error::Config { .. })), "{point:?}");
    }
}

/// Indices stay checked in users' shaders: whatever is read beyond the end, nothing breaks.
#[test]
fn indices_beyond_the_end_break_nothing() {
    let text = "fn f() -> f32 {
        var own: array<f32, 4>;
        let far = u32(parameter(0u)) + 4000000000u;
        own[far] = 1.0;
        return parameter(0u) + 0.0 * own[far] + 0.0 * parameter(far);
    }";
    for (device, mut function) in on_adapters(text, &[2.0, 1.0]) {
        let found = whole(&mut function, 2, &with(Difference::Central, StepSize::Fixed(0.125)));
        assert_eq!(found.gradient, [1.0, 0.0], "{device}");
    }
}

#[test]
fn the_native_path_is_no_adapter() {
    let refused = WgslFunction::open(Path::new("f.wgsl"), FORMS[1], &[1.0, 2.0], &Selector::Cpu).err().unwrap();
    assert!(matches!(refused, Error::NoDevice { .. }) && refused.hint().is_some(), "{refused}");
}
