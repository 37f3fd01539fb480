//! Ctrl-C and SIGTERM: the first asks to stop, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::Counter;
use crate::{Result, report};

/// The exit code of an interrupted command, as shells give it to a process that SIGINT ended.
pub(super) const EXIT_CODE: u8 = 130;

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where the system does not let it, signals end the process as they usually do.
    pub(super) fn listen() -> Self {
        let asked = Self::default();
        let flag = asked.0.clone();
        let listening = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                report::restore_terminal();
                std::process::exit(EXIT_CODE.into());
            }
        });
        if let Err(error) = listening {
            report::warning(&format!("Ctrl-C will end the run without saving: {error}"));
        }
        asked
    }

    /// Whether somebody asked to stop.
    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error where somebody asked to stop: for the time before there is anything to save.
    pub(super) fn check(&self) -> Result<()> {
        if self.asked() { Err(crate::Error::Interrupted) } else { Ok(()) }
    }
}

/// Tells what is measured, and passes Ctrl-C on.
pub(super) struct Watch<'a> {
    pub(super) interrupt: &'a Interrupt,
    /// Without `--quiet`.
    pub(super) progress: Option<Counter>,
}

impl crate::bench::Watch for Watch<'_> {
    fn begins(&mut self, row: &str, number: usize, _of: usize) {
        if let Some(progress) = &self.progress {
            progress.begins(number as u64, row);
        }
    }

    fn stop(&self) -> bool {
        self.interrupt.asked()
    }
}
