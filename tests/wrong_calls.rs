//! Calls that cannot work: one `error:` line, the right exit code, and nothing touched.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command.env("GPU_TRAIN_DATA_DIR", folder.join("data")).env("NO_COLOR", "1");
    // Some drivers complain on stderr where this is not set.
    command.env("XDG_RUNTIME_DIR", folder);
    command.output().unwrap()
}

/// Runs each call and demands its exit code, exactly one `error:` line that says `expected`, and no result.
fn check(folder: &Path, cases: &[(i32, &str, &str)]) {
    for &(code, arguments, expected) in cases {
        let output = run(folder, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{arguments:?}: {stderr}");
        // clap puts the names of missing arguments below its error line.
        assert!(stderr.contains(expected), "{arguments:?} does not say {expected:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains('\u{1b}'), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn wrong_usage_is_2() {
    let folder = tempfile::tempdir().unwrap();
    check(
        folder.path(),
        &[
            (2, "--nonsense", "--nonsense"),
            (2, "nonsense", "nonsense"),
            (2, "train extra", "extra"),
            (2, "evaluate", "<MODEL>"),
            (2, "evaluate a b", "'b'"),
            (2, "data nonsense", "nonsense"),
            (2, "devices extra", "extra"),
            (2, "--batch-size 0", "--batch-size"),
            (2, "--batch-size -1", "--batch-size"),
            (2, "--batch-size 1.5", "--batch-size"),
            (2, "--batch-size 99999999999", "--batch-size"),
            (2, "--steps 0", "--steps"),
            (2, "--steps 10 --epochs 1", "cannot be used with"),
            (2, "--epochs 0", "--epochs"),
            (2, "--epochs 18446744073709551615", "too many"),
            (2, "--eval-every 0", "--eval-every"),
            (2, "--step-size 0", "positive"),
            (2, "--step-size -0.1", "positive"),
            (2, "--step-size nan", "positive"),
            (2, "--step-size inf", "positive"),
            (2, "--step-size 1e-60", "positive"),
            (2, "--step-size x", "expected a number"),
            (2, "--lr 0", "positive"),
            (2, "--learning-rate nan", "positive"),
            (2, "--lr -1", "positive"),
            (2, "--hidden 0", "0 units"),
            (2, "--hidden 50,0", "0 units"),
            (2, "--hidden 50,,20", "not a number of units"),
            (2, "--hidden 4294967296,4294967296", "2^31 parameters"),
            (2, "--activation swish", "--activation"),
            (2, "--output-activation identity", "cross entropy needs probabilities"),
            (2, "--output-activation identity --loss cross-entropy", "cross entropy needs probabilities"),
            (2, "--epsilon -1", "0 or positive"),
            (2, "--epsilon nan", "0 or positive"),
            (2, "--loss hinge", "--loss"),
            (2, "--gradient autodiff", "--gradient"),
            (2, "--gradient directional --directions 0", "--directions"),
            (2, "--gradient directional --directions 10001", "--directions"),
            (2, "--gradient directional --objective speed", "--objective"),
            (2, "--objective accuracy", "no derivative"),
            (2, "--probes none", "--probes"),
            (2, "--optimizer lbfgs", "--optimizer"),
            (2, "--init normal", "normal:DEVIATION"),
            (2, "--init normal:-1", "standard deviation"),
            (2, "--init uniform", "normal:DEVIATION"),
            (2, "--sampling bootstrap", "--sampling"),
            (2, "--seed -1", "--seed"),
            (2, "--seed x", "--seed"),
            (2, "--threads 0", "--threads"),
            (2, "--memory 0", "--memory"),
            (2, "--memory 1XiB", "amount of memory"),
            (2, "--memory -1MiB", "amount of memory"),
            (2, "--start-from m --hidden 5", "cannot be used with"),
            (2, "--start-from m --init he", "cannot be used with"),
            (2, "--save a --log ./a", "same file"),
            (2, "--device cpu evaluate m", "cannot be used with"),
            (2, "evaluate m --split both", "--split"),
            (2, "--quiet --quiet", "cannot be used multiple times"),
        ],
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn what_is_not_there_or_not_right_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("old"), "old").unwrap();
    fs::write(at("text"), "This is not a model, nor a data set.").unwrap();
    fs::write(at("huge"), [&(1u64 << 60).to_le_bytes()[..], b"{}"].concat()).unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir(at("broken")).unwrap();
    for file in
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    {
        fs::write(at("broken").join(file), "not IDX").unwrap();
    }
    check(
        folder.path(),
        &[
            (1, "--dataset mnist", "train-images-idx3-ubyte"),
            (1, "--dataset fashion-mnist --data-dir ./empty", "fashion-mnist"),
            (1, "--dataset ./empty", "train-images-idx3-ubyte"),
            (1, "--dataset ./broken", "train-images-idx3-ubyte"),
            (1, "--dataset text", "text"),
            (1, "--dataset cifar", "cifar"),
            (1, "data info --dataset mnist", "mnist"),
            (1, "--device nonsense-adapter-9000", "nonsense-adapter-9000"),
            (1, "--device 4711", "4711"),
            (1, "evaluate missing", "cannot read missing"),
            (1, "evaluate empty", "cannot read empty"),
            (1, "evaluate text", "not a safetensors file"),
            (1, "evaluate huge", "1152921504606846976"),
            (1, "--start-from missing", "cannot read missing"),
            (1, "--start-from text", "not a safetensors file"),
            (1, "--save no/model", "no/model"),
            (1, "--save empty", "empty"),
            (1, "--save text/model", "text/model"),
            (1, "--log no/log", "no/log"),
            (1, "--log empty", "empty"),
            (1, "--save old --dataset mnist", "mnist"),
            (1, "--log old --dataset mnist", "mnist"),
            (1, "--device cpu --hidden 5 --activation identity --lr 1e38 --steps 200 --save old --json", "loss is"),
        ],
    );
    assert_eq!(fs::read(at("old")).unwrap(), b"old", "a run that fails leaves what was there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "and nothing new");
}

#[test]
fn options_must_not_contradict_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), "--device cpu --steps 1 --hidden 3 --quiet --save m");
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    check(
        folder.path(),
        &[
            (2, "--start-from m --activation tanh", "contradicts the model"),
            (2, "--start-from m --loss sum-of-squares", "contradicts the model"),
            (2, "--start-from m --epsilon 0", "contradicts the model"),
            (2, "--start-from m --output-activation identity", "contradicts the model"),
            (2, "--start-from m --log m", "same file"),
            (2, "evaluate m --output-activation identity", "cross entropy needs probabilities"),
        ],
    );
    let agreed = run(folder.path(), "--device cpu --start-from m --activation sigmoid --epsilon 1e-7 --steps 1 --json");
    assert_eq!(agreed.status.code(), Some(0), "{}", String::from_utf8_lossy(&agreed.stderr));
    let squares = run(folder.path(), "evaluate m --device cpu --json --loss sum-of-squares");
    assert_eq!(squares.status.code(), Some(0), "options override the model when it is evaluated");
}
