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

/// What kernels choose their tiles and workgroups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceClass {
    /// A real GPU: occupancy and registers count.
    Gpu,
    /// A software driver: loads count, registers are vector registers of a CPU.
    Software,
}

/// Invocations of a workgroup where nothing speaks for another number.
pub(crate) const WORKGROUP: u32 = 64;

/// The most trips that one invocation may make through all its loops together: some software drivers stop
/// silently after 65,535.
pub(crate) const MAX_TRIPS: usize = 32_768;

/// A grid of at least `workgroups` workgroups, folded into two dimensions beyond the 65,535 that one may have.
/// The shader's number of its workgroup is `workgroup_id.y * num_workgroups.x + workgroup_id.x`; it may exceed
/// `workgroups`, so the shader compares.
pub(crate) fn folded(workgroups: usize) -> [u32; 3] {
    const MOST: usize = 65_535;
    if workgroups <= MOST {
        return [workgroups.max(1) as u32, 1, 1];
    }
    let rows = workgroups.div_ceil(MOST);
    [workgroups.div_ceil(rows) as u32, rows as u32, 1]
}
