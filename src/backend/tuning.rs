//! What a tuning run found, kept in the user's cache folder: one file for each adapter with its driver.
//!
//! A file that is damaged, or of another adapter, driver or version of this crate, is as good as none: the device's class
//! decides then, as it does before anything was measured.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gpu::{DeviceClass, Family, Tiles};
use crate::device::AdapterSummary;
use crate::{Error, Result, cache};

/// Larger than any such file.
const MOST_BYTES: u64 = 1 << 16;

/// What one family of kernels takes with the tiles of either class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FamilyTuning {
    /// Which kernels.
    pub family: Family,
    /// Whose tiles they use.
    pub tiles: DeviceClass,
    /// Seconds for the shapes of the work, each once, with tiles for GPUs; `None` where they do not run or compute
    /// wrongly.
    pub gpu_seconds: Option<f64>,
    /// The same with those for software drivers.
    pub software_seconds: Option<f64>,
}

/// What a tuning run found on an adapter: every family once.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning(Vec<FamilyTuning>);

/// The file.
#[derive(Serialize, Deserialize)]
struct Document {
    version: String,
    adapter: Identity,
    families: Vec<FamilyTuning>,
}

/// What makes an adapter another one: its own name and numbers, and its driver's.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    name: String,
    vendor: u32,
    device: u32,
    /// With its version.
    driver: String,
    backend: String,
}

impl Identity {
    pub(super) fn of(adapter: &AdapterSummary) -> Self {
        let AdapterSummary { info, driver, vendor, device, .. } = adapter;
        let (name, backend) = (info.name.clone(), info.backend.clone());
        Self { name, vendor: *vendor, device: *device, driver: driver.clone(), backend }
    }

    /// The name of its file of one kind: readable, and different for different adapters and versions of this crate.
    pub(super) fn file_name(&self, kind: &str, extension: &str) -> String {
        let Self { name, vendor, device, driver, backend } = self;
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>();
        let whole = format!("{name}\0{vendor}\0{device}\0{driver}\0{backend}\0{}", env!("CARGO_PKG_VERSION"));
        let hash = cache::fnv1a(whole.as_bytes());
        format!("{kind}-{}-{backend}-{hash:016x}.{extension}", plain(name).to_lowercase())
    }
}

impl Tuning {
    /// Takes what was found where it has every family once.
    #[must_use]
    pub fn new(families: Vec<FamilyTuning>) -> Option<Self> {
        let once = |family| families.iter().filter(|found| found.family == family).count() == 1;
        (families.len() == Family::ALL.len() && Family::ALL.into_iter().all(once)).then_some(Self(families))
    }

    /// By family.
    #[must_use]
    pub fn families(&self) -> &[FamilyTuning] {
        &self.0
    }

    /// The table that kernels are chosen by.
    #[must_use]
    pub fn tiles(&self) -> Tiles {
        let tiles = Tiles::of(DeviceClass::Gpu);
        self.0.iter().fold(tiles, |tiles, found| tiles.with(found.family, found.tiles))
    }

    /// Where the tuning of an adapter is kept.
    ///
    /// # Errors
    /// [`Error::Config`] where this user has no folder for it.
    pub fn path(adapter: &AdapterSummary) -> Result<PathBuf> {
        let folder = cache::folder().ok_or_else(|| {
            Error::config_hint("this user has no folder to keep a tuning in", "it is found by the variable HOME")
        })?;
        Ok(folder.join(Identity::of(adapter).file_name("tuning", "json")))
    }

    /// What is kept of an adapter; `None` where there is nothing, or nothing that can be trusted.
    #[must_use]
    pub fn kept(adapter: &AdapterSummary) -> Option<Self> {
        Self::read(&Self::path(adapter).ok()?, adapter)
    }

    /// Reads a file, if it is of this adapter.
    fn read(path: &Path, adapter: &AdapterSummary) -> Option<Self> {
        let document: Document = serde_json::from_slice(&cache::read(path, MOST_BYTES)?).ok()?;
        if document.version != env!("CARGO_PKG_VERSION") || document.adapter != Identity::of(adapter) {
            return None;
        }
        Self::new(document.families)
    }

    /// Keeps it for an adapter, in a file that [`Tuning::path`] names.
    ///
    /// # Errors
    /// [`Error::Config`] as [`Tuning::path`]; [`Error::Io`] where the file cannot be written.
    pub fn keep(&self, adapter: &AdapterSummary) -> Result<()> {
        self.write(&Self::path(adapter)?, adapter)
    }

    fn write(&self, path: &Path, adapter: &AdapterSummary) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION").into();
        let document = Document { version, adapter: Identity::of(adapter), families: self.0.clone() };
        cache::write(path, |file| {
            serde_json::to_writer_pretty(&mut *file, &document)?;
            file.write_all(b"\n")
        })
        .map_err(|error| Error::io("write", path, error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::device::{DeviceInfo, DeviceKind};

    fn adapter(name: &str, driver: &str) -> AdapterSummary {
        AdapterSummary {
            index: 0,
            info: DeviceInfo { kind: DeviceKind::Software, name: name.into(), backend: "vulkan".into() },
            driver: driver.into(),
            vendor: 1,
            device: 2,
            features: Vec::new(),
            limits: Vec::new(),
        }
    }

    fn tuning() -> Tuning {
        let found = |family| FamilyTuning {
            family,
            tiles: if family == Family::MovedLayers { DeviceClass::Gpu } else { DeviceClass::Software },
            gpu_seconds: Some(0.25),
            software_seconds: None,
        };
        Tuning::new(Family::ALL.map(found).to_vec()).unwrap()
    }

    #[test]
    fn what_is_kept_comes_back_for_the_same_adapter_and_driver_only() {
        let folder = tempfile::tempdir().unwrap();
        let (card, path) = (adapter("card", "mesa 1"), folder.path().join("deep/er/tuning.json"));
        tuning().write(&path, &card).unwrap();
        let kept = Tuning::read(&path, &card).unwrap();
        assert_eq!(kept, tuning());
        let expected = Tiles::of(DeviceClass::Software).with(Family::MovedLayers, DeviceClass::Gpu);
        assert_eq!(kept.tiles(), expected);
        let name = |adapter: &AdapterSummary| Identity::of(adapter).file_name("tuning", "json");
        for other in [adapter("card", "mesa 2"), adapter("cards", "mesa 1")] {
            assert_eq!(Tuning::read(&path, &other), None);
            assert_ne!(name(&other), name(&card));
        }
    }

    #[test]
    fn damaged_and_foreign_files_are_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let (card, path) = (adapter("card", "mesa 1"), folder.path().join("tuning.json"));
        assert_eq!(Tuning::read(&path, &card), None);
        assert_eq!(Tuning::read(folder.path(), &card), None);
        tuning().write(&path, &card).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        assert!(Tuning::read(&path, &card).is_some());
        let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
        for damaged in [
            String::new(),
            whole[..whole.len() / 2].into(),
            whole.replace("small-products", "large-products"),
            whole.replace("\"gpu\"", "\"tpu\""),
            whole.replace("0.25", "\"fast\""),
            whole.replace(&version, "\"version\": \"0.0.0\""),
            whole.replace("\"families\"", "\"family\""),
        ] {
            fs::write(&path, &damaged).unwrap();
            assert_ne!(damaged, whole);
            assert_eq!(Tuning::read(&path, &card), None, "{damaged}");
        }
    }
}
