//! Planes through a network: two directions, and a grid of points on them.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use crate::network::{Network, ParameterLayout};

/// Points of a plane in rows and columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Points along each axis; at least 2.
    pub points: usize,
    /// Ends along the first direction.
    pub x: (f64, f64),
    /// Ends along the second.
    pub y: (f64, f64),
}

impl Grid {
    /// The value at each step along an axis.
    fn at(&self, ends: (f64, f64), step: usize) -> f64 {
        let share = step as f64 / (self.points.max(2) - 1) as f64;
        // So that the middle of ends that are opposite is 0, and the ends are the ends.
        ends.0 * (1.0 - share) + ends.1 * share
    }

    /// The points as [`scores`](super::scores) takes them: row by row from the smallest y, in each from the smallest x.
    #[must_use]
    pub fn coordinates(&self) -> Vec<f32> {
        let row = |row: usize| {
            let y = self.at(self.y, row);
            (0..self.points).flat_map(move |column| [self.at(self.x, column) as f32, y as f32])
        };
        (0..self.points).flat_map(row).collect()
    }
}

/// Two random directions, each unit's part (its weights and its bias) as long as the unit's own in the network: what is
/// far for a large unit is not for a small one (filter normalisation; Li et al., 2018).
#[must_use]
pub fn random_directions(network: &Network, seed: u64) -> [Vec<f32>; 2] {
    let mut generator = Pcg64::seed_from_u64(seed ^ 0x706c_616e_6520_6f66);
    std::array::from_fn(|_| {
        let mut direction = vec![0.0f32; network.layout.len()];
        for tensor in network.layout.tensors() {
            for element in &mut direction[tensor.range()] {
                let draw: f64 = StandardNormal.sample(&mut generator);
                *element = draw as f32;
            }
        }
        for layer in network.layout.layers() {
            for unit in 0..layer.weight.columns {
                let places = unit_places(layer, unit);
                let own = norm(&network.parameters, &places);
                let drawn = norm(&direction, &places);
                let factor = if drawn > 0.0 { (own / drawn) as f32 } else { 0.0 };
                places.iter().for_each(|&place| direction[place] *= factor);
            }
        }
        direction
    })
}

/// Where a unit's weights and bias stand.
fn unit_places(layer: &crate::network::LayerLayout, unit: usize) -> Vec<usize> {
    let weights = layer.weight.range().skip(unit).step_by(layer.weight.columns);
    weights.chain([layer.bias.offset + unit]).collect()
}

fn norm(values: &[f32], places: &[usize]) -> f64 {
    places.iter().map(|&place| f64::from(values[place]).powi(2)).sum::<f64>().sqrt()
}

/// Where the layout has parameters, gaps left out.
pub(super) fn places(layout: &ParameterLayout) -> Vec<usize> {
    layout.tensors().flat_map(|tensor| tensor.range()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Architecture, Initialization, OutputLoss};

    #[test]
    fn grids_begin_and_end_at_their_ends_with_x_within_y() {
        let grid = Grid { points: 3, x: (-1.0, 1.0), y: (0.0, 4.0) };
        let expected = [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 2.0, 0.0, 2.0, 1.0, 2.0, -1.0, 4.0, 0.0, 4.0, 1.0, 4.0];
        assert_eq!(grid.coordinates(), expected);
    }

    #[test]
    fn each_unit_moves_by_its_own_length() {
        let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
        let architecture = Architecture::new(vec![5, 4, 3], Activation::Tanh, output).unwrap();
        let mut network = Network::initialized(architecture, Initialization::Xavier, 3);
        // A unit that is 0 stays where it is.
        let layer = network.layout.layers()[0].clone();
        unit_places(&layer, 2).iter().for_each(|&place| network.parameters[place] = 0.0);
        let [a, b] = random_directions(&network, 1);
        assert_eq!([a.clone(), b.clone()], random_directions(&network, 1));
        assert_ne!(a, b);
        assert_ne!(a, random_directions(&network, 2)[0]);
        for layer in network.layout.layers() {
            for unit in 0..layer.weight.columns {
                let places = unit_places(layer, unit);
                let own = norm(&network.parameters, &places);
                for direction in [&a, &b] {
                    // Norms of a few float32 numbers, scaled once.
                    assert!((norm(direction, &places) - own).abs() <= 1e-6 * own, "unit {unit} of {own}");
                }
            }
        }
        let gaps = (0..a.len()).filter(|place| !places(&network.layout).contains(place));
        assert!(gaps.into_iter().all(|place| a[place] == 0.0), "what is no parameter does not move");
    }
}
