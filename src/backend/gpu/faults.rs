//! What went wrong on a device, as its callbacks report it, until a call of the backend can return it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::one_line;
use crate::Error;

/// One event of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    OutOfMemory,
    /// The device is gone, and stays so.
    Lost(String),
    Other(String),
}

impl Fault {
    pub(super) fn into_error(self, device: &str, action: &str) -> Error {
        let (device, action) = (device.to_owned(), action.to_owned());
        match self {
            Self::OutOfMemory => Error::OutOfMemory { device, action },
            Self::Lost(reason) => Error::DeviceLost { device, action, reason },
            Self::Other(reason) => Error::Driver { device, action, reason },
        }
    }
}

impl From<wgpu::Error> for Fault {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Self::Other(one_line(&description))
            }
        }
    }
}

/// The first fault that nobody was told of yet. Callbacks write it, on whatever thread they run.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Option<Fault>>);

impl Faults {
    fn first(&self) -> MutexGuard<'_, Option<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fault. A lost device takes the place of whatever it was that came before: that is its symptom.
    pub(super) fn note(&self, fault: Fault) {
        let mut first = self.first();
        match (&*first, &fault) {
            (Some(Fault::Lost(_)), _) => {}
            (_, Fault::Lost(_)) | (None, _) => *first = Some(fault),
            (Some(_), _) => {}
        }
    }

    /// The fault to be told now. A lost device is told again and again, anything else once.
    pub(super) fn take(&self) -> Option<Fault> {
        let mut first = self.first();
        match &*first {
            Some(Fault::Lost(_)) => first.clone(),
            _ => first.take(),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.first(), Some(Fault::Lost(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_told_once_and_a_lost_device_always() {
        let faults = Faults::default();
        faults.note(Fault::OutOfMemory);
        faults.note(Fault::Other("later".into()));
        assert_eq!(faults.take(), Some(Fault::OutOfMemory));
        assert_eq!(faults.take(), None);
        faults.note(Fault::Other("first".into()));
        faults.note(Fault::Lost("gone".into()));
        faults.note(Fault::OutOfMemory);
        for _ in 0..2 {
            assert_eq!(faults.take(), Some(Fault::Lost("gone".into())));
        }
        assert!(faults.is_lost());
    }
}
