//! What a dispatch is, as data: one shader with its constants, the ranges it is given and the size of its grid.
//! A kernel's own file turns an operation into one or more of these; nothing here or there touches a device.

use crate::backend::tensor::Span;

/// One dispatch of one shader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dispatch {
    /// The shader, named for what it computes: `shaders/NAME.wgsl`.
    pub(crate) name: &'static str,
    /// Its text, shared functions already in front of it.
    pub(crate) source: &'static str,
    /// Values of its `override` constants.
    pub(crate) constants: Vec<(&'static str, f64)>,
    /// `@group(0) @binding(0..)`, in order.
    pub(crate) bindings: Vec<Binding>,
    /// The uniform words behind them, at `@binding(bindings.len())`: the shader's `parameters`; floats as their bits.
    pub(crate) parameters: Vec<u32>,
    /// Workgroups in x, y and z, each at most 65,535.
    pub(crate) workgroups: [u32; 3],
}

/// A storage buffer as a shader sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Binding {
    /// `var<storage, read>`
    Read(Span),
    /// `var<storage, read_write>`
    Write(Span),
}
