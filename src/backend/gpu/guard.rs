//! A fence around wgpu and drivers: where they panic, an error comes out, and nothing is printed.
//!
//! wgpu reports most failures as values, but not all: waiting on a device that is gone panics, and so do some
//! paths of its OpenGL backend.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Calls `driver`; a panic in it becomes its message, on one line.
///
/// Whatever `driver` was working on is to be considered broken afterwards.
pub(crate) fn guarded<T>(driver: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(driver));
    GUARDED.set(outer);
    result.map_err(|payload| one_line(&message(payload.as_ref())))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "it panicked".into())
}

/// The words of a message of several lines on a single one.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded(|| panic!("the device\n  is {}", "gone")), Err::<(), _>("the device is gone".into()));
        assert_eq!(guarded(|| panic!("gone")), Err::<(), _>("gone".into()));
    }
}
