//! `gpu-train loss`: known values on every kind of device, samples one by one and in batches, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use gpu_train::data::npy;
use gpu_train::device::{DeviceKind, list};
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.arg("loss").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json", "--quiet"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn loss(arguments: &[&str]) -> f64 {
    json(arguments)["loss"].as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The CPU and a software adapter: losses are good to 1e-6 on both.
fn devices() -> Vec<&'static str> {
    let software = list().iter().any(|adapter| adapter.info.kind == DeviceKind::Software);
    let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
    assert!(software || !required, "no software adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
    if software { vec!["cpu", "software"] } else { vec!["cpu"] }
}

const TOLERANCE: f64 = 1e-6;

/// Whose largest output is class 2's, and class 7's.
const RIGHT: &str = "0.1,0.05,0.6,0,0.05,0.1,0,0.1,0,0";
const WRONG: &str = "0.1,0.05,0.1,0,0.05,0.1,0,0.6,0,0";
const ONE_HOT: &str = "0,0,1,0,0,0,0,0,0,0";

const CROSS_ENTROPY: [f64; 2] = [0.510_825_457_099_338, 2.302_584_092_994_546];
const SUM_OF_SQUARES: [f64; 2] = [0.0975, 0.5975];

#[test]
fn losses_have_their_known_values() {
    for device in devices() {
        for (kind, known) in [("cross-entropy", CROSS_ENTROPY), ("sum-of-squares", SUM_OF_SQUARES)] {
            for (outputs, known) in [RIGHT, WRONG].into_iter().zip(known) {
                for target in ["2", ONE_HOT] {
                    let options = ["--kind", kind, "--output", outputs, "--target", target, "--device", device];
                    let found = json(&options);
                    let got = found["loss"].as_f64().unwrap();
                    assert!((got - known).abs() < TOLERANCE, "{device}: {kind}: {got}, not {known}");
                    let terms = numbers(&found["terms"][0]);
                    assert!((terms.iter().sum::<f64>() - known).abs() < TOLERANCE, "{device}: {kind}: {terms:?}");
                    assert_eq!((terms.len(), numbers(&found["per_sample"]).len()), (10, 1));
                }
            }
        }
        // The controls: another epsilon and another class are other losses, and the comparison sees it.
        let other = ["--output", RIGHT, "--target", "2", "--epsilon", "1e-4", "--device", device];
        assert!((loss(&other) - CROSS_ENTROPY[0]).abs() > 10.0 * TOLERANCE);
        let other = ["--output", RIGHT, "--target", "0", "--device", device];
        assert!((loss(&other) - CROSS_ENTROPY[0]).abs() > 1.0);
    }
}

#[test]
fn softmax_has_its_known_values() {
    for device in devices() {
        for (logits, known) in [
            ("0.3,2.9,4.0", [0.018_211_27, 0.245_191_81, 0.736_596_91]),
            ("1010,1000,990", [0.999_954_6, 4.5398e-5, 2.0611e-9]),
        ] {
            let found = json(&["--softmax", "--output", logits, "--device", device]);
            assert!(found["loss"].is_null(), "without a target there is none");
            for (got, known) in numbers(&found["outputs"][0]).into_iter().zip(known) {
                // To the five digits that are known of the smallest, and to 1e-6.
                let allowed = TOLERANCE.min(2e-5 * known);
                assert!((got - known).abs() < allowed, "{device}: {logits}: {got}, not {known}");
            }
        }
        // With an epsilon of 0 the loss comes from the log-softmax, which is finite where the softmax is 0.
        let far = ["--softmax", "--output", "1000,0", "--target", "1", "--epsilon", "0", "--device", device];
        assert!((loss(&far) - 1000.0).abs() < 1e-3, "{device}: {}", loss(&far));
        let chained = ["--softmax", "--output", "0.3,2.9,4.0", "--target", "1", "--device", device];
        assert!((loss(&chained) - 1.405_714_057).abs() < TOLERANCE, "{device}: {}", loss(&chained));
    }
}

#[test]
fn batches_come_from_csv_and_npy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("class.csv"), format!("a,b,c,d,e,f,g,h,i,j,class\n{RIGHT},2\n{WRONG},2\n")).unwrap();
    std::fs::write(path("hot.csv"), format!("{RIGHT},{ONE_HOT}\n\n# the second\n{WRONG},{ONE_HOT}\n")).unwrap();
    let rows: Vec<f64> = format!("{RIGHT},2,{WRONG},2").split(',').map(|cell| cell.parse().unwrap()).collect();
    npy::write(Path::new(&path("class.npy")), &[2, 11], &rows).unwrap();
    for device in devices() {
        for (file, more) in [("class.csv", None), ("hot.csv", Some("--one-hot")), ("class.npy", None)] {
            for (kind, known) in [("cross-entropy", CROSS_ENTROPY), ("sum-of-squares", SUM_OF_SQUARES)] {
                let file = path(file);
                let mut options = vec!["--kind", kind, "--batch", &file, "--device", device];
                options.extend(more);
                let found = json(&options);
                for (got, known) in numbers(&found["per_sample"]).into_iter().zip(known) {
                    assert!((got - known).abs() < TOLERANCE, "{device}, {file}: {got}, not {known}");
                }
                let mean = (known[0] + known[1]) / 2.0;
                assert!((found["loss"].as_f64().unwrap() - mean).abs() < TOLERANCE, "{device}, {file}: {found}");
                assert_eq!(found["samples"], 2);
            }
        }
    }
    let shown = run(&["--batch", &path("class.csv")]);
    for said in ["sample  class  its output", "the mean of 2 samples", "18 of 20 terms vanish"] {
        assert!(text(&shown.stdout).contains(said), "{said}: {}", text(&shown.stdout));
    }
    for (name, content, said) in [
        ("class.csv", "0.5,0.5,2\n", "no class 2"),
        ("class.csv", "0.5,0.5,0.5\n", "no class 0.5"),
        ("class.csv", "0.5,0.5,-1\n", "no class -1"),
        ("class.csv", "0.5,-0.5,1\n", "negative"),
        ("class.csv", "0.5,nan,1\n", "NaN"),
        ("class.csv", "0.5,0.5,1\n0.5,1\n", "line 2"),
        ("class.csv", "0.5,0.5,1\n0.5,x,1\n", "line 2, column 2"),
        ("class.csv", "", "no number"),
        ("class.csv", "1\n", "rows of 1"),
        ("class.npy", "no array", "class.npy"),
    ] {
        std::fs::write(path(name), content).unwrap();
        let output = run(&["--batch", &path(name)]);
        assert_eq!(output.status.code(), Some(1), "{content:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{content:?}: {}", text(&output.stderr));
    }
    for missing in [path("missing.csv"), folder.path().to_str().unwrap().to_string()] {
        let output = run(&["--batch", &missing]);
        assert!(output.status.code() == Some(1) && text(&output.stderr).contains("cannot read"));
    }
}

#[test]
fn text_says_which_terms_vanish() {
    let shown = run(&["--output", RIGHT, "--target", "2"]);
    let stdout = text(&shown.stdout);
    assert_eq!(stdout.matches("0, target 0").count(), 9, "{stdout}");
    for said in ["0.510825457", "9 of 10 terms vanish", "-sum_k t_k ln(y_k + 1e-7)"] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
    let shown = run(&["--output", RIGHT, "--target", "2", "--kind", "sum-of-squares"]);
    assert!(!text(&shown.stdout).contains("vanish"), "{}", text(&shown.stdout));
    assert!(text(&shown.stderr).is_empty() || !text(&shown.stderr).contains("warning"));
}

#[test]
fn what_is_no_probability_is_told() {
    let warned = run(&["--output", "0.5,0.6", "--target", "0"]);
    assert_eq!(warned.status.code(), Some(0));
    assert!(text(&warned.stderr).contains("warning: the outputs sum to 1.100, not to 1"), "{}", text(&warned.stderr));
    // Any numbers are outputs of the sum of squares where that is said.
    let raw = ["--raw", "--kind", "sum-of-squares", "--output", "-1,3", "--target", "1,1"];
    assert!((loss(&raw) - 4.0).abs() < 1e-15);
    for (arguments, code, said) in [
        (vec!["--output", "-0.5,1.5", "--target", "0"], 2, "output 0 is negative"),
        (vec!["--output", "-0.5,1.5", "--target", "0", "--kind", "sum-of-squares"], 2, "negative"),
        (vec!["--output", "nan,1", "--target", "0"], 2, "output 0 is NaN"),
        (vec!["--output", "inf,1", "--target", "0"], 2, "output 0 is inf"),
        (vec!["--output", "0.5,0.5", "--target", "2"], 2, "no class 2"),
        (vec!["--output", "0.5,0.5", "--target", "-1"], 2, "no class -1"),
        (vec!["--output", "0.5,0.5", "--target", "0.5"], 2, "no class 0.5"),
        (vec!["--output", "0.5,0.5", "--target", "0,1,0"], 2, "3 numbers for 2 outputs"),
        (vec!["--output", "0.5,0.5", "--target", "0,nan"], 2, "target 1 is NaN"),
        (vec!["--output", "0.5,0.5"], 2, "no target"),
        (vec!["--output", "0.5,x", "--target", "0"], 2, "\"x\" is no number"),
        (vec!["--target", "0"], 2, "--output"),
        (vec!["--output", "1,0", "--target", "1", "--epsilon", "0"], 1, "the loss of sample 0 is inf"),
        (vec!["--output", "1,0", "--target", "1", "--epsilon", "-1"], 2, "0 or positive"),
        (vec!["--output", "1,0", "--target", "1", "--raw"], 2, "cross entropy needs"),
        (vec!["--output", "1,0", "--target", "1", "--kind", "hinge"], 2, "--kind"),
        (vec!["--output", "1,0", "--target", "1", "--device", "99"], 1, "no adapter 99"),
    ] {
        let output = run(&arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?} does not say {said:?}: {stderr}");
        assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
