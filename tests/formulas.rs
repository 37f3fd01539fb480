//! `gpu-train function`: known values on every kind of device, descents and their verdicts, the sweep of the step, many
//! points at once, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use gpu_train::backend::{OpenOptions, open};
use gpu_train::data::npy;
use gpu_train::device::{DeviceKind, Selector, list};
use gpu_train::formula::Formula;
use gpu_train::gradient::formula::{FormulaDevice, PointOptions};
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.arg("function").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The one JSON document of a command that ends with this exit code.
fn json(arguments: &[&str], code: i32) -> Value {
    let output = run(&[arguments, &["--json", "--quiet"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The CPU, to 1e-6, and a software adapter, to the 1e-3 that float32 is promised with.
fn devices() -> Vec<(&'static str, f64)> {
    let software = list().iter().any(|adapter| adapter.info.kind == DeviceKind::Software);
    let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
    assert!(software || !required, "no software adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
    let mut devices = vec![("cpu", 1e-6)];
    if software {
        devices.push(("software", 1e-3));
    }
    devices
}

/// The worst distance, as a share of the expected value where that is more than 1.
fn distance(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let distances = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs() / expected.abs().max(1.0));
    // A NaN must not hide behind the others.
    distances.fold(0.0, |most: f64, distance| if distance > most || distance.is_nan() { distance } else { most })
}

const PARABOLA: &str = "0.01*x^2 + 0.1*x";

#[test]
fn derivatives_and_gradients_have_their_known_values() {
    for (device, tolerance) in devices() {
        for (at, expected) in [("5", 0.2), ("10", 0.3)] {
            let found = json(&["differentiate", "--of", PARABOLA, "--at", at, "--device", device], 0);
            for key in ["derivative", "analytic"] {
                let got = number(&found[key]);
                assert!((got - expected).abs() < tolerance, "{device}: {key} at {at}: {got}, not {expected}");
            }
            let error = (number(&found["derivative"]) - number(&found["analytic"])).abs();
            assert!((number(&found["error"]) - error).abs() < 1e-15, "{found}");
        }
        for (at, value, expected) in [("3,4", 25.0, [6.0, 8.0]), ("0,2", 4.0, [0.0, 4.0]), ("3,0", 9.0, [6.0, 0.0])] {
            let found = json(&["gradient", "--of", "x0^2 + x1^2", "--at", at, "--device", device], 0);
            let got = numbers(&found["gradient"]);
            assert!(distance(&got, &expected) < tolerance, "{device}: {got:?} at {at}, not {expected:?}");
            assert!((number(&found["value"]) - value).abs() < tolerance);
        }
    }
    // The control: the same comparison tells a large forward step from the derivative.
    let far = ["differentiate", "--of", PARABOLA, "--at", "5", "--difference", "forward", "--step-size", "0.5"];
    let off = number(&json(&far, 0)["derivative"]) - 0.2;
    assert!((off - 0.01 * 0.5).abs() < 1e-12, "the forward quotient is 0.01 h too large: {off}");
}

#[test]
fn descents_have_their_known_ends() {
    for (device, _) in devices() {
        let descend = |more: &[&str], code: i32| {
            json(&[&["descend", "--of", "x0^2 + x1^2", "--from", "-3,4", "--device", device], more].concat(), code)
        };
        let found = descend(&["--lr", "0.1", "--steps", "100"], 0);
        // 0.8^100 of the start, to the two digits that are known.
        let x = numbers(&found["x"]);
        assert!((x[0] + 6.1e-10).abs() < 0.05e-10 && (x[1] - 8.1e-10).abs() < 0.06e-10, "{device}: {x:?}");
        assert_eq!((&found["verdict"], &found["steps"]), (&"minimum".into(), &100.into()));

        let found = descend(&["--learning-rate", "10"], 1);
        assert_eq!(found["verdict"], "diverged");
        let x = numbers(&found["x"]);
        assert!(x.iter().all(|x| x.is_finite() && x.abs() > 1e6) && number(&found["value"]).is_finite(), "{found}");
        assert!(number(&found["steps"]) < 20.0, "{found}");

        let found = descend(&["--lr", "1e-10"], 0);
        assert_eq!(found["verdict"], "hardly-moved");
        // On an adapter points are rounded, but the descent goes on in float64 between its steps.
        assert!(distance(&numbers(&found["x"]), &[-3.0, 4.0]) < 1e-7, "{device}: {found}");

        let saddle = ["descend", "--of", "x0^2 - x1^2", "--from", "1,0", "--lr", "0.1", "--steps", "200"];
        let found = json(&[saddle.as_slice(), &["--device", device]].concat(), 0);
        assert_eq!(found["verdict"], "saddle", "{device}: {found}");
        assert!(distance(&numbers(&found["eigenvalues"]), &[-2.0, 2.0]) < 1e-6, "{found}");
    }
    let shown = run(&["descend", "--of", "bowl", "--from", "-3,4", "--lr", "10"]);
    assert_eq!(shown.status.code(), Some(1));
    let (stdout, stderr) = (text(&shown.stdout), text(&shown.stderr));
    assert!(stdout.contains("diverged") && !stdout.contains("inf") && !stdout.contains("NaN"), "{stdout}");
    assert!(stderr.contains("error: the descent diverges at step 9") && stderr.contains("hint: "), "{stderr}");
    assert!(stderr.contains("hint: a smaller --learning-rate"), "{stderr}");
    // A smaller rate would only take longer where there is no bottom.
    let shown = text(&run(&["descend", "--of", "saddle", "--from", "1,0.1", "--steps", "1000"]).stderr).to_string();
    assert!(shown.contains("diverges") && shown.contains("hint: the function falls without end"), "{shown}");
    let shown = run(&["descend", "--of", "bowl", "--from", "-3,4", "--lr", "1e-10"]);
    assert!(text(&shown.stdout).contains("hardly moved"), "{}", text(&shown.stdout));
}

#[test]
fn himmelblau_has_four_minima() {
    // To ten digits; the first is exact.
    const MINIMA: [(&str, [f64; 2]); 4] = [
        ("1,1", [3.0, 2.0]),
        ("-1,1", [-2.805_118_087, 3.131_312_518]),
        ("-1,-1", [-3.779_310_253, -3.283_185_991]),
        ("1,-1", [3.584_428_34, -1.848_126_527]),
    ];
    for (from, expected) in MINIMA {
        let found = json(&["descend", "--of", "himmelblau", "--from", from, "--lr", "0.01", "--steps", "500"], 0);
        let x = numbers(&found["x"]);
        assert!(distance(&x, &expected) < 1e-6, "from {from}: {x:?}, not {expected:?}");
        assert_eq!(found["verdict"], "minimum");
        assert!(number(&found["value"]) < 1e-10);
    }
}

#[test]
fn several_rates_are_several_descents() {
    let found = json(&["descend", "--of", "bowl", "--from", "-3,4", "--lr", "0.1,0.9,1.1", "--steps", "200"], 1);
    let descents = found["descents"].as_array().unwrap();
    let verdicts: Vec<_> = descents.iter().map(|descent| descent["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["minimum", "minimum", "diverged"]);
    let momentum = |share: &str| {
        let options = ["--from", "-7,2", "--lr", "0.02", "--steps", "60", "--momentum", share];
        number(&json(&[&["descend", "--of", "x^2 + 30*y^2"], options.as_slice()].concat(), 0)["value"])
    };
    assert!(momentum("0.8") < 0.1 * momentum("0"), "momentum is faster through a long valley");
}

#[test]
fn the_sweep_has_its_least_error_where_theory_puts_it() {
    /// Where rounding, `2^-53 f / h` and `2^-24 f / h`, meets truncation, `h^2 f''' / 6`, if f and f''' are of one size.
    const EXPECTED: [(&str, f64); 2] = [("float64", 6e-6), ("float32", 5e-3)];
    for (of, at) in [("exp(x)", "1"), ("sin(x)", "1"), ("ln(x)", "2")] {
        let found = json(&["differentiate", "--of", of, "--at", at], 0);
        let rows = found["sweep"].as_array().unwrap();
        assert_eq!((number(&rows[0]["step_size"]), number(&rows[rows.len() - 1]["step_size"])), (1e-16, 1.0));
        for (precision, expected) in EXPECTED {
            let error = |row: &Value| row[format!("{precision}_error")].as_f64().unwrap_or(f64::INFINITY);
            let best = rows.iter().min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
            let step = number(&best["step_size"]);
            assert!((expected / 5.0..expected * 5.0).contains(&step), "{of}, {precision}: {step}, not {expected}");
            assert_eq!(number(&found["best_step_size"][precision]), step);
        }
        // What is left out of the error is in the other part of it.
        let at = |step: f64| rows.iter().find(|row| (number(&row["step_size"]) / step - 1.0).abs() < 1e-9).unwrap();
        let ratio = number(&at(1e-1)["truncation_error"]) / number(&at(1e-2)["truncation_error"]);
        assert!((90.0..110.0).contains(&ratio), "{of}: truncation grows as h^2, not by {ratio}");
        let ratio = number(&at(1e-10)["float64_rounding"]) / number(&at(1e-8)["float64_rounding"]);
        assert!((30.0..300.0).contains(&ratio), "{of}: rounding grows as 1/h, not by {ratio}");
        // The control: a forward quotient is best at another step.
        let forward = json(&["differentiate", "--of", of, "--at", "1", "--difference", "forward"], 0);
        assert!(number(&forward["best_step_size"]["float64"]) < 6e-6 / 5.0, "{}", forward["best_step_size"]);
    }
}

/// Ten operations.
const MANY: &str = "sin(x0)*exp(-x1^2) + x0*x1/(1 + x0^2)";

/// The gradient of that by hand.
fn by_hand(points: &[f64]) -> Vec<f64> {
    let gradient = |point: &[f64]| {
        let (a, b) = (point[0], point[1]);
        let (bell, d) = ((-b * b).exp(), 1.0 + a * a);
        [a.cos() * bell + b * (1.0 - a * a) / (d * d), -2.0 * b * a.sin() * bell + a / d]
    };
    points.chunks(2).flat_map(gradient).collect()
}

/// A million points between -3 and 3 that float32 holds exactly.
fn million() -> Vec<f64> {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 6.0)
    };
    (0..2_000_000).map(|_| draw()).collect()
}

/// What the sums of a formula of ten operations may cost in float32, and truncation at h = 1e-4.
const FLOAT32: f64 = 1e-5;

#[test]
fn a_million_points_have_their_gradients_in_the_library() {
    let (points, formula) = (million(), Formula::parse(MANY).unwrap());
    let expected = by_hand(&points);
    let options = PointOptions::default();
    let mut cpu = FormulaDevice::Cpu { threads: Some(2) };
    let found = cpu.gradients(&formula, &points, &options).unwrap();
    assert!(distance(&found.gradients, &expected) < 1e-6, "{}", distance(&found.gradients, &expected));
    assert_eq!(found.values, cpu.values(&formula, &points).unwrap());
    // The control: quotients of a step of 0.1 are no derivatives, and the comparison sees that.
    let far = cpu.gradients(&formula, &points, &PointOptions { step_size: 0.1, ..options }).unwrap();
    assert!(distance(&far.gradients, &expected) > 100.0 * FLOAT32);
    if devices().len() == 1 {
        return;
    }
    let mut opened = open(&Selector::Software, OpenOptions::default()).unwrap();
    let mut adapter = FormulaDevice::Adapter(opened.backend.as_mut());
    let on_adapter = adapter.gradients(&formula, &points, &options).unwrap();
    assert!(distance(&on_adapter.gradients, &expected) < FLOAT32, "{}", distance(&on_adapter.gradients, &expected));
    assert!(distance(&on_adapter.values, &found.values) < FLOAT32);
    // Made of changes, the quotient of a large step is the literal one there too.
    let far_adapter = adapter.gradients(&formula, &points, &PointOptions { step_size: 0.1, ..options }).unwrap();
    assert!(distance(&far_adapter.gradients, &far.gradients) < FLOAT32);
}

#[test]
fn a_file_of_points_becomes_a_file_of_gradients() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let points = million();
    npy::write(Path::new(&path("points.npy")), &[1_000_000, 2], &points).unwrap();
    for (device, _) in devices() {
        let out = path(&format!("{device}.npy"));
        let found =
            json(&["gradient", "--of", MANY, "--at-file", &path("points.npy"), "--out", &out, "--device", device], 0);
        assert_eq!((&found["points"], &found["not_finite"]), (&1_000_000.into(), &0.into()));
        let gradients = npy::read(Path::new(&out)).unwrap();
        assert_eq!(gradients.shape, [1_000_000, 2]);
        let distance = distance(&gradients.values, &by_hand(&points));
        assert!(distance < FLOAT32, "{device}: {distance}");
    }
    npy::write(Path::new(&path("few.npy")), &[3], &[1.0, -1.0, 4.0]).unwrap();
    let found = json(&["gradient", "--of", "sqrt(x)", "--at-file", &path("few.npy")], 0);
    assert_eq!(found["not_finite"], 1);
    assert!((number(&found["results"][2]["gradient"][0]) - 0.25).abs() < 1e-9, "{found}");
    assert!(found["results"][1]["value"].is_null(), "{found}");
    for (wrong, code, said) in [
        (["--of", "x*y*z", "--at-file", &path("few.npy"), "--at", "1"], 2, "cannot be used with"),
        (["--of", "x*y", "--at-file", &path("few.npy"), "--out", &path("no/where.npy")], 1, "no/where"),
        (["--of", "x*y", "--at-file", &path("few.npy"), "--threads", "1"], 1, "[3]"),
        (["--of", "x*y", "--at-file", &path("missing.npy"), "--threads", "1"], 1, "missing.npy"),
        (["--of", "x*y", "--at-file", folder.path().to_str().unwrap(), "--threads", "1"], 1, "cannot read"),
    ] {
        let output = run(&[["gradient"].as_slice(), &wrong].concat());
        assert_eq!(output.status.code(), Some(code), "{wrong:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{wrong:?}: {}", text(&output.stderr));
    }
}

#[test]
fn text_names_who_moved_and_who_stayed() {
    let shown = run(&["gradient", "--of", "x10 + x2^2*x1", "--at", "1,2,3"]);
    let lines: Vec<_> = text(&shown.stdout).lines().collect();
    for (line, said) in
        [(3, ["df/dx1", "x1 = 1 by 0.0001", "x2 = 2, x10 = 3"]), (5, ["df/dx10", "x10 = 3 by", "x1 = 1, x2 = 2"])]
    {
        assert!(said.iter().all(|said| lines[line].contains(said)), "{}", lines[line]);
    }
    let shown = run(&["differentiate", "--of", "sin(x)", "--at", "pi/3"]);
    for said in ["derivative  0.499999999", "analytic    0.5", "1e-16", "truncation", "least error at h ="] {
        assert!(text(&shown.stdout).contains(said), "{said}: {}", text(&shown.stdout));
    }
    let field = json(&["field", "--of", "x0^2 + x1^2", "--range", "-2:2", "--grid", "5", "--negative"], 0);
    assert_eq!(field["vectors"].as_array().unwrap().len(), 25);
    assert!(distance(&numbers(&field["vectors"][0]["vector"]), &[4.0, 4.0]) < 1e-9, "{field}");
    assert_eq!(numbers(&field["vectors"][0]["at"]), [-2.0, -2.0]);
    let shown = run(&["field", "--of", "rosenbrock"]);
    assert!(text(&shown.stdout).contains("x1 from -1 to 3"), "{}", text(&shown.stdout));
}

#[test]
fn at_a_kink_both_sides_are_told_and_no_derivative() {
    for (device, _) in devices() {
        for (of, at, left, right) in [
            ("abs(x)", "0", Some(-1.0), Some(1.0)),
            ("max(0, x)", "0", Some(0.0), Some(1.0)),
            ("min(3*x, x^2)", "3", Some(6.0), Some(3.0)),
            ("sqrt(abs(x))", "0", None, None),
        ] {
            let found = json(&["differentiate", "--of", of, "--at", at, "--device", device], 0);
            let kink = &found["kink"];
            assert_eq!(kink["variable"], "x", "{of}: {found}");
            assert_eq!((kink["left"].as_f64(), kink["right"].as_f64()), (left, right), "{of}: {found}");
            assert!(found["analytic"].is_null() && found["error"].is_null(), "{of}: {found}");
            assert!(found["sweep"].as_array().unwrap().is_empty(), "{of}");
        }
        // The control: beside it there is a derivative, and no kink.
        let found = json(&["differentiate", "--of", "abs(x)", "--at", "0.5", "--device", device], 0);
        assert!(found["kink"].is_null() && number(&found["analytic"]) == 1.0, "{found}");
    }
    let shown = run(&["differentiate", "--of", "abs(x)", "--at", "0"]);
    assert!(text(&shown.stdout).contains("none: a kink, -1 on the left and 1 on the right"), "{}", text(&shown.stdout));
    assert!(!text(&shown.stdout).contains("least error"), "{}", text(&shown.stdout));
    let found = json(&["gradient", "--of", "abs(x0) + x1^2", "--at", "0,3"], 0);
    assert!(found["analytic"][0].is_null() && number(&found["analytic"][1]) == 6.0, "{found}");
    assert_eq!((found["kinks"].as_array().unwrap().len(), &found["kinks"][0]["variable"]), (1, &"x0".into()));
    let shown = run(&["gradient", "--of", "abs(x0) + x1^2", "--at", "0,3"]);
    assert!(text(&shown.stdout).contains("along x0 the derivative is -1 on the left and 1 on the right"));
}

/// Arrows at the distance of a function's period all point alike.
#[test]
fn a_fields_arrows_show_the_function_and_not_an_alias() {
    let turns = |more: &[&str]| {
        let found = json(&[&["field", "--of", "rastrigin"], more].concat(), 0);
        let side = number(&found["grid"]) as usize;
        let row = &found["vectors"].as_array().unwrap()[..side];
        let slopes: Vec<_> = row.iter().map(|row| number(&row["vector"][0])).collect();
        slopes.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count()
    };
    // Ten periods in each direction, in each of which the slope changes its sign twice.
    assert!((20..=22).contains(&turns(&[])), "{}", turns(&[]));
    // The control: one arrow a period sees none of them.
    assert!(turns(&["--range", "-5.1:4.9", "--grid", "11"]) < 3);
}

#[test]
fn where_nothing_is_said_formulas_are_in_float64() {
    let found = json(&["differentiate", "--of", PARABOLA, "--at", "5"], 0);
    assert_eq!(found["device"]["kind"], "cpu");
    let reason = |found: &Value| found["device"]["reason"].as_str().unwrap().to_string();
    assert!(reason(&found).contains("float64") && !reason(&found).contains("asked"), "{found}");
    let asked = json(&["differentiate", "--of", PARABOLA, "--at", "5", "--device", "cpu"], 0);
    assert!(reason(&asked).contains("as asked for"), "{asked}");
    assert_eq!(asked["derivative"], found["derivative"]);
}

#[test]
fn quotients_of_higher_order_are_nearer() {
    let error = |difference: &str| {
        let options = ["--step-size", "0.1", "--difference", difference];
        number(&json(&[&["differentiate", "--of", "exp(x)", "--at", "1"], options.as_slice()].concat(), 0)["error"])
    };
    let [forward, central, five_point, richardson] = ["forward", "central", "five-point", "richardson"].map(error);
    // h/2, h^2/6, h^4/30 and a sixteenth of that, each times e and powers of h above.
    assert!(forward > 0.1 && (4e-3..5e-3).contains(&central), "{forward}, {central}");
    assert!((8e-6..1e-5).contains(&five_point) && (5e-7..6e-7).contains(&richardson), "{five_point}, {richardson}");
}

#[test]
fn wrong_calls_are_refused_with_the_place() {
    for (arguments, code, said) in [
        (vec!["differentiate", "--of", "sin(x + ", "--at", "1"], 2, "\n  sin(x +\n          ^\n"),
        (vec!["differentiate", "--of", "2x", "--at", "1"], 2, "\n  2x\n   ^\nhint: "),
        (vec!["differentiate", "--of", "", "--at", "1"], 2, "empty"),
        (vec!["differentiate", "--of", "3", "--at", "1"], 2, "no variable"),
        (vec!["differentiate", "--of", "x*y", "--at", "1"], 2, "function gradient"),
        (vec!["differentiate", "--of", "x^2", "--at", "1,2"], 2, "2 numbers"),
        (vec!["differentiate", "--of", "x^2", "--at", "nan"], 2, "finite"),
        (vec!["differentiate", "--of", "x^2"], 2, "--at"),
        (vec!["differentiate", "--of", "ln(x)", "--at", "-1"], 1, "at x = -1"),
        (vec!["differentiate", "--of", "ln(x)", "--at", "5e-5"], 1, "step of x"),
        (vec!["differentiate", "--of", "x^2", "--at", "1", "--step-size", "0"], 2, "positive"),
        (vec!["differentiate", "--of", "x^2", "--at", "1e20"], 1, "no step is left"),
        (vec!["gradient", "--of", "x*y"], 2, "--at"),
        (vec!["gradient", "--of", "x*y", "--at", "1"], 2, "1 number"),
        (vec!["gradient", "--of", "x*y*z", "--at", "1,2,3", "--plot", "a.svg"], 2, "one variable or two"),
        (vec!["gradient", "--of", "x", "--at", "1", "--out", "a.npy"], 2, "--at-file"),
        (vec!["field", "--of", "x^2"], 2, "of two"),
        (vec!["field", "--of", "bowl", "--range", "2:1"], 2, "no range"),
        (vec!["field", "--of", "bowl", "--range", "0:1,0:1,0:1"], 2, "3 ranges"),
        (vec!["field", "--of", "bowl", "--grid", "1"], 2, "--grid"),
        (vec!["descend", "--of", "bowl", "--from", "1"], 2, "--from x0,x1"),
        (vec!["descend", "--of", "ln(x)", "--from", "-1"], 1, "the function is NaN"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--lr", "-1"], 2, "positive"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--momentum", "1"], 2, "less than 1"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--steps", "0"], 2, "--steps"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--plot", "picture.gif"], 2, ".svg"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--plot", "no/where.svg"], 1, "no/where.svg"),
        (vec!["descend", "--of", "bowl", "--from", "1,1", "--device", "99"], 1, "no adapter 99"),
        (vec!["nonsense"], 2, "nonsense"),
    ] {
        let output = run(&arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?} does not say {said:?}: {stderr}");
        assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
