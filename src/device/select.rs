//! What was asked for, and which device that means.

use std::convert::Infallible;
use std::str::FromStr;

use super::{AdapterSummary, DeviceKind};
use crate::{Error, Result};

/// What `--device` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The best that there is.
    Auto,
    /// A real GPU.
    Gpu,
    /// A software adapter.
    Software,
    /// The native path.
    Cpu,
    /// An adapter's number.
    Index(usize),
    /// Part of an adapter's name.
    Name(String),
}

impl FromStr for Selector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "gpu" => Self::Gpu,
            "software" => Self::Software,
            "cpu" => Self::Cpu,
            _ => text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index),
        })
    }
}

/// A device to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The adapter of that number.
    Adapter(usize),
    /// The native path.
    Cpu,
}

/// A choice and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// What is opened.
    pub choice: Choice,
    /// One line.
    pub reason: String,
}

/// The device that a selector means among `adapters`.
///
/// This version's kernels run on the native path alone, so `auto` always takes that, and an adapter that is asked
/// for by name is an error rather than a silent substitute.
///
/// # Errors
/// [`Error::NoDevice`] when nothing answers to the selector, or only an adapter that cannot be used yet.
pub fn select(selector: &Selector, adapters: &[AdapterSummary]) -> Result<Selection> {
    let native = |reason: &str| Ok(Selection { choice: Choice::Cpu, reason: reason.to_owned() });
    let of_kind = |kind: DeviceKind| adapters.iter().find(|adapter| adapter.info.kind == kind);
    let found = match selector {
        Selector::Cpu => return native("the native CPU path, as asked for"),
        Selector::Auto => return native("the native CPU path: this version trains nowhere else"),
        Selector::Gpu => of_kind(DeviceKind::Gpu).ok_or_else(|| Error::NoDevice {
            problem: "no GPU found".into(),
            hint: "install the GPU's Vulkan driver, or use --device cpu".into(),
        })?,
        Selector::Software => of_kind(DeviceKind::Software).ok_or_else(|| Error::NoDevice {
            problem: "no software adapter found".into(),
            hint: "on Debian or Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1; or use --device cpu".into(),
        })?,
        Selector::Index(index) => adapters.get(*index).ok_or_else(|| Error::NoDevice {
            problem: format!("there is no adapter {index}; {} were found", adapters.len()),
            hint: "gpu-train devices lists them".into(),
        })?,
        Selector::Name(name) => {
            let wanted = name.to_lowercase();
            let named = |adapter: &&AdapterSummary| adapter.info.name.to_lowercase().contains(&wanted);
            adapters.iter().find(named).ok_or_else(|| Error::NoDevice {
                problem: format!("no adapter's name contains {name:?}"),
                hint: "gpu-train devices lists them; auto, gpu, software and cpu are names too".into(),
            })?
        }
    };
    Err(Error::NoDevice {
        problem: format!(
            "adapter {} ({}) was found, but this version trains on the CPU path alone",
            found.index, found.info.name
        ),
        hint: "use --device cpu".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_names_are_told_apart() {
        for (text, expected) in [
            ("auto", Selector::Auto),
            ("cpu", Selector::Cpu),
            ("3", Selector::Index(3)),
            ("llvm", Selector::Name("llvm".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
    }

    #[test]
    fn without_adapters_auto_is_the_native_path_and_others_are_errors() {
        assert!(matches!(select(&Selector::Auto, &[]), Ok(Selection { choice: Choice::Cpu, .. })));
        for selector in [Selector::Gpu, Selector::Software, Selector::Index(0), Selector::Name("x".into())] {
            let error = select(&selector, &[]).expect_err("nothing is there");
            assert!(error.hint().is_some(), "{selector:?}");
        }
    }
}
