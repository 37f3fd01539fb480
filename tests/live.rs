//! `train --live`: a screen of its own on a terminal, lines anywhere else, and the terminal left as it was.
#![cfg(target_os = "linux")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Goes to the other screen, and comes back from it.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
/// Shows the cursor.
const CURSOR: &str = "\u{1b}[?25h";

fn binary() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("gpu-train")
}

/// Runs the binary on a terminal of 100 x 40 that util-linux's `script` makes; its process writes its number to `pid`,
/// and the terminal's name and its settings before and after it are in `terminal`, `before` and `after`.
/// `None` where there is no such program, and that is said.
fn on_a_terminal(folder: &Path, arguments: &str) -> Option<Child> {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("util-linux's script is not there: the screen was NOT tried on a terminal");
        return None;
    }
    let program = binary().display();
    fs::write(folder.join("program.sh"), format!("echo $$ > pid\nexec '{program}' {arguments}\n")).unwrap();
    let lines = ["stty rows 40 cols 100", "tty > terminal", "stty -a > before", "sh program.sh", "code=$?"];
    let text = format!("{}\nstty -a > after\nexit $code\n", lines.join("\n"));
    fs::write(folder.join("run.sh"), text).unwrap();
    let mut command = Command::new("script");
    command.args(["-qefc", "sh run.sh", "typescript"]).current_dir(folder).env("TERM", "xterm-256color");
    Some(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
}

/// The terminal's settings are what they were.
fn assert_as_it_was(folder: &Path) {
    let [before, after] = ["before", "after"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
    assert!(before.contains(" echo ") && before.contains(" icanon "), "{before}");
    assert_eq!(before, after);
}

/// What came to the terminal, and the exit code.
fn finished(mut child: Child) -> (String, Option<i32>) {
    let mut shown = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut shown).unwrap();
    (String::from_utf8_lossy(&shown).into_owned(), child.wait().unwrap().code())
}

/// What came before the screen, on it, and after it.
fn parts(shown: &str) -> [&str; 3] {
    let (before, rest) = shown.split_once(ENTER).unwrap_or_else(|| panic!("no screen: {shown:?}"));
    let (on, after) = rest.split_once(LEAVE).unwrap_or_else(|| panic!("not left: {shown:?}"));
    [before, on, after]
}

#[test]
fn a_run_is_shown_and_the_terminal_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = "--device cpu --steps 2000 --hidden 8 --gradient backprop --eval-every 500 --live";
    let Some(child) = on_a_terminal(folder.path(), run) else { return };
    let (shown, code) = finished(child);
    assert_eq!(code, Some(0), "{shown}");
    let [before, on, after] = parts(&shown);
    // Words stand alone: the cursor jumps over what is blank.
    for expected in ["learnt", "accuracy:", "steps/s", "loss", "█"] {
        assert!(on.contains(expected), "{expected}: {on:?}");
    }
    assert!(before.contains("device") && after.contains(CURSOR), "{shown:?}");
    assert!(after.contains("test") && after.contains("accuracy"), "the result is on the usual screen: {after:?}");
    assert!(!after.contains(ENTER), "{after:?}");
    assert_as_it_was(folder.path());
}

#[test]
fn an_interrupted_run_gives_the_terminal_back() {
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let run = "--device cpu --steps 1000000000 --hidden 8 --eval-every 1000000000 --live";
        let Some(mut child) = on_a_terminal(folder.path(), run) else { return };
        let mut output = child.stdout.take().unwrap();
        let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
        let begun = Instant::now();
        while !String::from_utf8_lossy(&shown).contains("learnt") {
            let count = output.read(&mut piece).unwrap();
            assert!(count > 0 && begun.elapsed() < Duration::from_secs(60), "{}", String::from_utf8_lossy(&shown));
            shown.extend(&piece[..count]);
        }
        // Keys are not shown, Ctrl-Z does nothing, and Ctrl-C is what it is.
        let terminal = fs::read_to_string(folder.path().join("terminal")).unwrap();
        let settings = Command::new("stty").args(["-a", "-F", terminal.trim()]).output().unwrap().stdout;
        let settings = String::from_utf8(settings).unwrap();
        for expected in [" -echo ", " -icanon ", "susp = <undef>;", "isig ", "intr = ^C;"] {
            assert!(settings.contains(expected), "{expected}: {settings}");
        }
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
        output.read_to_end(&mut shown).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let [_, _, after] = parts(&shown);
        assert!(after.contains(CURSOR) && after.contains("accuracy"), "{signal}: {after:?}");
        assert_as_it_was(folder.path());
    }
}

#[test]
fn json_on_a_terminal_has_no_screen() {
    let folder = tempfile::tempdir().unwrap();
    let Some(child) = on_a_terminal(folder.path(), "--device cpu --steps 20 --hidden 4 --live --json") else { return };
    let (shown, code) = finished(child);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(ENTER) && shown.contains("\"command\":\"train\""), "{shown:?}");
}

fn run(arguments: &[&str], term: Option<&str>) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    term.map(|term| command.env("TERM", term));
    command.output().unwrap()
}

#[test]
fn without_a_terminal_there_are_lines() {
    let live = ["--device", "cpu", "--steps", "30", "--hidden", "4", "--live"];
    let plain = run(&live[..6], None);
    for term in [None, Some("xterm-256color"), Some("dumb")] {
        let found = run(&live, term);
        assert_eq!(found.status.code(), Some(0));
        let stderr = String::from_utf8(found.stderr).unwrap();
        assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
        assert!(stderr.lines().any(|line| line.starts_with("epoch")), "{stderr}");
        assert!(String::from_utf8(found.stdout).unwrap().contains("accuracy"));
    }
    assert!(String::from_utf8(plain.stderr).unwrap().lines().any(|line| line.starts_with("epoch")));
    let both = run(&[&live[..], &["--quiet"]].concat(), None);
    assert_eq!(both.status.code(), Some(2), "a screen and no progress contradict each other");
}
