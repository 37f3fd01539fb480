//! `gpu-train`: neural networks trained by numerical gradients, on any GPU or none.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod data;
mod error;

pub use error::{Error, Result};
