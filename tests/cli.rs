//! The binary as people and scripts run it: what it prints, what it writes, how it ends.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary, on the CPU path unless the arguments say otherwise.
fn gpu_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).stdin(Stdio::null());
    command.env_remove("GPU_TRAIN_DATA_DIR");
    command
}

fn run(arguments: &[&str]) -> Output {
    gpu_train(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a command that must succeed, and reads its one JSON document.
fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A short run, and more arguments.
fn short<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [["--device", "cpu", "--steps", "30", "--batch-size", "20"].as_slice(), more].concat()
}

#[test]
fn training_reports_every_key() {
    let document = json(&short(&["--json"]));
    let expected = [
        "command",
        "dataset",
        "device",
        "network",
        "activation",
        "loss",
        "gradient",
        "step_size",
        "parameters",
        "batch_size",
        "steps",
        "epochs",
        "seconds",
        "load_seconds",
        "first_step_seconds",
        "steps_per_second",
        "samples_per_second",
        "loss_evaluations",
        "probes",
        "final_batch_loss",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
        "seed",
        "interrupted",
    ];
    assert_eq!(keys(&document), expected);
    assert_eq!(keys(&document["device"]), ["kind", "name", "backend", "reason"]);
    assert_eq!(keys(&document["probes"]), ["curves", "more_nodes", "single", "largest_check_error"]);
    let inputs = document["network"][0].as_u64().unwrap();
    let classes = document["network"][2].as_u64().unwrap();
    assert_eq!(document["parameters"], (inputs + 1) * 50 + 51 * classes);
    assert_eq!((&document["steps"], &document["seed"]), (&30.into(), &42.into()));
    assert_eq!(document["step_size"].to_string(), "0.0001");
    assert!(document["loss_evaluations"].as_f64().unwrap() > 30.0);
    let (load, first) = (&document["load_seconds"], &document["first_step_seconds"]);
    assert!(load.as_f64().unwrap() > 0.0 && first.as_f64() > load.as_f64(), "{load} {first}");
}

#[test]
fn backprop_has_no_probes_and_agrees() {
    let numerical = json(&short(&["--json"]));
    let backprop = json(&short(&["--json", "--gradient", "backprop"]));
    assert_eq!(backprop["gradient"], "backprop");
    assert!(backprop.get("probes").is_none());
    assert_eq!(backprop["step_size"], Value::Null);
    let (a, b) = (numerical["train_loss"].as_f64().unwrap(), backprop["train_loss"].as_f64().unwrap());
    // 30 steps whose gradients agree to about 1e-6.
    assert!((a - b).abs() < 1e-4 * a, "numerical {a}, backprop {b}");
    assert!(a < std::f64::consts::LN_10 * 1.01, "no worse than guessing: {a}");
}

#[test]
fn directional_runs_report_their_directions() {
    let directional = |more: &[&str]| json(&short(&[&["--json", "--gradient", "directional"], more].concat()));
    let document = directional(&[]);
    assert_eq!((&document["gradient"], &document["objective"]), (&"directional".into(), &"loss".into()));
    assert_eq!((&document["directions"], document["step_size"].to_string()), (&32.into(), "0.001".into()));
    // Two forward passes a direction, and the one whose loss is told.
    assert_eq!(document["loss_evaluations"], 30.0 * 65.0);
    assert!(document.get("probes").is_none());
    let accuracy = directional(&["--objective", "accuracy", "--directions", "3"]);
    assert_eq!((&accuracy["objective"], &accuracy["loss_evaluations"]), (&"accuracy".into(), &(30.0 * 7.0).into()));
    let threads = |count: &str| directional(&["--threads", count])["train_loss"].clone();
    assert_eq!(threads("1"), threads("3"));
    assert_eq!(threads("1"), document["train_loss"], "the same seed");
    assert_ne!(directional(&["--seed", "1"])["train_loss"], document["train_loss"]);
}

#[test]
fn a_directional_run_can_be_repeated() {
    let options = ["--gradient", "directional", "--directions", "5", "--objective", "accuracy", "--step-size", "0.2"];
    let output = run(&short(&[&options[..], &["--activation", "gelu"]].concat()));
    let stdout = text(&output.stdout);
    let repeat = stdout.lines().find_map(|line| line.strip_prefix("repeat")).unwrap();
    for option in options.chunks_exact(2).map(|pair| pair.join(" ")) {
        assert!(repeat.contains(&option), "{option}: {repeat}");
    }
    let words: Vec<_> = repeat.split_whitespace().skip(1).collect();
    let losses = |text: &str| text.lines().skip(1).take(2).map(String::from).collect::<Vec<_>>();
    assert_eq!(losses(text(&run(&words).stdout)), losses(stdout), "{repeat}");
}

#[test]
fn a_run_ends_with_a_table_and_how_to_repeat_it() {
    let output = run(&short(&["--hidden", "8", "--lr", "0.2"]));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    for expected in ["train", "test", "steps/s", "evaluations", "probes", "device"] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
    assert!(stderr.lines().any(|line| line.starts_with("epoch")), "{stderr}");
    assert!(!stderr.contains('\u{1b}') && !stderr.contains('\r'), "plain without a terminal: {stderr:?}");
    let repeat = stdout.lines().find_map(|line| line.strip_prefix("repeat")).unwrap();
    let words: Vec<_> = repeat.split_whitespace().skip(1).collect();
    let losses = |text: &str| text.lines().skip(1).take(2).map(String::from).collect::<Vec<_>>();
    assert_eq!(losses(text(&run(&words).stdout)), losses(stdout), "{repeat}");
}

#[test]
fn quiet_is_quiet_and_plain_progress_is_short() {
    let quiet = run(&short(&["--quiet"]));
    assert_eq!(text(&quiet.stderr), "");
    let begun = Instant::now();
    let many = run(&["--device", "cpu", "--steps", "300", "--batch-size", "20", "--hidden", "4", "--eval-every", "1"]);
    let (lines, seconds) = (text(&many.stderr).lines().count(), begun.elapsed().as_secs() as usize);
    assert!(lines <= 8 + seconds, "{lines} lines in {seconds} s for 300 evaluations");
}

#[test]
fn the_log_has_settings_steps_and_evaluations() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("run.jsonl");
    fs::write(&log, "what was there\n".repeat(10_000)).unwrap();
    json(&short(&["--json", "--eval-every", "20", "--log", log.to_str().unwrap()]));
    let lines: Vec<Value> =
        fs::read_to_string(&log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["run"]["batch_size"], 20);
    assert!(lines[0]["run"]["repeat"].as_str().unwrap().starts_with("gpu-train train --device cpu"));
    let losses: Vec<_> = lines[1..].iter().filter(|line| line.get("loss").is_some()).collect();
    let steps: Vec<_> = losses.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=30).collect::<Vec<_>>());
    assert_eq!(keys(losses[0]), ["step", "loss"]);
    let evaluations: Vec<_> = lines.iter().filter(|line| line.get("test_loss").is_some()).collect();
    assert_eq!(evaluations.iter().map(|line| &line["step"]).collect::<Vec<_>>(), [20, 30]);
    let expected = ["step", "epoch", "train_accuracy", "test_accuracy", "train_loss", "test_loss"];
    assert_eq!(keys(evaluations[0]), expected);
}

#[test]
fn a_model_is_the_same_bytes_whatever_the_threads_and_evaluates_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let models: Vec<_> = ["1", "2", "2"]
        .iter()
        .enumerate()
        .map(|(number, threads)| {
            let path = folder.path().join(number.to_string());
            let trained = json(&short(&["--json", "--threads", threads, "--save", path.to_str().unwrap()]));
            (fs::read(&path).unwrap(), trained)
        })
        .collect();
    assert!(models.iter().all(|(bytes, _)| *bytes == models[0].0));
    let model = folder.path().join("0");
    for split in ["train", "test"] {
        let found = json(&["evaluate", model.to_str().unwrap(), "--device", "cpu", "--json", "--split", split]);
        assert_eq!(found["loss"], models[0].1[format!("{split}_loss")]);
        assert_eq!(found["accuracy"], models[0].1[format!("{split}_accuracy")]);
        let samples = found["samples"].as_u64().unwrap();
        let confusion: Vec<Vec<u64>> = serde_json::from_value(found["confusion"].clone()).unwrap();
        assert_eq!(confusion.iter().flatten().sum::<u64>(), samples);
        let right: u64 = confusion.iter().enumerate().map(|(class, row)| row[class]).sum();
        assert_eq!(found["accuracy"].as_f64().unwrap(), right as f64 / samples as f64);
    }
    let other = folder.path().join("other");
    json(&short(&["--json", "--seed", "43", "--save", other.to_str().unwrap()]));
    assert_ne!(fs::read(other).unwrap(), models[0].0);
}

#[test]
fn training_goes_on_from_a_model_and_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = path.to_str().unwrap();
    // Long enough that another such run surely learns more.
    let options = ["--device", "cpu", "--json", "--steps", "200", "--lr", "0.5", "--save", model];
    let first = json(&[options.as_slice(), &["--hidden", "7", "--activation", "tanh"]].concat());
    let before = fs::read(&path).unwrap();
    let second = json(&[options.as_slice(), &["--start-from", model]].concat());
    assert_eq!((&second["network"], &second["activation"]), (&first["network"], &first["activation"]));
    assert!(second["train_loss"].as_f64() < first["train_loss"].as_f64());
    assert_ne!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers");
}

#[test]
fn a_data_set_is_described() {
    let document = json(&["data", "info", "--json"]);
    assert_eq!(keys(&document), ["command", "dataset", "classes", "train", "test"]);
    for split in ["train", "test"] {
        let split = &document[split];
        assert_eq!(keys(split), ["samples", "shape", "class_counts", "mean", "zero_share"]);
        let counts: Vec<u64> = serde_json::from_value(split["class_counts"].clone()).unwrap();
        assert_eq!(counts.len() as u64, document["classes"].as_u64().unwrap());
        assert_eq!(counts.iter().sum::<u64>(), split["samples"].as_u64().unwrap());
        assert_eq!(split["shape"][0], split["samples"]);
        for share in ["mean", "zero_share"] {
            assert!((0.0..1.0).contains(&split[share].as_f64().unwrap()), "{split}");
        }
    }
}

#[test]
fn devices_are_listed_and_the_choice_explained() {
    let document = json(&["devices", "--json"]);
    assert_eq!(keys(&document), ["command", "adapters", "auto"]);
    for (index, adapter) in document["adapters"].as_array().unwrap().iter().enumerate() {
        assert_eq!(adapter["index"], index);
        for key in ["name", "kind", "backend", "driver"] {
            assert!(adapter[key].is_string(), "{key}: {adapter}");
        }
    }
    assert!(!document["auto"]["reason"].as_str().unwrap().is_empty());
    assert!(text(&run(&["devices"]).stdout).contains("auto"));
}

#[test]
fn nobody_reading_is_no_error() {
    for arguments in [short(&["--json"]), short(&[]), vec!["data", "info"], vec!["--help"]] {
        let mut child = gpu_train(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
    // Nor is it when progress goes nowhere.
    let mut child = gpu_train(&short(&[])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(stdout.contains("accuracy"), "{stdout}");
}

/// A run that would take for ever, and has begun: its first lines of progress are there.
#[cfg(unix)]
fn begun(arguments: &[&str]) -> (std::process::Child, BufReader<std::process::ChildStderr>) {
    let forever = ["--device", "cpu", "--steps", "1000000000", "--hidden", "8", "--eval-every", "1000000000"];
    let arguments = [forever.as_slice(), arguments].concat();
    let mut child = gpu_train(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("step") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    (child, stderr)
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_what_it_learnt() {
    for name in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let (model, log) = (folder.path().join("model"), folder.path().join("log"));
        let files = ["--json", "--save", model.to_str().unwrap(), "--log", log.to_str().unwrap()];
        let (mut child, mut stderr) = begun(&files);
        let asked = Instant::now();
        signal(&child, name);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        let mut stdout = String::new();
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}: {rest}");
        assert!(asked.elapsed() < Duration::from_secs(20), "{name}: {:?}", asked.elapsed());
        let document: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(document["interrupted"], true);
        let found = json(&["evaluate", model.to_str().unwrap(), "--device", "cpu", "--json"]);
        assert_eq!(found["loss"], document["test_loss"]);
        let logged = fs::read_to_string(&log).unwrap();
        let last: Value = serde_json::from_str(logged.lines().last().unwrap()).unwrap();
        assert_eq!(last["step"], document["steps"]);
        assert_eq!(last["test_loss"], document["test_loss"]);
    }
}

#[test]
fn an_evaluation_draws_the_confusion_and_what_went_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    let model = model.to_str().unwrap();
    let run = gpu_train(&short(&["--save", model, "--quiet"])).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let plain = json(&["evaluate", model, "--device", "cpu", "--json"]);
    for ending in ["svg", "png"] {
        let picture = folder.path().join(format!("answers.{ending}"));
        let options = ["evaluate", model, "--device", "cpu", "--json", "--plot", picture.to_str().unwrap()];
        assert_eq!(json(&options)["confusion"], plain["confusion"]);
        let drawn = fs::read(&picture).unwrap();
        if ending == "svg" {
            let drawn = String::from_utf8(drawn).unwrap();
            let counts: u64 = plain["confusion"][0].as_array().unwrap().iter().map(|cell| cell.as_u64().unwrap()).sum();
            assert!(counts > 0 && drawn.contains("true class 9, predicted class 9: "), "every cell is told");
            assert!(drawn.contains("Answers on the test split of digits") && drawn.contains(" as "), "mistakes");
        } else {
            assert!(drawn.starts_with(b"\x89PNG"));
        }
    }
    let refused = gpu_train(&["evaluate", model, "--plot", "answers.gif"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [short(&["--json"]), short(&[]), vec!["data", "info"]] {
        let output = gpu_train(&arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("error: cannot write stdout"), "{}", text(&output.stderr));
    }
    // A log that ends early stops the run, but what was learnt is saved.
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    let output = run(&short(&["--log", "/dev/full", "--save", model.to_str().unwrap()]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error: cannot write /dev/full"), "{}", text(&output.stderr));
    assert!(!Path::new("/dev/full").is_file());
}
