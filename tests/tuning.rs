//! `gpu-train devices --tune`: what it measures on the software adapter, keeps, and what is made of what it kept.
//!
//! Every run has a cache folder of its own. Without an adapter the tests fail where `GPU_TRAIN_REQUIRE_ADAPTER` is 1, and
//! say on stderr elsewhere that they did nothing.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FAMILIES: [&str; 5] = ["small-products", "large-products", "moved-layers", "single-probes", "deep-probes"];

fn gpu_train(cache: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR").env_remove("GPU_TRAIN_DATA_DIR");
    command.env("XDG_CACHE_HOME", cache).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a command that must succeed and say nothing on stderr, and reads its one JSON document.
fn json(cache: &Path, arguments: &[&str]) -> Value {
    let output = gpu_train(cache, arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first software adapter as `gpu-train devices` lists it.
fn software_adapter(cache: &Path) -> Option<Value> {
    let document = json(cache, &["devices", "--json"]);
    let found = document["adapters"].as_array().unwrap().iter().find(|adapter| adapter["kind"] == "software").cloned();
    if found.is_none() {
        let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
        assert!(!required, "there is no software adapter, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
        eprintln!("no software adapter: tuning was NOT tested");
    }
    found
}

/// A short run on the software adapter.
fn trained(cache: &Path) -> Value {
    let options = ["--steps", "60", "--hidden", "20", "--init", "xavier", "--lr", "0.5", "--json", "--quiet"];
    json(cache, &[["--device", "software"].as_slice(), &options].concat())
}

fn is_tuned(run: &Value) -> bool {
    run["device"]["reason"].as_str().unwrap().ends_with(", tuned")
}

/// That a run is as good as one on an untuned device. Tiles add in another order, which moves the last digits.
fn same_losses(run: &Value, untuned: &Value) {
    for key in ["train_loss", "test_loss"] {
        let [run, untuned] = [run, untuned].map(|run| run[key].as_f64().unwrap());
        assert!((run - untuned).abs() <= 1e-5 * untuned, "{key}: {run}, not {untuned}");
    }
}

#[test]
fn a_tuning_is_kept_listed_and_used_and_a_damaged_one_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let Some(untuned) = software_adapter(cache) else { return };
    assert_eq!(untuned["tuning"], Value::Null);
    let before = trained(cache);
    assert!(!is_tuned(&before));
    assert!(!cache.join("gpu-train").exists(), "who does not tune keeps nothing");

    let index = untuned["index"].to_string();
    let of = |document: &Value| document["adapters"][untuned["index"].as_u64().unwrap() as usize]["tuning"].clone();
    let tuned = of(&json(cache, &["devices", "--tune", "--device", &index, "--json", "--quiet"]));
    let file = PathBuf::from(tuned["file"].as_str().unwrap());
    assert!(file.starts_with(cache) && file.is_file(), "{}", file.display());
    let families = tuned["families"].as_array().unwrap();
    assert_eq!(families.iter().map(|family| family["family"].as_str().unwrap()).collect::<Vec<_>>(), FAMILIES);
    for family in families {
        let [gpu, software] = ["gpu_seconds", "software_seconds"].map(|key| family[key].as_f64().unwrap());
        assert!(gpu > 0.0 && software > 0.0, "{family}");
        // The other class's tiles are taken where they are faster by more than noise.
        let expected = if gpu < 0.9 * software { "gpu" } else { "software" };
        assert_eq!(family["tiles"], expected, "{family}");
    }
    assert_eq!(of(&json(cache, &["devices", "--json"])), tuned);
    let listed = gpu_train(cache, &["devices"]);
    let listed = text(&listed.stdout);
    assert!(FAMILIES.iter().all(|family| listed.contains(family)), "{listed}");
    let after = trained(cache);
    assert!(is_tuned(&after));
    same_losses(&after, &before);

    // A file that says something else is believed; one that says nonsense, or is of another driver, is not.
    let whole = fs::read_to_string(&file).unwrap();
    let all = |tiles: &str| {
        let swapped = whole.replace("\"tiles\": \"gpu\"", "\"tiles\": \"software\"");
        swapped.replace("\"tiles\": \"software\"", &format!("\"tiles\": \"{tiles}\""))
    };
    for tiles in ["gpu", "software"] {
        fs::write(&file, all(tiles)).unwrap();
        let listed = of(&json(cache, &["devices", "--json"]));
        assert!(listed["families"].as_array().unwrap().iter().all(|family| family["tiles"] == tiles), "{listed}");
        let run = trained(cache);
        assert!(is_tuned(&run));
        same_losses(&run, &before);
    }
    let driver = untuned["driver"].as_str().unwrap();
    for damaged in [all("abacus"), whole[..whole.len() / 2].into(), String::new(), whole.replace(driver, "other")] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(of(&json(cache, &["devices", "--json"])), Value::Null);
        let run = trained(cache);
        assert!(!is_tuned(&run));
        assert_eq!(run["train_loss"], before["train_loss"]);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(!is_tuned(&trained(cache)));
}

#[test]
fn what_cannot_be_kept_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    fs::write(cache.join("gpu-train"), "a file, where a folder must be").unwrap();
    let Some(adapter) = software_adapter(cache) else { return };
    let refused = gpu_train(cache, &["devices", "--tune", "--device", &adapter["index"].to_string(), "--json"]);
    let stderr = text(&refused.stderr);
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), ""), "{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("error: the tuning cannot be kept: ") && lines[1].starts_with("hint: "), "{stderr}");
    // Such a folder is no matter to others.
    assert!(!is_tuned(&trained(cache)));
}

#[test]
fn the_cpu_path_has_nothing_to_tune_and_wrong_calls_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let output = gpu_train(cache, &["devices", "--tune", "--device", "cpu", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("nothing to tune"), "{}", text(&output.stderr));
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
    assert!(!cache.join("gpu-train").exists());
    let without = gpu_train(cache, &["devices", "--device", "cpu"]);
    assert_eq!(without.status.code(), Some(2), "{}", text(&without.stderr));
    let nowhere = gpu_train(cache, &["devices", "--tune", "--device", "no such adapter"]);
    let stderr = text(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(1), "{stderr}");
    assert!(stderr.lines().count() == 2 && stderr.contains("hint: "), "{stderr}");
}
