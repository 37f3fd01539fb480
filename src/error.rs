//! The one error type: what was tried, on what, and (as a hint) what the user can do about it.

use std::fmt;
use std::path::PathBuf;

/// The result of everything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by who can do something about it.
///
/// The message is one line; [`Error::hint`] is a second line for those errors where the user has a way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `create`, `write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A data file is not what its format demands.
    #[error("{}: at byte {offset}: found {found}, expected {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in the (decompressed) file the trouble begins.
        offset: u64,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: String,
    },

    /// Files that are each well-formed do not form a data set.
    #[error("data set {name}: {problem}")]
    Dataset {
        /// The set's name or folder.
        name: String,
        /// What does not fit.
        problem: String,
        /// What the user can do.
        hint: Option<String>,
    },

    /// A data set is not where it was looked for.
    #[error("data set {name} is not there: no {} in {}", files.join(", "), folder.display())]
    MissingDataset {
        /// The set's name.
        name: String,
        /// The files that are missing.
        files: Vec<String>,
        /// Where they belong.
        folder: PathBuf,
        /// Where they can be had, and how to name another folder.
        hint: String,
    },

    /// A picture file holds no picture that can be read.
    #[error("picture {}: {problem}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A model file does not hold a network that this engine can run.
    #[error("model {}: {problem}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What does not fit, with the tensor's name.
        problem: String,
    },

    /// Settings that contradict each other or describe no network.
    #[error("{problem}")]
    Config {
        /// What is wrong.
        problem: String,
        /// What would be right.
        hint: Option<String>,
    },

    /// A formula that cannot be understood.
    #[error("{problem}\n{}", crate::formula::marked(formula, *at))]
    Formula {
        /// The formula.
        formula: String,
        /// The byte at which the trouble begins.
        at: usize,
        /// What is wrong there.
        problem: String,
        /// What would be right.
        hint: Option<String>,
    },

    /// Operands of a kernel that do not fit together: a mistake in the calling program.
    #[error("{kernel}: {problem}")]
    Shape {
        /// The kernel.
        kernel: &'static str,
        /// Which operand, and both shapes.
        problem: String,
    },

    /// No device answers to what was asked for.
    #[error("{problem}")]
    NoDevice {
        /// What was asked for and what was found.
        problem: String,
        /// What to install or to type.
        hint: String,
    },

    /// The device is too small: the work can never run there as it is.
    #[error("{device}: {limit} is {available}, but {needed} is needed for {what}")]
    Limit {
        /// Which device.
        device: String,
        /// The limit's name, as WebGPU spells it.
        limit: &'static str,
        /// What the device allows.
        available: u64,
        /// What the work needs.
        needed: u64,
        /// Which work.
        what: String,
    },

    /// The device has no memory left for this; less work at a time may fit.
    #[error("{device}: out of memory while {action}")]
    OutOfMemory {
        /// Which device.
        device: String,
        /// What was tried.
        action: String,
    },

    /// The driver went away (reset, removed, crashed): everything on the device is gone.
    #[error("{device}: device lost while {action}: {reason}")]
    DeviceLost {
        /// Which device.
        device: String,
        /// What was tried.
        action: String,
        /// What the driver said.
        reason: String,
    },

    /// The driver refused something that it should have taken: a bug of ours or of the driver.
    #[error("{device}: {action} failed: {reason}")]
    Driver {
        /// Which device.
        device: String,
        /// What was tried.
        action: String,
        /// What the driver said, on one line.
        reason: String,
    },

    /// A device computes a known value wrongly.
    #[error("{device} computes {kernel} wrongly (got {got}, expected {expected})")]
    SelfTest {
        /// Which device.
        device: String,
        /// The kernel that failed.
        kernel: &'static str,
        /// What came back.
        got: f32,
        /// What should have come back.
        expected: f32,
    },

    /// Training left the finite numbers.
    #[error("the loss is {value} at step {step}: {culprit}")]
    NonFinite {
        /// The value: NaN or an infinity.
        value: f32,
        /// The first step, counted from 1, at which it appeared.
        step: u64,
        /// The tensor that is not finite either, or that all are.
        culprit: String,
    },

    /// A user's function left the finite numbers.
    #[error("the function is {value} {}{place}", variable.map_or_else(String::new, |variable| format!("where variable {variable} ")))]
    FunctionValue {
        /// The value: NaN or an infinity.
        value: f64,
        /// The variable that was changed, if one was.
        variable: Option<usize>,
        /// From what to what it was changed, or which point it is.
        place: String,
    },

    /// A file of tensors does not hold what is needed.
    #[error("tensors {}: {problem}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What does not fit, with the tensor's name.
        problem: String,
    },

    /// A function in WGSL does not compile, or is not of a form that is known.
    #[error("{}: {problem}", path.display())]
    Shader {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and caret where it has a place: several lines.
        problem: String,
    },

    /// The user asked to stop (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// What the user can do, where there is something: shown as the `hint:` line.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Dataset { hint, .. } | Self::Config { hint, .. } | Self::Formula { hint, .. } => hint.as_deref(),
            Self::MissingDataset { hint, .. } | Self::NoDevice { hint, .. } => Some(hint),
            Self::Limit { .. } => Some("a smaller batch or --memory needs less; --device cpu has no such limit"),
            // Of an adapter, or of the system on the CPU path.
            Self::OutOfMemory { .. } => {
                Some("a smaller batch or --memory needs less; --device cpu takes the system's memory, not an adapter's")
            }
            Self::DeviceLost { .. } | Self::Driver { .. } | Self::SelfTest { .. } => {
                Some("gpu-train devices lists the others; --device cpu needs no driver")
            }
            Self::Image { .. } => Some("PNG and JPEG files are read; most programs can save as one of them"),
            Self::NonFinite { .. } => Some("a smaller --learning-rate, or --init xavier for deep networks"),
            Self::FunctionValue { .. } => Some("a smaller step, or a point farther inside the function's domain"),
            _ => None,
        }
    }

    /// A [`Error::Config`] without a hint.
    pub(crate) fn config(problem: impl fmt::Display) -> Self {
        Self::Config { problem: problem.to_string(), hint: None }
    }

    /// A [`Error::Config`] with a hint.
    pub(crate) fn config_hint(problem: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::Config { problem: problem.to_string(), hint: Some(hint.to_string()) }
    }

    /// A [`Error::Io`] for `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
