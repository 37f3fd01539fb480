//! Writes the embedded data set `digits` and its sheet: `cargo run --example make-digits [OUT_DIR]`.

#[path = "make_digits/mod.rs"]
mod make_digits;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str =
    "usage: make-digits [OUT_DIR]   writes OUT_DIR/digits.packed and OUT_DIR/digits-sheet.png (default: assets)";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let folder = match arguments.as_slice() {
        [] => Path::new("assets"),
        [folder] if !folder.to_string_lossy().starts_with('-') => folder,
        [flag] if flag.as_os_str() == "--help" => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match write_all(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("make-digits: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; that nobody listens any more (a closed pipe) is no failure, because the files are what counts.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Makes all files and writes them below `folder`; the error is one line that names the path.
fn write_all(folder: &Path) -> Result<(), String> {
    let fault = |error| format!("cannot compress: {error}");
    let made = make_digits::make(make_digits::SEED).map_err(fault)?;
    say(&format!("{} training and {} test images", made.train.labels.len(), made.test.labels.len()));
    fs::create_dir_all(folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    for (name, bytes) in [("digits.packed", made.packed), ("digits-sheet.png", made.sheet.png().map_err(fault)?)] {
        let path = folder.join(name);
        fs::write(&path, &bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        say(&format!("{:>9} bytes  {}", bytes.len(), path.display()));
    }
    Ok(())
}
