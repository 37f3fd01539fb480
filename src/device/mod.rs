//! Which device: what there is, what was asked for, which one that means and why.

mod list;
mod select;

pub(crate) use list::adapters;
pub use list::{AdapterSummary, list};
pub use select::{Choice, Selection, Selector, select};

/// The three kinds of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// A real GPU.
    Gpu,
    /// A software adapter (lavapipe, SwiftShader, WARP): a CPU behind a graphics driver.
    Software,
    /// The native CPU path, without any driver.
    Cpu,
}

impl DeviceKind {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Software => "software",
            Self::Cpu => "cpu",
        }
    }
}

/// What a device is, for people and for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// GPU, software adapter or CPU path.
    pub kind: DeviceKind,
    /// The adapter's name, or the processor's.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, `gl` or `native`.
    pub backend: String,
}
