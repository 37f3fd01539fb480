//! What a dispatch is, as data: one shader with its constants, the ranges it is given and the size of its grid.
//! A kernel's own file turns an operation into one or more of these; nothing here or there touches a device.

use std::borrow::Cow;

use crate::backend::nodes::Nodes;
use crate::backend::op::{ProbeChunk, ProbedLayer};
use crate::backend::tensor::Span;
use crate::network::{Activation, OutputLoss};

pub(crate) use super::tiles::DeviceClass;

/// A shader's text: the named files of `shaders/lib`, then `shaders/NAME.wgsl`.
macro_rules! shader {
    ($name:literal $(, $shared:literal)*) => {
        std::borrow::Cow::Borrowed(concat!(
            $(include_str!(concat!("../../../shaders/lib/", $shared, ".wgsl")),)*
            include_str!(concat!("../../../shaders/", $name, ".wgsl")),
        ))
    };
}
pub(crate) use shader;

/// One dispatch of one shader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dispatch {
    /// The shader, named for what it computes: `shaders/NAME.wgsl`.
    pub(crate) name: &'static str,
    /// Its text, shared functions already in front of it.
    pub(crate) source: Cow<'static, str>,
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

impl Binding {
    /// The bytes that are bound.
    pub(crate) fn span(&self) -> Span {
        let (Self::Read(span) | Self::Write(span)) = *self;
        span
    }
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

/// How many invocations share a row (a unit's samples) of `len` elements in the kernels that reduce rows, and the
/// grid for so many rows of workgroups of [`WORKGROUP`].
pub(crate) fn row_grid(rows: usize, len: usize) -> (u32, [u32; 3]) {
    let lanes = if len <= 1_024 { 1 } else { WORKGROUP };
    (lanes, folded((rows * lanes as usize).div_ceil(WORKGROUP as usize)))
}

/// Whether so many activations are done four at a time: where there are whole fours, and not of functions so long that four
/// of them want more registers than there are for many waves.
pub(crate) fn goes_by_fours(activation: Activation, len: usize) -> bool {
    len.is_multiple_of(4) && !matches!(activation, Activation::Gelu | Activation::Softplus)
}

/// The number that shaders know an activation by.
pub(crate) fn activation_code(activation: Activation) -> f64 {
    match activation {
        Activation::Identity => 0.0,
        Activation::Sigmoid => 1.0,
        Activation::Tanh => 2.0,
        Activation::Relu => 3.0,
        Activation::Gelu => 4.0,
        Activation::Softplus => 5.0,
    }
}

/// The number that shaders know output activation and loss by, and the epsilon.
pub(crate) fn output_code(output: OutputLoss) -> (f64, f32) {
    match output {
        OutputLoss::CrossEntropy { epsilon } => (0.0, epsilon),
        OutputLoss::SoftmaxSumOfSquares => (1.0, 0.0),
        OutputLoss::SumOfSquares => (2.0, 0.0),
    }
}

/// The constants of the kernels that probe a layer.
pub(crate) fn layer_constants(layer: &ProbedLayer) -> Vec<(&'static str, f64)> {
    vec![
        ("WORKGROUP", WORKGROUP.into()),
        ("ACTIVATION", activation_code(layer.activation)),
        ("OUTPUT", output_code(layer.output).0),
        ("DIRECT", if layer.next.is_none() { 1.0 } else { 0.0 }),
    ]
}

/// The constants of the kernels that measure curves at so many pairs of points, and the tables that end their parameters.
pub(crate) fn node_constants(count: usize) -> ([(&'static str, f64); 2], Vec<f32>) {
    let nodes = Nodes::new(count);
    let mut spare = [0.0; 8];
    for (position, check) in spare.iter_mut().zip(&nodes.checks) {
        *position = check.position;
    }
    let polynomials = nodes.checks.iter().flat_map(|check| &check.polynomials);
    let tables = nodes.position.iter().chain(nodes.transform.as_flattened()).chain(&spare).chain(polynomials);
    ([("NODES", nodes.count as f64), ("CHECKS", nodes.check_count as f64)], tables.copied().collect())
}

/// The constants of the kernels that follow probes through hidden layers, and what their parameters begin with.
pub(crate) fn chunk_constants(chunk: &ProbeChunk) -> (Vec<(&'static str, f64)>, Vec<f32>) {
    let (nodes, tables) = node_constants(chunk.nodes);
    let mut constants = vec![
        ("WORKGROUP", WORKGROUP.into()),
        ("ACTIVATION", activation_code(chunk.activation)),
        ("SHORT", f64::from(u8::from(is_short(chunk)))),
    ];
    constants.extend(nodes);
    (constants, tables)
}

/// Whether the short forms do. Three terms of a series are all there is up to a move of 1/256: with steps so small, all but the
/// largest weights stay below that.
pub(crate) fn is_short(chunk: &ProbeChunk) -> bool {
    const SHORT: f32 = 3e-4;
    chunk.step_size <= SHORT
}

/// The weights behind a layer; where there are none, something that can be bound.
pub(crate) fn next_or_any(layer: &ProbedLayer) -> Binding {
    Binding::Read(layer.next.unwrap_or(layer.y).span())
}
