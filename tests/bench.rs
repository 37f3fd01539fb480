//! `gpu-train bench`: what it prints, writes, compares and refuses, and that it times nothing that computes wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gpu_train::Error;
use gpu_train::bench::{Options, Plan, Suite, Watch};
use serde_json::Value;
use support::devices::{all, cpu};
use support::faulty::{Fault, Faulty};

fn gpu_train(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    gpu_train(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// One small row, quickly.
const ROW: [&str; 6] = ["bench", "--quick", "--device", "cpu", "--filter", "matmul odd 101x257x33"];

fn json(arguments: &[&str], code: i32) -> Value {
    let output = run(&[arguments, &["--json", "--quiet"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Nobody stops it.
struct Unwatched;

impl Watch for Unwatched {
    fn begins(&mut self, _row: &str, _number: usize, _of: usize) {}

    fn stop(&self) -> bool {
        false
    }
}

fn plan(suites: &[Suite], filter: &str) -> Plan {
    let filter = Some(filter.to_string());
    let plan = Plan::new(&Options { suites: suites.to_vec(), filter, quick: true, seed: 1, memory: None });
    assert!(plan.labels().next().is_some(), "{suites:?}");
    plan
}

#[test]
fn a_row_has_every_key_and_the_ceilings_are_positive() {
    let found = json(&ROW, 0);
    for key in ["command", "device", "ceilings", "results", "peak_memory_bytes", "seconds", "interrupted"] {
        assert!(found.get(key).is_some(), "{key}: {found}");
    }
    let ceilings = &found["ceilings"];
    for key in ["multiply_add_gflops", "copy_gbytes_per_second", "dispatch_seconds", "read_back_seconds"] {
        assert!(ceilings[key].as_f64().unwrap() > 0.0, "{key}: {ceilings}");
    }
    assert!(
        ceilings["submission_seconds"].as_f64().unwrap() >= 0.0 && !ceilings["copies"].as_array().unwrap().is_empty()
    );
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    let row = &found["results"][0];
    let expected = [
        "suite",
        "name",
        "shape",
        "median_seconds",
        "min_seconds",
        "spread",
        "outliers",
        "runs",
        "repeats",
        "device_seconds",
        "gflops",
        "gbytes_per_second",
        "share_of_ceiling",
        "ceiling",
        "per_second",
        "flops_per_byte",
    ];
    assert_eq!(keys(row), expected);
    let number = |key: &str| row[key].as_f64().unwrap();
    assert!(number("min_seconds") <= number("median_seconds") && number("runs") >= 3.0, "{row}");
    // The figures are of one time: 2 M K N operations, and both factors and the result once.
    let flops = 2.0 * 101.0 * 257.0 * 33.0;
    assert!((number("gflops") * number("median_seconds") * 1e9 / flops - 1.0).abs() < 1e-9, "{row}");
    assert!((number("per_second") * number("median_seconds") - 1.0).abs() < 1e-9, "{row}");
    let bound = number("share_of_ceiling") * number("median_seconds");
    assert!(bound >= 0.99 * flops * 1e-9 / ceilings["multiply_add_gflops"].as_f64().unwrap(), "{row} {ceilings}");
    if cfg!(target_os = "linux") {
        assert!(found["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn a_run_passes_against_itself_and_fails_against_one_many_times_as_fast() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();
    json(&[ROW.as_slice(), &["--export", file]].concat(), 0);
    let against = |more: &[&str], code| json(&[ROW.as_slice(), &["--baseline", file], more].concat(), code);
    // Loud machines are several times as slow now and then: times are compared here, so by factors beyond that.
    let same = against(&["--max-slowdown", "30"], 0);
    let compared = &same["comparison"];
    assert_eq!(keys(compared), ["baseline", "max_slowdown", "rows", "only_here", "only_in_baseline"]);
    assert_eq!(keys(&compared["rows"][0]), ["row", "ratio", "ratio_of_fastest", "slower"]);
    assert_eq!((&compared["rows"][0]["slower"], &compared["max_slowdown"]), (&false.into(), &30.0.into()));
    // The control: what took a hundredth of the time before has become slower by more than a fifth.
    let mut before: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for row in before["results"].as_array_mut().unwrap() {
        for key in ["median_seconds", "min_seconds"] {
            row[key] = (row[key].as_f64().unwrap() / 100.0).into();
        }
    }
    let mut other = before["results"][0].clone();
    other["shape"] = "of another run".into();
    before["results"].as_array_mut().unwrap().push(other);
    fs::write(file, before.to_string()).unwrap();
    let slower = against(&[], 1);
    assert_eq!(slower["comparison"]["rows"][0]["slower"], true);
    assert_eq!(slower["comparison"]["only_in_baseline"][0], "kernels matmul odd of another run");
    let output = run(&[ROW.as_slice(), &["--baseline", file]].concat());
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("SLOWER") && shown.contains("1 of 1 rows take more than 1.2 times"), "{shown}");
    assert!(shown.contains("in the baseline only: kernels matmul odd of another run"), "{shown}");
}

#[test]
fn exports_and_pictures_hold_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (csv, markdown, picture) = (path("rows.csv"), path("rows.md"), path("roofline.svg"));
    let output = run(&[ROW.as_slice(), &["--export", &csv, "--plot", &picture]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for expected in ["matmul odd", "101x257x33", "multiply-adds", "a read-back", "device"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let written = fs::read_to_string(&csv).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines.len(), 2, "{written}");
    assert!(lines[0].starts_with("suite,name,shape,median_seconds,") && lines[0].ends_with(",per_second"), "{written}");
    assert!(lines[1].starts_with("kernels,matmul odd,\"101x257x33\","), "{written}");
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    let drawn = fs::read_to_string(&picture).unwrap();
    for expected in ["Roofline", "GFLOP/s", "copies, memory", "squares and odd shapes"] {
        assert!(drawn.contains(expected), "{expected}");
    }
    assert_eq!(run(&[ROW.as_slice(), &["--export", &markdown, "--quiet"]].concat()).status.code(), Some(0));
    let written = fs::read_to_string(&markdown).unwrap();
    assert!(written.contains("| kernels matmul odd | 101x257x33 |") && written.contains("| a dispatch |"), "{written}");
}

#[test]
fn every_suite_passes_its_checks_on_every_device() {
    for mut device in all() {
        let name = device.name.clone();
        for (suite, filter) in [
            (Suite::Kernels, "x10"),
            (Suite::Kernels, "gather"),
            (Suite::Kernels, "update"),
            (Suite::Gradient, "784-50-10"),
            (Suite::Train, "784-50-10"),
            (Suite::Data, "data"),
        ] {
            let plan = plan(&[suite], filter);
            let report = device.with(|backend| plan.run(backend, &mut Unwatched, None));
            let report = report.unwrap_or_else(|error| panic!("{name}, {filter}: {error}"));
            assert_eq!(report.results.len(), plan.labels().count(), "{name}, {filter}");
        }
    }
}

#[test]
fn what_computes_wrongly_is_not_timed() {
    for (suite, filter, kernel, named) in [
        (Suite::Kernels, "matmul weight gradient 50x100x10", "matmul", "matmul"),
        (Suite::Kernels, "softmax", "softmax", "softmax"),
        (Suite::Kernels, "softmax", "cross_entropy", "cross_entropy"),
        (Suite::Kernels, "loss gradient", "loss_gradient", "loss_gradient"),
        (Suite::Kernels, "activate", "activate", "activate"),
        (Suite::Kernels, "column sums", "column_sums", "column_sums"),
        (Suite::Kernels, "update", "update", "update"),
        (Suite::Kernels, "gather", "gather", "gather"),
        (Suite::Kernels, "probe curve", "probe_curve", "probe_curve"),
        (Suite::Kernels, "probe deep", "probe_difference", "probe_difference"),
        (Suite::Gradient, "backprop 784-50-10", "loss_gradient", "backprop"),
        (Suite::Gradient, "numerical 784-50-10", "probe_curve", "numerical"),
        (Suite::Train, "backprop 784-50-10", "update", "backprop"),
    ] {
        // All that the kernel writes is 0, as some drivers leave it without an error.
        let mut device = cpu(2);
        let mut faulty = Faulty::new(device.backend.as_mut(), Fault::Zeros(kernel));
        match plan(&[suite], filter).run(&mut faulty, &mut Unwatched, None) {
            Err(Error::SelfTest { kernel: found, .. }) => assert_eq!(found, named, "{filter}"),
            other => panic!("{filter}: {:?}", other.map(|report| report.results.len())),
        }
    }
}

#[test]
fn wrong_calls_are_refused_before_work_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("damaged.json", "{\"command\":\"bench\",\"results\":[{\"suite\":");
    write("other.json", "{\"command\":\"train\",\"results\":[]}");
    write("empty.json", "{\"command\":\"bench\",\"results\":[]}");
    let row = |time: &str| {
        format!(
            "{{\"command\":\"bench\",\"results\":[{{\"suite\":\"kernels\",\"name\":\"nothing\",\"shape\":\"1\",\
             \"median_seconds\":{time},\"min_seconds\":1.0}}]}}"
        )
    };
    write("zero.json", &row("0.0"));
    write("strange.json", &row("1.0"));
    for (code, arguments, expected) in [
        (2, "--suite kernel", "kernel"),
        (2, "--suite kernels,nonsense", "nonsense"),
        (2, "--filter nonsense", "no row is called"),
        (2, "--max-slowdown 2", "--baseline"),
        (2, "--baseline empty.json --max-slowdown 0.5", "no ratio"),
        (2, "--baseline empty.json --max-slowdown nan", "no ratio"),
        (2, "--export rows.txt", "neither .json nor .csv nor .md"),
        (2, "--plot roofline.pdf", "neither .svg nor .png"),
        (2, "--threads 0", "--threads"),
        (2, "extra", "extra"),
        (1, "--export nowhere/rows.csv", "cannot create nowhere/rows.csv"),
        (1, "--plot nowhere/roofline.svg", "cannot create nowhere/roofline.svg"),
        (1, "--baseline nothing.json", "cannot read nothing.json"),
        (1, "--baseline .", "cannot read ."),
        (1, "--baseline damaged.json", "baseline damaged.json"),
        (1, "--baseline other.json", "of the command \"train\""),
        (1, "--baseline empty.json", "it has no results"),
        (1, "--baseline zero.json", "are not positive"),
        (1, "--baseline strange.json", "none of the rows"),
        (1, "--device nonsense", "no adapter's name contains"),
    ] {
        let arguments: Vec<_> = ["bench", "--quick"].into_iter().chain(arguments.split(' ')).collect();
        let output = gpu_train(&arguments).current_dir(folder.path()).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{arguments:?}: {told}");
        assert!(told.contains(expected) && output.stdout.is_empty(), "{arguments:?}: {told}");
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 5, "nothing was written");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_prints_what_it_has() {
    use std::io::{BufRead, BufReader, Read};

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    let arguments = ["bench", "--device", "cpu", "--suite", "kernels", "--json", "--export", file.to_str().unwrap()];
    let mut child = gpu_train(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("row 2/") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["interrupted"], true);
    assert!(!document["results"].as_array().unwrap().is_empty());
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(Path::new(&file)).unwrap()).unwrap(), document);
}
