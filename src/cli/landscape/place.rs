//! The weight along which a landscape's curve goes.

use crate::cli::values::Indices;
use crate::network::{Network, TensorLayout};
use crate::{Error, Result};

/// The parameter that the curve moves.
pub(super) struct Place {
    pub(super) tensor: String,
    /// `[unit, input]`, or of a bias `[unit]`.
    pub(super) index: Vec<usize>,
    /// In the block.
    pub(super) at: usize,
}

impl Place {
    fn new(tensor: &TensorLayout, unit: usize, input: usize) -> Self {
        let index = if tensor.name.ends_with(".bias") { vec![unit] } else { vec![unit, input] };
        Self { tensor: tensor.name.clone(), index, at: tensor.offset + input * tensor.columns + unit }
    }

    /// The parameter that was named; `None` where it is to be chosen.
    ///
    /// # Errors
    /// [`Error::Config`] for a tensor that is not there, and for a place that it does not have.
    pub(super) fn named(network: &Network, name: &str, given: Option<&Indices>) -> Result<Option<Self>> {
        let Some(tensor) = network.layout.tensors().find(|tensor| tensor.name == name) else {
            let names: Vec<_> = network.layout.tensors().map(|tensor| tensor.name).collect();
            let problem = format!("the model has no tensor {name:?}");
            return Err(Error::config_hint(problem, format!("it has {}", names.join(", "))));
        };
        let Some(Indices(given)) = given else { return Ok(None) };
        let (inputs, units) = (tensor.rows, tensor.columns);
        let is_bias = tensor.name.ends_with(".bias");
        let found = match given[..] {
            [unit] if is_bias => Some((unit, 0)),
            // As it stands in the file, a unit's weights after another's.
            [at] => Some((at / inputs, at % inputs)),
            [unit, input] if !is_bias => Some((unit, input)),
            _ => None,
        };
        match found.filter(|&(unit, input)| unit < units && input < inputs) {
            Some((unit, input)) => Ok(Some(Self::new(&tensor, unit, input))),
            None => {
                let shape = if is_bias { format!("[{units}]") } else { format!("[{units}, {inputs}]") };
                Err(Error::config(format!("{given:?} is no place in {}, which is {shape}", tensor.name)))
            }
        }
    }

    /// The parameter of the tensor by which the loss changes fastest.
    pub(super) fn steepest(network: &Network, name: &str, derivatives: &[f64]) -> Self {
        let Some(tensor) = network.layout.tensors().find(|tensor| tensor.name == name) else {
            return Self { tensor: name.into(), index: Vec::new(), at: 0 };
        };
        let steeper = |&a: &usize, &b: &usize| derivatives[a].abs().total_cmp(&derivatives[b].abs());
        let at = tensor.range().rev().max_by(steeper).unwrap_or(tensor.offset) - tensor.offset;
        Self::new(&tensor, at % tensor.columns, at / tensor.columns)
    }
}
