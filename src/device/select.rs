//! What was asked for, and which device that means.

use std::convert::Infallible;
use std::str::FromStr;

use super::{AdapterSummary, DeviceInfo, DeviceKind};
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
/// # Errors
/// [`Error::NoDevice`] when nothing answers to the selector, or more than one name does.
pub fn select(selector: &Selector, adapters: &[AdapterSummary]) -> Result<Selection> {
    let first = |kind: DeviceKind| adapters.iter().find(|adapter| adapter.info.kind == kind);
    let missing = |problem: String, hint: &str| Error::NoDevice { problem, hint: hint.to_owned() };
    let (adapter, why) = match selector {
        Selector::Cpu => {
            return Ok(Selection { choice: Choice::Cpu, reason: "the native CPU path, as asked for".into() });
        }
        Selector::Auto => match first(DeviceKind::Gpu) {
            Some(adapter) => (adapter, "the best GPU here"),
            None => return Ok(Selection { choice: Choice::Cpu, reason: without_gpu(adapters) }),
        },
        Selector::Gpu => {
            let hint = "install the GPU's Vulkan driver, or use --device cpu";
            let adapter =
                first(DeviceKind::Gpu).ok_or_else(|| missing(format!("no GPU found{}", software(adapters)), hint))?;
            (adapter, "the best GPU here")
        }
        Selector::Software => {
            let hint = "on Debian or Ubuntu: apt install mesa-vulkan-drivers libvulkan1; or use --device cpu";
            let adapter =
                first(DeviceKind::Software).ok_or_else(|| missing("no software adapter found".into(), hint))?;
            (adapter, "a software adapter, as asked for")
        }
        Selector::Index(index) => {
            let adapter = adapters.iter().find(|adapter| adapter.index == *index).ok_or_else(|| {
                missing(format!("there is no adapter {index}; {}", found(adapters)), "gpu-train devices lists them")
            })?;
            (adapter, "as asked for")
        }
        Selector::Name(name) => (named(name, adapters)?, "as asked for"),
    };
    let DeviceInfo { name, backend, .. } = &adapter.info;
    let reason = format!("adapter {} ({name}, {backend}), {why}", adapter.index);
    Ok(Selection { choice: Choice::Adapter(adapter.index), reason })
}

/// The first adapter whose name contains `name`; different names that do are an error.
fn named<'a>(name: &str, adapters: &'a [AdapterSummary]) -> Result<&'a AdapterSummary> {
    let wanted = name.to_lowercase();
    let mut matches = adapters.iter().filter(|adapter| adapter.info.name.to_lowercase().contains(&wanted));
    let Some(first) = matches.next() else {
        return Err(Error::NoDevice {
            problem: format!("no adapter's name contains {name:?}; {}", found(adapters)),
            hint: "gpu-train devices lists them; auto, gpu, software and cpu are names too".into(),
        });
    };
    match matches.find(|adapter| adapter.info.name != first.info.name) {
        None => Ok(first),
        Some(other) => Err(Error::NoDevice {
            problem: format!(
                "{name:?} is part of the names of adapter {} ({}) and of adapter {} ({})",
                first.index, first.info.name, other.index, other.info.name
            ),
            hint: "more of the name, or the number".into(),
        }),
    }
}

/// Why there is only the CPU path, or what there is beside it.
fn without_gpu(adapters: &[AdapterSummary]) -> String {
    format!("no GPU found{}; using the CPU path", software(adapters))
}

fn software(adapters: &[AdapterSummary]) -> String {
    let mut names: Vec<_> = adapters.iter().map(|adapter| adapter.info.name.as_str()).collect();
    names.dedup();
    match adapters.len() {
        0 => String::new(),
        1 => format!(" (1 software adapter: {})", names.join(", ")),
        count => format!(" ({count} software adapters: {})", names.join(", ")),
    }
}

fn found(adapters: &[AdapterSummary]) -> String {
    if adapters.is_empty() {
        return "none was found".into();
    }
    let names = adapters.iter().map(|adapter| format!("{} ({})", adapter.index, adapter.info.name));
    format!("there are {}", names.collect::<Vec<_>>().join(", "))
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

    fn adapters(names: &[(&str, DeviceKind)]) -> Vec<AdapterSummary> {
        let summary = |(index, &(name, kind)): (usize, &(&str, DeviceKind))| AdapterSummary {
            index,
            info: DeviceInfo { kind, name: name.into(), backend: "vulkan".into() },
            driver: String::new(),
            vendor: 0,
            device: 0,
            features: Vec::new(),
            limits: Vec::new(),
        };
        names.iter().enumerate().map(summary).collect()
    }

    #[test]
    fn auto_takes_a_gpu_and_never_a_software_adapter() {
        let both = adapters(&[("Arc", DeviceKind::Gpu), ("llvmpipe", DeviceKind::Software)]);
        let chosen = |selector, adapters: &[_]| select(&selector, adapters).map(|selection| selection.choice);
        assert_eq!(chosen(Selector::Auto, &both).ok(), Some(Choice::Adapter(0)));
        assert_eq!(chosen(Selector::Software, &both).ok(), Some(Choice::Adapter(1)));
        assert_eq!(chosen(Selector::Cpu, &both).ok(), Some(Choice::Cpu));
        let software = &both[1..];
        let selection = select(&Selector::Auto, software).expect("the CPU path is always there");
        assert_eq!(selection.choice, Choice::Cpu);
        assert_eq!(selection.reason, "no GPU found (1 software adapter: llvmpipe); using the CPU path");
        assert!(select(&Selector::Gpu, software).is_err());
        assert_eq!(chosen(Selector::Index(1), software).ok(), Some(Choice::Adapter(1)));
    }

    #[test]
    fn part_of_a_name_must_mean_one() {
        let all = adapters(&[
            ("Radeon 780M", DeviceKind::Gpu),
            ("Radeon 780M", DeviceKind::Gpu),
            ("Radeon 7900", DeviceKind::Gpu),
        ]);
        let choice = |name: &str| select(&Selector::Name(name.into()), &all).map(|selection| selection.choice);
        assert_eq!(choice("780m").ok(), Some(Choice::Adapter(0)));
        assert_eq!(choice("7900").ok(), Some(Choice::Adapter(2)));
        let message = choice("radeon").expect_err("two names").to_string();
        assert!(message.contains("adapter 0 (Radeon 780M)") && message.contains("adapter 2"), "{message}");
        let message = choice("arc").expect_err("no such name").to_string();
        assert!(message.contains("2 (Radeon 7900)"), "{message}");
    }
}
