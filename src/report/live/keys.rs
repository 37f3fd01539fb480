//! What the terminal does with keys while it shows a screen: typed letters would stand in it, and Ctrl-Z would leave the
//! shell on it.

#[cfg(unix)]
pub(super) use unix::{in_foreground, quiet_keys, usual_keys};

/// Elsewhere keys show only where a program reads them, and there is no Ctrl-Z.
#[cfg(not(unix))]
pub(super) use elsewhere::{in_foreground, quiet_keys, usual_keys};

#[cfg(unix)]
mod unix {
    use std::io::stderr;
    use std::sync::{Mutex, PoisonError};

    use rustix::process::getpgrp;
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
    use rustix::termios::{tcgetattr, tcgetpgrp, tcsetattr};

    /// As it was before the screen.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// No key has this effect: `_POSIX_VDISABLE`, 0 on Linux, 255 on the BSDs and macOS.
    const DISABLED: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { u8::MAX };

    /// Whether this process may set up the terminal; in the background it would be stopped for trying. A terminal that
    /// knows of no foreground is nobody else's.
    pub(in super::super) fn in_foreground() -> bool {
        tcgetpgrp(stderr()).map_or(true, |group| group == getpgrp())
    }

    /// Keys are not shown and wait for no end of line; Ctrl-C stays the signal that it is, Ctrl-Z is none.
    pub(in super::super) fn quiet_keys() {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        // What refuses shows keys as it did.
        let Ok(found) = tcgetattr(stderr()) else { return };
        let mut quiet = found.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        quiet.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
        if tcsetattr(stderr(), OptionalActions::Now, &quiet).is_ok() {
            before.get_or_insert(found);
        }
    }

    /// As [`quiet_keys`] found it. What was typed meanwhile was meant for the screen, and no shell gets it.
    pub(in super::super) fn usual_keys() {
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before.filter(|_| in_foreground()) {
            let _ = tcsetattr(stderr(), OptionalActions::Flush, &before);
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    pub(in super::super) fn in_foreground() -> bool {
        true
    }

    pub(in super::super) fn quiet_keys() {}

    pub(in super::super) fn usual_keys() {}
}
