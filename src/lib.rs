//! `gpu-train`: neural networks trained by numerical gradients that are exact to float32 rounding.
//!
//! What the command line does, a program can:
//!
//! ```
//! use gpu_train::backend::cpu::CpuBackend;
//! use gpu_train::data::Dataset;
//! use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
//! use gpu_train::train::{Settings, train};
//!
//! let digits = Dataset::open("digits", None)?;
//! let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
//! let architecture = Architecture::new(vec![784, 50, 10], Activation::Sigmoid, output)?;
//! let mut network = Network::initialized(architecture, Initialization::Normal(0.01), 42);
//! let mut device = CpuBackend::new(None);
//! let settings = Settings { steps: 300, learning_rate: 0.5, ..Settings::default() };
//! let summary = train(&mut device, &digits, &mut network, &settings, &mut ())?;
//! assert!(summary.evaluation.test.accuracy > 0.3);
//! # Ok::<(), gpu_train::Error>(())
//! ```

pub mod backend;
pub mod bench;
mod cache;
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod device;
mod error;
mod files;
pub mod formula;
pub mod gradient;
pub mod landscape;
pub mod network;
#[doc(hidden)]
pub mod report;
pub mod train;

pub use error::{Error, Result};
