//! The binary on the software adapter, and on machines without one.
//!
//! Tests that need the adapter fail without one where `GPU_TRAIN_REQUIRE_ADAPTER` is 1; elsewhere they say on stderr
//! that they did nothing.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gpu_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    // As on a server: no desktop.
    command.args(arguments).stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR").env_remove("GPU_TRAIN_DATA_DIR");
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a command that must succeed, and reads its one JSON document.
fn json(arguments: &[&str]) -> Value {
    let output = gpu_train(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The software adapter as `gpu-train devices` lists it.
fn software_adapter() -> Option<Value> {
    let document = json(&["devices", "--json"]);
    let found = document["adapters"].as_array().unwrap().iter().find(|adapter| adapter["kind"] == "software").cloned();
    if found.is_none() {
        let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
        assert!(!required, "there is no software adapter, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
        eprintln!("no software adapter: the command line was NOT tested on one");
    }
    found
}

/// A run's JSON document, the losses of its steps and the bytes of its model.
struct Run {
    document: Value,
    losses: Vec<f64>,
    model: Vec<u8>,
}

fn trained(device: &str, options: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (model, log) = (folder.path().join("model"), folder.path().join("log"));
    let fixed = ["--device", device, "--json", "--quiet"];
    let files = ["--save", model.to_str().unwrap(), "--log", log.to_str().unwrap()];
    let document = json(&[fixed.as_slice(), &files, options].concat());
    let lines = fs::read_to_string(&log).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let losses = lines.filter_map(|line| line["loss"].as_f64()).collect();
    Run { document, losses, model: fs::read(model).unwrap() }
}

/// The largest difference of the first 50 losses, as a share of the loss.
fn difference(a: &Run, b: &Run) -> f64 {
    assert!(a.losses.len() >= 50 && b.losses.len() >= 50);
    let shares = a.losses.iter().zip(&b.losses).take(50).map(|(a, b)| (a - b).abs() / b.abs());
    shares.fold(0.0, f64::max)
}

#[test]
fn the_software_adapter_trains_as_the_cpu_path_does() {
    if software_adapter().is_none() {
        return;
    }
    // A learning rate at which losses move from step to step.
    let options = ["--steps", "60", "--hidden", "20", "--init", "xavier", "--lr", "0.5"];
    let backprop = [options.as_slice(), &["--gradient", "backprop"]].concat();
    let cpu = trained("cpu", &options);
    let software = trained("software", &options);
    assert_eq!(
        (&cpu.document["device"]["kind"], &cpu.document["device"]["backend"]),
        (&"cpu".into(), &"native".into())
    );
    assert_eq!(software.document["device"]["kind"], "software");
    assert!(software.losses[59] < 0.8 * software.losses[0], "it learns: {:?}", software.losses);
    assert!(difference(&software, &cpu) <= 1e-5, "{}", difference(&software, &cpu));
    for device in ["cpu", "software"] {
        let other = trained(device, &backprop);
        assert!(difference(&other, &cpu) <= 1e-4, "{device}: {}", difference(&other, &cpu));
    }
    for key in ["train_accuracy", "test_accuracy"] {
        let [cpu, software] = [&cpu, &software].map(|run| run.document[key].as_f64().unwrap());
        assert!((cpu - software).abs() <= 0.005, "{key}: {software}, not {cpu}");
    }
    // The comparison sees a step that is a thousandth longer.
    let longer = [&options[..7], &["0.5005"]].concat();
    assert!(difference(&trained("software", &longer), &cpu) > 1e-5);
}

#[test]
fn the_same_seed_gives_the_same_model_on_the_software_adapter() {
    if software_adapter().is_none() {
        return;
    }
    let options = ["--steps", "40", "--hidden", "13", "--activation", "relu", "--optimizer", "adam", "--lr", "0.01"];
    let with = |more: &[&str]| trained("software", &[options.as_slice(), more].concat()).model;
    let first = with(&[]);
    assert!(with(&["--threads", "1"]) == first, "the same run gives other bytes");
    assert!(with(&["--memory", "2MiB"]) == first, "data that are streamed give other bytes");
    assert!(with(&["--seed", "43"]) != first, "the seed makes no difference");
}

#[test]
fn a_model_is_evaluated_the_same_on_both_devices() {
    if software_adapter().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let model = path.to_str().unwrap();
    json(&["--device", "cpu", "--steps", "300", "--lr", "0.5", "--json", "--quiet", "--save", model]);
    let evaluated = |device| json(&["evaluate", model, "--device", device, "--json", "--quiet"]);
    let (cpu, software) = (evaluated("cpu"), evaluated("software"));
    for key in ["accuracy", "samples", "confusion"] {
        assert_eq!(cpu[key], software[key], "{key}");
    }
    let [cpu, software] = [cpu, software].map(|document| document["loss"].as_f64().unwrap());
    assert!((cpu - software).abs() <= 1e-5 * cpu, "{software}, not {cpu}");
}

#[test]
fn an_adapter_answers_to_its_number_and_its_name() {
    let Some(adapter) = software_adapter() else { return };
    let index = adapter["index"].to_string();
    let name = adapter["name"].as_str().unwrap().to_uppercase();
    for device in [index.as_str(), &name[..6]] {
        let document = json(&["--device", device, "--steps", "2", "--batch-size", "5", "--json", "--quiet"]);
        assert_eq!(document["device"]["name"], adapter["name"]);
        assert!(document["device"]["reason"].as_str().unwrap().contains("as asked for"), "{document}");
    }
}

/// Drivers have their own opinion of what belongs on stderr.
#[test]
fn drivers_are_not_heard() {
    if software_adapter().is_none() {
        return;
    }
    for arguments in [
        ["devices", "--json"].as_slice(),
        &["--device", "software", "--steps", "2", "--json", "--quiet"],
        &["--device", "auto", "--steps", "2", "--json", "--quiet"],
    ] {
        let output = gpu_train(arguments).output().unwrap();
        assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_on_the_software_adapter_saves_what_it_learnt() {
    use std::io::{BufRead, BufReader, Read};
    if software_adapter().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let model = path.to_str().unwrap();
    let forever = ["--device", "software", "--steps", "1000000000", "--eval-every", "1000000000", "--hidden", "8"];
    let mut child = gpu_train(&[forever.as_slice(), &["--json", "--save", model]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("step") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let (mut rest, mut stdout) = (String::new(), String::new());
    stderr.read_to_string(&mut rest).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["interrupted"], true);
    let found = json(&["evaluate", model, "--device", "software", "--json", "--quiet"]);
    assert_eq!(found["loss"], document["test_loss"]);
}

#[test]
fn nobody_reading_is_no_error_on_the_software_adapter() {
    if software_adapter().is_none() {
        return;
    }
    for arguments in [["--device", "software", "--steps", "5"].as_slice(), &["devices"]] {
        let mut child = gpu_train(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_batch_that_no_buffer_holds_is_refused_by_the_limits_name() {
    if software_adapter().is_none() {
        return;
    }
    let output = gpu_train(&["--device", "software", "--batch-size", "16000000", "--quiet"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    let named = lines[0].contains("maxBufferSize") || lines[0].contains("maxStorageBufferBindingSize");
    assert!(lines[0].starts_with("error: ") && named, "{stderr}");
    assert!(lines[1].starts_with("hint: ") && lines[1].contains("smaller batch"), "{stderr}");
}

/// No driver is found, wherever they are looked for.
#[cfg(target_os = "linux")]
fn without_adapters(arguments: &[&str]) -> Output {
    let empty = tempfile::tempdir().unwrap();
    let mut command = gpu_train(arguments);
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES"] {
        command.env(variable, "/nonexistent");
    }
    for variable in ["XDG_DATA_DIRS", "XDG_DATA_HOME", "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME"] {
        command.env(variable, Path::new(empty.path()));
    }
    command.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_software_says_what_to_install() {
    for (device, expected) in [("software", "mesa-vulkan-drivers"), ("gpu", "Vulkan driver"), ("0", "devices")] {
        let refused = without_adapters(&["--device", device, "--steps", "2"]);
        let stderr = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        let lines: Vec<_> = stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{stderr}");
        assert!(lines[0].starts_with("error: ") && lines[1].starts_with("hint: "), "{stderr}");
        assert!(lines[1].contains(expected), "{stderr}");
        assert!(refused.stdout.is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_auto_trains_on_the_cpu_and_says_so() {
    let auto = without_adapters(&["--steps", "2", "--json"]);
    let stderr = text(&auto.stderr);
    assert_eq!(auto.status.code(), Some(0), "{stderr}");
    let document: Value = serde_json::from_slice(&auto.stdout).unwrap();
    assert_eq!(document["device"]["kind"], "cpu");
    assert_eq!(document["device"]["reason"], "no GPU found; using the CPU path");
    assert!(stderr.lines().any(|line| line.starts_with("device") && line.contains("using the CPU path")), "{stderr}");
    let listed = without_adapters(&["devices", "--json"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let document: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(document["adapters"], Value::Array(vec![]));
    assert_eq!(document["auto"]["index"], Value::Null);
}
