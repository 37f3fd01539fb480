//! The command `gpu-train`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gpu_train::cli::Cli;

fn main() -> ExitCode {
    let started = Instant::now();
    hush_wayland();
    match Cli::try_parse() {
        Ok(cli) => cli.run(started),
        Err(message) => {
            // Help that nobody reads any more (`gpu-train --help | head`) is no error.
            let _ = message.print();
            u8::try_from(message.exit_code()).unwrap_or(2).into()
        }
    }
}

/// Keeps a Vulkan layer that comes with Mesa from writing `error: XDG_RUNTIME_DIR is invalid or not set` on stderr,
/// twice, wherever there is no desktop: it asks for a Wayland display. A folder that is not there gives it the same
/// answer without a word.
#[cfg(target_os = "linux")]
fn hush_wayland() {
    const VARIABLE: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(VARIABLE).is_none_or(|folder| folder.is_empty()) {
        // SAFETY: nothing has started a thread yet that could read the environment at the same time.
        unsafe { std::env::set_var(VARIABLE, "/nonexistent") };
    }
}

#[cfg(not(target_os = "linux"))]
fn hush_wayland() {}
