//! `gpu-train`: neural networks trained by numerical gradients, on any GPU or none.

pub mod backend;
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod device;
mod error;
pub mod gradient;
pub mod network;
pub mod report;
pub mod train;

pub use error::{Error, Result};
