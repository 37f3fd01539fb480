//! `gpu-train gradient` and `gpu-train check`: what they print, write and refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gpu_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    gpu_train(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The one JSON document of a command that ends with this exit code.
fn json(arguments: &[&str], code: i32) -> Value {
    let output = run(&[arguments, &["--json", "--quiet"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A small trained model in a folder that lasts as long as it does.
fn model(hidden: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors").to_str().unwrap().to_string();
    let options = ["--device", "cpu", "--hidden", hidden, "--steps", "50", "--lr", "0.5", "--quiet", "--save", &path];
    assert_eq!(run(&options).status.code(), Some(0));
    (folder, path)
}

/// The tensors of a safetensors file, by name: shape and values.
fn tensors(path: &Path) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = file
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            (name.to_string(), tensor.shape().to_vec(), values)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = |pairs: &mut dyn Iterator<Item = f64>| pairs.map(|x| x * x).sum::<f64>().sqrt();
    let off = squares(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    off / squares(&mut b.iter().map(|&b| f64::from(b)))
}

#[test]
fn a_gradient_reports_every_key() {
    let (_folder, model) = model("6");
    let found = json(&["gradient", &model, "--device", "cpu", "--indices", "0..40"], 0);
    for key in ["loss", "seconds", "loss_evaluations", "probes", "tensors"] {
        assert!(found.get(key).is_some(), "{key}: {found}");
    }
    assert_eq!(keys(&found["probes"]), ["curves", "more_nodes", "single", "largest_check_error"]);
    assert_eq!((&found["samples"], &found["split"]), (&40.into(), &"train".into()));
    let names: Vec<_> = found["tensors"].as_array().unwrap().iter().map(|tensor| tensor["name"].clone()).collect();
    assert_eq!(names, ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
    for tensor in found["tensors"].as_array().unwrap() {
        assert_eq!(keys(tensor), ["name", "norm", "max_abs", "truncation_estimate", "rounding_estimate"]);
        let number = |key: &str| tensor[key].as_f64().unwrap();
        assert!(number("norm") >= number("max_abs") && number("max_abs") > 0.0, "{tensor}");
        assert!(number("rounding_estimate") > 0.0 && number("rounding_estimate") < 1e-5 * number("norm"), "{tensor}");
    }
    let backprop = json(&["gradient", &model, "--device", "cpu", "--method", "backprop"], 0);
    assert!(backprop.get("probes").is_none() && backprop["step_size"].is_null());
    assert_eq!(backprop["tensors"][0]["truncation_estimate"], 0.0);
}

#[test]
fn the_three_methods_write_the_same_gradient_where_the_step_is_small() {
    let (folder, model) = model("3");
    let wanted = tensors(Path::new(&model));
    let gradient = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let options =
            ["gradient", &model, "--device", "cpu", "--indices", "3,1,4,1,5", "--out", path.to_str().unwrap()];
        json(&[options.as_slice(), more].concat(), 0);
        tensors(&path)
    };
    let numerical = gradient("numerical", &["--repeat", "2"]);
    let shapes = |tensors: &[(String, Vec<usize>, Vec<f32>)]| {
        tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect::<Vec<_>>()
    };
    assert_eq!(shapes(&numerical), shapes(&wanted));
    let literal = gradient("literal", &["--method", "literal"]);
    let backprop = gradient("backprop", &["--method", "backprop"]);
    let far = gradient("far", &["--step-size", "0.5"]);
    let far_literal = gradient("far-literal", &["--step-size", "0.5", "--method", "literal", "--threads", "1"]);
    for index in 0..wanted.len() {
        assert!(distance(&literal[index].2, &numerical[index].2) < 1e-6, "{}", wanted[index].0);
        assert!(distance(&backprop[index].2, &numerical[index].2) < 1e-6, "{}", wanted[index].0);
        assert!(distance(&far_literal[index].2, &far[index].2) < 1e-6, "{}", wanted[index].0);
        // The control: at a large step the quotient is another number.
        assert!(distance(&far[index].2, &numerical[index].2) > 1e-4, "{}", wanted[index].0);
    }
    for difference in ["forward", "five-point", "richardson"] {
        let options = ["--step-size", "0.3", "--difference", difference];
        let fast = gradient("fast", &options);
        let slow = gradient("slow", &[options.as_slice(), &["--method", "literal"]].concat());
        for (fast, slow) in fast.iter().zip(&slow) {
            assert!(distance(&fast.2, &slow.2) < 1e-6, "{difference}: {}", fast.0);
        }
    }
}

#[test]
fn a_chosen_step_is_told() {
    let (_folder, model) = model("6");
    let found = json(&["gradient", &model, "--device", "cpu", "--step-size", "auto"], 0);
    assert_eq!(found["step_size"], "auto");
    for tensor in found["tensors"].as_array().unwrap() {
        assert!((1e-6..0.1).contains(&tensor["step_size"].as_f64().unwrap()), "{tensor}");
        assert!(tensor["truncation_estimate"].as_f64() < tensor["rounding_estimate"].as_f64(), "{tensor}");
    }
    let trained = json(&["train", "--device", "cpu", "--steps", "20", "--step-size", "auto"], 0);
    assert!((1e-6..0.1).contains(&trained["step_size"].as_f64().unwrap()), "{trained}");
    let quotient = ["train", "--device", "cpu", "--steps", "20", "--difference", "five-point", "--step-size", "0.1"];
    assert!(json(&quotient, 0)["train_loss"].as_f64().unwrap().is_finite());
}

#[test]
fn what_is_not_there_is_refused() {
    let (folder, model) = model("6");
    let refused = |more: &[&str], code: i32, said: &str| {
        let output = run(&[["gradient", &model, "--device", "cpu"].as_slice(), more].concat());
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{more:?}: {}", text(&output.stderr));
    };
    refused(&["--indices", "0..9999999"], 2, "there is no sample");
    refused(&["--indices", "5..5"], 2, "no index");
    refused(&["--step-size", "0"], 2, "--step-size");
    refused(&["--method", "magic"], 2, "--method");
    refused(&["--difference", "forward", "--probes", "curve"], 1, "even function");
    refused(&["--out", folder.path().join("no/where").to_str().unwrap()], 1, "no/where");
    let missing = run(&["gradient", "missing.safetensors"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn checks_pass_and_say_what_they_looked_at() {
    let (_folder, model) = model("6");
    for options in [
        vec!["check", "--device", "cpu"],
        vec!["check", &model, "--device", "cpu", "--split", "test"],
        vec!["check", "--device", "cpu", "--hidden", "none", "--step-size", "0.5", "--loss", "sum-of-squares"],
        vec![
            "check",
            "--device",
            "cpu",
            "--hidden",
            "9",
            "--activation",
            "relu",
            "--init",
            "he",
            "--difference",
            "forward",
        ],
        vec!["check", "--device", "cpu", "--activation", "tanh", "--init", "xavier", "--step-size", "auto"],
    ] {
        let found = json(&options, 0);
        assert_eq!(found["passed"], true, "{found}");
        for tensor in found["tensors"].as_array().unwrap() {
            for key in ["name", "relative_error", "max_abs_error", "worst_index", "estimate"] {
                assert!(tensor.get(key).is_some(), "{key}: {tensor}");
            }
            let dimensions = if tensor["name"].as_str().unwrap().ends_with("weight") { 2 } else { 1 };
            assert_eq!(tensor["worst_index"].as_array().unwrap().len(), dimensions);
        }
    }
    let shown = run(&["check", "--device", "cpu", "--hidden", "5"]);
    for said in ["layers.0.weight", "5 x 784", "passed"] {
        assert!(text(&shown.stdout).contains(said), "{said}: {}", text(&shown.stdout));
    }
}

#[cfg(unix)]
#[test]
fn a_literal_run_is_announced_and_can_be_interrupted() {
    use std::io::{BufRead, BufReader};
    let (_folder, model) = model("200");
    let arguments = ["gradient", &model, "--device", "cpu", "--method", "literal", "--indices", "0..200"];
    let mut child = gpu_train(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("literal") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without a word");
    }
    assert!(line.contains("about") && line.contains("--method numerical"), "{line}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
