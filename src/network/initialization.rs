//! How fresh weights are drawn.

use std::str::FromStr;

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use super::ParameterLayout;

/// The distribution of fresh weights; biases begin at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initialization {
    /// Normal with mean 0 and this standard deviation; 0.01 in the chapter.
    Normal(f32),
    /// Normal with variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010).
    Xavier,
    /// Normal with variance `2 / inputs` (He et al., 2015).
    He,
}

impl Initialization {
    /// Fills the weights of `parameters`, laid out by `layout`, with draws from `seed`.
    ///
    /// The draws are made in float64 on the host, in the block's order: the same seed gives the same weights
    /// whatever the device.
    pub fn fill(self, layout: &ParameterLayout, seed: u64, parameters: &mut [f32]) {
        // Its own stream: the mini-batches are drawn from another one of the same seed.
        let mut generator = Pcg64::seed_from_u64(seed ^ 0x57e1_6875_696e_6974);
        for layer in layout.layers() {
            let (inputs, outputs) = (layer.weight.rows as f64, layer.weight.columns as f64);
            let deviation = match self {
                Self::Normal(deviation) => f64::from(deviation),
                Self::Xavier => (2.0 / (inputs + outputs)).sqrt(),
                Self::He => (2.0 / inputs).sqrt(),
            };
            for weight in &mut parameters[layer.weight.range()] {
                let draw: f64 = StandardNormal.sample(&mut generator);
                *weight = (deviation * draw) as f32;
            }
        }
    }
}

impl FromStr for Initialization {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "xavier" => Ok(Self::Xavier),
            None if text == "he" => Ok(Self::He),
            Some(("normal", deviation)) => match deviation.parse::<f32>() {
                Ok(value) if value.is_finite() && value >= 0.0 => Ok(Self::Normal(value)),
                _ => Err(format!("the standard deviation {deviation} is not a number of 0 or more")),
            },
            _ => Err("expected normal:DEVIATION, xavier or he".into()),
        }
    }
}

impl std::fmt::Display for Initialization {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Normal(deviation) => write!(formatter, "normal:{deviation}"),
            Self::Xavier => formatter.write_str("xavier"),
            Self::He => formatter.write_str("he"),
        }
    }
}
