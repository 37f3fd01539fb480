//! `gpu-train gradient --wgsl`: what it prints, writes and refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gpu_train::data::{NamedTensor, Tensors};
use gpu_train::device::list;
use serde_json::Value;

const SQUARES: &str = "fn f() -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < u32(N); i++) { sum += f32(i + 1u) * parameter(i) * parameter(i); }
    return sum;
}
";

/// A folder with a function and a point of two tensors.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("my.wgsl"), text).unwrap();
        let tensor = |name: &str, shape: &[usize], range| NamedTensor { name: name.into(), shape: shape.into(), range };
        let tensors = vec![tensor("a", &[2, 2], 0..4), tensor("b", &[], 4..5)];
        let point = Tensors { values: vec![1.0, -2.0, 0.5, 3.0, 4.0], tensors };
        point.write_like(&folder.path().join("at.safetensors"), &point.values).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.folder.path()).env("NO_COLOR", "1").output().unwrap()
    }

    /// What it says on stderr when it fails with this code, with one error line and no result.
    fn refused(&self, arguments: &str, code: i32) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {stderr}");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{arguments}: {stderr}");
        assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments}: {stderr}");
        stderr
    }
}

const GRADIENT: &str = "gradient --wgsl my.wgsl --at at.safetensors --device software";

/// Whether there is a software adapter; none is a failure where one is asked for.
fn software() -> bool {
    let there = list().iter().any(|adapter| adapter.info.kind.name() == "software");
    let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
    assert!(there || !required, "no software adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
    there
}

fn gradient(path: &Path) -> Tensors {
    Tensors::read(path).unwrap()
}

#[test]
fn a_gradient_is_told_and_written_in_the_points_shapes() {
    if !software() {
        return;
    }
    let case = Case::new(SQUARES);
    let output = case.run(&format!("{GRADIENT} --json --quiet --out g.safetensors --repeat 2"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["command"], &found["step_size"], &found["parameters"]),
        (&"gradient".into(), &"auto".into(), &5.into())
    );
    assert!((found["loss"].as_f64().unwrap() - 125.75).abs() < 1e-3, "{found}");
    assert!(found["seconds"].as_f64() > Some(0.0) && found["loss_evaluations"].as_u64() > Some(10), "{found}");
    let probes = serde_json::json!({"curves": 0, "more_nodes": 0, "single": 5, "largest_check_error": 0.0});
    assert_eq!(found["probes"], probes, "of a function that nothing is known of, every variable is probed by itself");
    let tensors = found["tensors"].as_array().unwrap();
    assert_eq!(tensors.iter().map(|tensor| &tensor["name"]).collect::<Vec<_>>(), ["a", "b"]);
    for tensor in tensors {
        for key in ["norm", "max_abs", "truncation_estimate", "rounding_estimate", "step_size"] {
            assert!(tensor[key].as_f64().is_some_and(f64::is_finite), "{key}: {tensor}");
        }
    }
    let (written, at) = (gradient(&case.path("g.safetensors")), gradient(&case.path("at.safetensors")));
    assert_eq!(written.tensors, at.tensors);
    for (index, (own, x)) in written.values.iter().zip(&at.values).enumerate() {
        let exact = 2.0 * (index as f32 + 1.0) * x;
        assert!((own - exact).abs() < 0.02, "{index}: {own}, not {exact}");
    }
    let shown = case.run(&format!("{GRADIENT} --difference five-point --step-size 0.1"));
    let text = String::from_utf8(shown.stdout).unwrap();
    for said in ["truncation", "evaluations", "loss", "125.8"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn mistakes_are_shown_in_the_users_own_lines() {
    for (text, said) in [
        ("fn f() -> f32 {\n    return parameter(0u) + ;\n}", "my.wgsl:2:28"),
        ("fn f() -> f32 {\n    let a = 1u;\n    return a + 1.0;\n}", "my.wgsl:3:16"),
        ("fn f() -> f32 {\n    return y;\n}", "my.wgsl:2:12"),
        ("\n\nfn f(x: f32) -> f32 { return x; }", "my.wgsl:3:"),
    ] {
        let stderr = Case::new(text).refused(GRADIENT, 1);
        assert!(stderr.contains(said) && stderr.contains('^'), "{text}\n{stderr}");
    }
    let stderr = Case::new("fn g() -> f32 { return 1.0; }").refused(GRADIENT, 1);
    assert!(stderr.contains("no fn f"), "{stderr}");
}

#[test]
fn wrong_calls_are_refused_before_any_work() {
    let case = Case::new(SQUARES);
    std::fs::write(case.path("no.safetensors"), "no").unwrap();
    for (arguments, code, said) in [
        ("gradient", 2, "<MODEL>"),
        ("gradient --wgsl my.wgsl", 2, "--at"),
        ("gradient --at at.safetensors", 2, "--wgsl"),
        ("gradient model --wgsl my.wgsl --at at.safetensors", 2, "cannot be used"),
        ("gradient --wgsl my.wgsl --at at.safetensors --indices 0..5", 2, "cannot be used"),
        ("gradient --wgsl my.wgsl --at at.safetensors --method literal", 2, "cannot be used"),
        ("gradient --wgsl my.wgsl --at at.safetensors --device cpu", 2, "adapter"),
        ("gradient --wgsl my.wgsl --at at.safetensors --step-size 0", 2, "positive"),
        ("gradient --wgsl missing.wgsl --at at.safetensors", 1, "missing.wgsl"),
        ("gradient --wgsl my.wgsl --at missing.safetensors", 1, "missing.safetensors"),
        ("gradient --wgsl my.wgsl --at no.safetensors", 1, "no safetensors file"),
        ("gradient --wgsl my.wgsl --at .", 1, "directory"),
        ("gradient --wgsl . --at at.safetensors", 1, "directory"),
        ("gradient --wgsl my.wgsl --at at.safetensors --out no/where.safetensors", 1, "no/where"),
        ("gradient --wgsl my.wgsl --at at.safetensors --device 99", 1, "adapter 99"),
    ] {
        let stderr = case.refused(arguments, code);
        assert!(stderr.contains(said), "{arguments} does not say {said:?}: {stderr}");
    }
}

#[test]
fn where_the_function_ends_is_told_by_the_tensors_element() {
    if !software() {
        return;
    }
    let case = Case::new("const TERMS = N;\nfn term(i: u32) -> f32 { return 1.0 / parameter(i); }");
    let stderr = case.refused(&format!("{GRADIENT} --step-size 0.5"), 1);
    assert!(stderr.contains("where a[1, 0] is 0 instead of 0.5") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn without_an_adapter_the_error_says_how_to_have_one() {
    let case = Case::new(SQUARES);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(["gradient", "--wgsl", "my.wgsl", "--at", "at.safetensors"]).current_dir(case.folder.path());
    command.env("VK_DRIVER_FILES", "/nonexistent").env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    // Metal and Direct3D are found all the same.
    if cfg!(target_os = "linux") {
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("error: WGSL runs on an adapter") && stderr.contains("hint: "), "{stderr}");
    }
}
