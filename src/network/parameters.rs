//! Where each weight and bias stands in the one block that holds them all.

use std::ops::Range;

use super::Architecture;

/// Tensors begin at multiples of this many floats (256 bytes): the strictest binding offset of any device.
pub(crate) const ALIGNMENT: usize = 64;

/// A tensor's place in the parameter block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorLayout {
    /// `layers.0.weight`, `layers.0.bias`, ...: the name in model files.
    pub name: String,
    /// First element.
    pub offset: usize,
    /// Inputs of a weight, 1 for a bias.
    pub rows: usize,
    /// Outputs.
    pub columns: usize,
}

impl TensorLayout {
    /// The elements of the block that are this tensor's, row-major `[rows, columns]`.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }
}

/// A layer's two tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerLayout {
    /// `[inputs, outputs]`
    pub weight: TensorLayout,
    /// `[1, outputs]`
    pub bias: TensorLayout,
}

/// All parameters of a network in one block of float32, so that one update moves them all.
///
/// A weight stands as `[inputs, outputs]`, so that a layer is `x W + b` and neighbouring units read
/// neighbouring words; model files hold PyTorch's `[outputs, inputs]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterLayout {
    layers: Vec<LayerLayout>,
    len: usize,
}

impl ParameterLayout {
    /// The layout of this architecture's parameters.
    #[must_use]
    pub fn new(architecture: &Architecture) -> Self {
        let mut len = 0;
        let mut place = |name: String, rows: usize, columns: usize| {
            let offset = len;
            len += (rows * columns).next_multiple_of(ALIGNMENT);
            TensorLayout { name, offset, rows, columns }
        };
        let layers = architecture
            .sizes
            .windows(2)
            .enumerate()
            .map(|(index, pair)| LayerLayout {
                weight: place(format!("layers.{index}.weight"), pair[0], pair[1]),
                bias: place(format!("layers.{index}.bias"), 1, pair[1]),
            })
            .collect();
        Self { layers, len }
    }

    /// Floats in the block, the gaps between tensors included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in the block; no architecture gives such a one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The layers, from the inputs on.
    #[must_use]
    pub fn layers(&self) -> &[LayerLayout] {
        &self.layers
    }

    /// Every tensor, in order.
    pub fn tensors(&self) -> impl Iterator<Item = TensorLayout> + '_ {
        self.layers.iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()])
    }
}
