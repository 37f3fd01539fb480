//! Runs that are kept and drawn: `train --run` and `train --plot`.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A short run on the CPU path, in `folder`.
fn train(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(["train", "--device", "cpu", "--steps", "60", "--batch-size", "20", "--eval-every", "20", "--quiet"]);
    command.args(more).stdin(Stdio::null()).env_remove("GPU_TRAIN_DATA_DIR").current_dir(folder);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs what must succeed.
fn succeed(folder: &Path, more: &[&str]) -> Output {
    let output = train(folder, more);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

/// What is wrong, of a call that must be refused with this code.
fn refused(folder: &Path, code: i32, more: &[&str]) -> String {
    let before = names(folder);
    let output = train(folder, more);
    assert_eq!(output.status.code(), Some(code), "{more:?}: {}", text(&output.stderr));
    assert!(output.stdout.is_empty(), "{more:?}: {}", text(&output.stdout));
    assert_eq!(names(folder), before, "{more:?} leaves nothing");
    text(&output.stderr).to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_is_kept_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = succeed(folder.path(), &["--run", "runs/first", "--log", "too.jsonl", "--save", "too", "--json"]);
    let run = folder.path().join("runs/first");
    assert_eq!(names(&run), ["checkpoints", "log.jsonl", "model.safetensors", "settings.json", "summary.json"]);
    let kept = names(&run.join("checkpoints"));
    assert_eq!(kept, ["step-000000.safetensors", "step-000020.safetensors", "step-000040.safetensors"]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json(&run.join("summary.json")), printed);
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 1 + 60 + 3);
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(json(&run.join("settings.json")), first["run"]);
    assert_eq!(fs::read_to_string(folder.path().join("too.jsonl")).unwrap(), log);
    let model = fs::read(run.join("model.safetensors")).unwrap();
    assert_eq!(model, fs::read(folder.path().join("too")).unwrap());
    assert!(!model.is_empty());
}

#[test]
fn what_is_kept_on_the_way_is_what_shorter_runs_end_with() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--run", "run"]);
    let start = folder.path().join("run/checkpoints/step-000000.safetensors");
    let other = |arguments: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
        command.args(["--device", "cpu", "--batch-size", "20", "--quiet"]).args(arguments);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    other(&["--steps", "20", "--save", "short"]);
    let after = fs::read(folder.path().join("run/checkpoints/step-000020.safetensors")).unwrap();
    assert_eq!(after, fs::read(folder.path().join("short")).unwrap());
    assert_ne!(after, fs::read(&start).unwrap());
    // Keeping them changes nothing.
    succeed(folder.path(), &["--save", "whole"]);
    let model = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    assert_eq!(model, fs::read(folder.path().join("whole")).unwrap());
    // However often a run is evaluated, it keeps some thirty.
    other(&["--run", "often", "--steps", "60", "--eval-every", "1"]);
    let kept = names(&folder.path().join("often/checkpoints"));
    assert_eq!((kept.len(), kept[1].as_str()), (30, "step-000002.safetensors"), "{kept:?}");
}

#[test]
fn an_empty_folder_takes_a_run_and_a_full_one_no_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    let output = succeed(folder.path(), &["--run", "run"]);
    assert!(text(&output.stdout).contains("run"), "where it went is said");
    let kept = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let message = refused(folder.path(), 1, &["--run", "run", "--seed", "7"]);
    assert!(message.contains("error: run holds a run already: settings.json is there"), "{message}");
    assert!(message.contains("hint: "), "{message}");
    assert_eq!(fs::read(folder.path().join("run/model.safetensors")).unwrap(), kept);
}

#[test]
fn folders_that_cannot_be_are_refused_before_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "kept").unwrap();
    for run in ["file", "file/run"] {
        let message = refused(folder.path(), 1, &["--run", run]);
        assert!(message.starts_with(&format!("error: cannot create {run}: ")), "{message}");
    }
    // What is refused for another reason leaves no folder either.
    refused(folder.path(), 1, &["--run", "new", "--dataset", "nowhere"]);
}

#[test]
fn a_run_that_diverges_keeps_its_settings_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let diverging = ["--lr", "1e30", "--activation", "relu", "--init", "he"];
    let output = train(folder.path(), &[&["--run", "run", "--plot", "curves.svg"], &diverging[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(names(&folder.path().join("run")), ["checkpoints", "log.jsonl", "settings.json"]);
    // Of the losses before, a curve.
    let drawn = fs::read_to_string(folder.path().join("curves.svg")).unwrap();
    assert!(drawn.contains("loss of the batch"), "the way there is drawn");
    let log = fs::read_to_string(folder.path().join("run/log.jsonl")).unwrap();
    assert!(log.contains("\"step\":1,"), "{log}");
    let output = report(folder.path(), &["run", "run/log.jsonl", "--out", "page.html"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("No model was kept") && page.contains("Only the log is here"));
    assert!(page.contains("stopped before the end"));
}

#[test]
fn a_run_that_learns_less_than_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (rate, is_ruined) in [("1e6", true), ("0.1", false)] {
        let output = train(folder.path(), &["--lr", rate]);
        let told = text(&output.stderr).contains("worse than that of equal probabilities");
        assert_eq!((output.status.code(), told), (Some(0), is_ruined), "{}", text(&output.stderr));
    }
}

#[test]
fn curves_are_drawn_in_both_themes_and_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (file, theme) in [("a.svg", "light"), ("b.svg", "light"), ("c.svg", "dark"), ("d.png", "dark")] {
        succeed(folder.path(), &["--plot", file, "--theme", theme]);
    }
    let drawn = fs::read_to_string(at("a.svg")).unwrap();
    for word in ["784-50-10", "digits", "loss of the batch", "accuracy", "epoch", "training split", "test split"] {
        assert!(drawn.contains(word), "no {word} in the picture");
    }
    assert_eq!(drawn, fs::read_to_string(at("b.svg")).unwrap(), "the same run is the same picture");
    assert_ne!(drawn, fs::read_to_string(at("c.svg")).unwrap());
    let png = fs::read(at("d.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n") && png.len() > 10_000, "{} bytes", png.len());
}

#[test]
fn pictures_that_cannot_be_are_refused_before_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder.svg")).unwrap();
    for (name, code, wrong) in [
        ("curves.jpg", 2, "is neither .svg nor .png"),
        ("curves", 2, "is neither .svg nor .png"),
        ("no/curves.svg", 1, "cannot create no/curves.svg"),
        ("folder.svg", 1, "cannot write folder.svg"),
    ] {
        let message = refused(folder.path(), code, &["--plot", name]);
        assert!(message.contains(wrong), "{message}");
    }
    for more in [["--plot", "a.svg", "--log", "a.svg"], ["--plot", "a.png", "--save", "./a.png"]] {
        let message = refused(folder.path(), 2, &more);
        assert!(message.contains("name the same file"), "{message}");
    }
    let message = refused(folder.path(), 2, &["--theme", "blue", "--plot", "a.svg"]);
    assert!(message.contains("light"), "{message}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_and_what_was_learnt_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full.svg")).unwrap();
    let output = train(folder.path(), &["--plot", "full.svg", "--save", "model"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write full.svg"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("saved"));
    assert!(folder.path().join("model").metadata().unwrap().len() > 100_000);
}

/// Reports on runs in `folder`.
fn report(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(["report", "--device", "cpu"]).args(arguments).stdin(Stdio::null());
    command.env_remove("GPU_TRAIN_DATA_DIR").current_dir(folder).output().unwrap()
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--run", "first"]);
    succeed(folder.path(), &["--run", "a & <b>", "--lr", "0.5", "--activation", "relu", "--init", "he"]);
    let output = report(folder.path(), &["first", "a & <b>", "--out", "page.html", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["command"], &document["out"]), (&"report".into(), &"page.html".into()));
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    for part in [
        "What was run",
        "Side by side",
        "Test accuracy",
        "Confusion on the test split",
        "What it got wrong",
        "Gradient of layers.0.weight",
        "Gradient check",
        "The evaluations as numbers",
        "The losses as numbers",
        "The gradient of layers.0.weight as numbers",
        "every tensor passes",
        "Weights of the first layer",
        "2,500 test images",
        "prefers-color-scheme: dark",
        "a &amp; &lt;b&gt;",
        "learning rate",
    ] {
        assert!(page.contains(part), "no {part}");
    }
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    // One script, which the page's policy knows, and none from elsewhere.
    let policy = "script-src 'sha256-";
    assert_eq!((page.matches("<script>").count(), page.matches(policy).count()), (1, 1));
    for word in ["http:", "https:", "<script ", "@import", "url(", "<b>a", "a & <b>", "NaN%"] {
        assert!(!elsewhere.contains(word), "{word} in the page");
    }
    // Each element that is opened is closed.
    for tag in
        ["section", "div", "figure", "svg", "table", "tr", "td", "th", "ul", "li", "p", "text", "title", "script"]
    {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn a_log_alone_tells_what_it_can() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--log", "run.jsonl"]);
    let output = report(folder.path(), &["run.jsonl", "--out", "page.html"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "report  page.html\n");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("Only the log is here") && page.contains("Loss of the batches"));
    assert!(!page.contains("Confusion") && !page.contains("Side by side"));
}

#[test]
fn a_data_set_that_is_gone_is_said() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--run", "run"]);
    let log = folder.path().join("run/log.jsonl");
    let moved = fs::read_to_string(&log).unwrap().replacen("\"dataset\":\"digits\"", "\"dataset\":\"gone\"", 1);
    fs::write(&log, moved).unwrap();
    let output = report(folder.path(), &["run", "--out", "page.html"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("Without its data set") && page.contains("Weights of the first layer"));
}

#[test]
fn a_damaged_model_leaves_its_own_section_out_alone() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--run", "whole"]);
    succeed(folder.path(), &["--run", "damaged", "--seed", "2"]);
    let model = folder.path().join("damaged/model.safetensors");
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..100]).unwrap();
    let output = report(folder.path(), &["damaged", "whole", "--out", "page.html"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("warning: model damaged/model.safetensors"), "{}", text(&output.stderr));
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert_eq!(page.matches("The model cannot be read").count(), 1);
    assert_eq!(page.matches("<title>Confusion on the test split</title>").count(), 2, "both themes of the other one");
}

#[test]
fn reports_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["--log", "run.jsonl"]);
    fs::write(folder.path().join("text"), "no log\n").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let before = names(folder.path());
    for (arguments, code, wrong) in [
        (["run.jsonl", "--out", "no/page.html"].as_slice(), 1, "cannot create no/page.html"),
        (&["run.jsonl", "--out", "run.jsonl"], 2, "--out names a run"),
        (&["run.jsonl"], 2, "--out"),
        (&["--out", "page.html"], 2, "RUN"),
        (&["missing", "--out", "page.html"], 1, "cannot read missing"),
        (&["empty", "--out", "page.html"], 1, "log.jsonl"),
        (&["text", "--out", "page.html"], 1, "text: at byte 0"),
    ] {
        let output = report(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(wrong), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
}
