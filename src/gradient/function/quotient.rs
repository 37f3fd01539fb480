//! One difference quotient along one variable: the points that floating point has there, and their own weights.

use super::Real;
use super::evaluate::Move;
use super::noise::Noise;
use crate::{Error, Result};

/// A quotient of one variable at one step.
#[derive(Debug, Clone)]
pub(super) struct Quotient<T> {
    variable: usize,
    /// The step that was really taken.
    pub(super) step_size: f64,
    /// Where the variable goes, without the point itself.
    to: Vec<T>,
    /// The derivative's weights of these.
    weights: Vec<f64>,
    /// The weight of the point itself.
    own_weight: f64,
    /// How far each of the points is away.
    nodes: Vec<f64>,
    /// The precision of the variable itself: its rounding inside of the function cannot be told from a move by this.
    precision: f64,
}

impl<T: Real> Quotient<T> {
    /// The quotient of about the step `h` through the points at these multiples of it; `None` where that is nothing beside `x`.
    pub(super) fn new(variable: usize, x: T, h: f64, offsets: &[f64]) -> Option<Self> {
        let x = x.to_f64();
        let nearest =
            offsets.iter().map(|offset| offset.abs()).filter(|&offset| offset > 0.0).fold(f64::INFINITY, f64::min);
        // The step that brings the nearest point to a number of the type brings the others to one too, nearly always.
        let step_size = (T::from_f64(x + nearest * h).to_f64() - x) / nearest;
        let to: Vec<T> = offsets.iter().map(|offset| T::from_f64(x + offset * step_size)).collect();
        let nodes: Vec<f64> = to.iter().map(|to| to.to_f64() - x).collect();
        let weights: Vec<f64> = (0..nodes.len()).map(|index| derivative_weight(&nodes, index)).collect();
        if !step_size.is_normal() || !weights.iter().all(|weight| weight.is_finite()) {
            return None;
        }
        let mut quotient = Self {
            variable,
            step_size,
            to: Vec::new(),
            weights: Vec::new(),
            own_weight: 0.0,
            nodes: Vec::new(),
            precision: T::EPSILON * x.abs(),
        };
        for ((to, node), weight) in to.into_iter().zip(nodes).zip(weights) {
            if node == 0.0 {
                quotient.own_weight += weight;
            } else {
                quotient.to.push(to);
                quotient.nodes.push(node);
                quotient.weights.push(weight);
            }
        }
        Some(quotient)
    }

    /// As [`Quotient::new`], for a step that somebody asked for.
    ///
    /// # Errors
    /// [`Error::Config`] where the step is nothing beside `x`.
    pub(super) fn required(variable: usize, x: T, h: f64, offsets: &[f64]) -> Result<Self> {
        Self::new(variable, x, h, offsets).ok_or_else(|| {
            let problem = format!("a step of {h} is nothing beside variable {variable}, which is {x}");
            Error::config_hint(problem, "a larger step, --step-size auto, or f64")
        })
    }

    /// Where the function is to be evaluated.
    pub(super) fn moves(&self) -> impl Iterator<Item = Move<T>> + '_ {
        self.to.iter().map(|&to| (self.variable, to))
    }

    /// How many points these are.
    pub(super) fn evaluations(&self) -> usize {
        self.to.len()
    }

    /// The derivative of one row, from the values at the points and that at `x`.
    pub(super) fn value(&self, values: &[Vec<f64>], own: &[f64], row: usize) -> f64 {
        // Differences to the value at x: the weights sum to 0, but for rounding that large values would multiply.
        self.weights.iter().zip(values).map(|(weight, values)| weight * (values[row] - own[row])).sum()
    }

    /// The rounding in the derivative as it usually is, a deviation, from that of each value.
    pub(super) fn deviation(&self, values: &[Vec<f64>], own: &[f64], noise: &[Noise], row: usize) -> f64 {
        let points = self.weights.iter().zip(&self.nodes).zip(values);
        let square = |((weight, node), values): ((&f64, &f64), &Vec<f64>)| {
            (weight * noise[row].at::<T>(values[row], *node).deviation).powi(2)
        };
        let own = self.own_weight * noise[row].at::<T>(own[row], 0.0).deviation;
        (points.map(square).sum::<f64>() + own * own).sqrt()
    }

    /// The derivative of one row and a bound of the rounding in it, from the values at the points, that at `x`, and the
    /// rounding of each value.
    pub(super) fn derivative(&self, values: &[Vec<f64>], own: &[f64], noise: &[Noise], row: usize) -> (f64, f64) {
        let derivative = self.value(values, own, row);
        let points = self.weights.iter().zip(&self.nodes).zip(values);
        let bound = |((weight, node), values): ((&f64, &f64), &Vec<f64>)| {
            weight.abs() * noise[row].at::<T>(values[row], *node).bound
        };
        let points: f64 = points.map(bound).sum();
        // A function that squares a small difference of large variables has lost these variables' last places, and
        // with them as much of its slope, at whatever step.
        let bend = |(node, values): (&f64, &Vec<f64>)| {
            (2.0 * (values[row] - own[row] - derivative * node) / (node * node)).abs()
        };
        let curvature = self.nodes.iter().zip(values).map(bend).fold(0.0, f64::max);
        let shares = T::EPSILON * derivative.abs() + self.precision * curvature;
        (derivative, points + self.own_weight.abs() * noise[row].at::<T>(own[row], 0.0).bound + shares)
    }
}

/// The weight of node `index` in the derivative at 0 of the polynomial through all nodes (Lagrange's). For evenly
/// spaced nodes these are the textbook's; for those that rounding has moved they keep the order.
fn derivative_weight(nodes: &[f64], index: usize) -> f64 {
    let others = |besides: usize| (0..nodes.len()).filter(move |&other| other != index && other != besides);
    let term = |left_out: usize| {
        let product: f64 = others(left_out).map(|other| -nodes[other] / (nodes[index] - nodes[other])).product();
        product / (nodes[index] - nodes[left_out])
    };
    others(index).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::Difference;

    #[test]
    fn evenly_spaced_points_have_the_textbooks_weights() {
        for difference in [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson] {
            let nodes: Vec<f64> = difference.points().iter().map(|point| point.0).collect();
            for (index, (_, expected)) in difference.points().iter().enumerate() {
                let weight = derivative_weight(&nodes, index);
                assert!(
                    (weight - expected).abs() < 1e-15,
                    "{}: point {index}: {weight}, not {expected}",
                    difference.name()
                );
            }
        }
    }

    #[test]
    fn the_step_is_the_one_that_was_taken() {
        // 1 + 1e-7 is no float32: the nearest is one unit in the last place away.
        let quotient = Quotient::new(0, 1.0_f32, 1e-7, &[1.0, 0.0]).unwrap_or_else(|| unreachable!());
        assert_eq!(quotient.step_size, f64::from(f32::EPSILON));
        assert!(Quotient::new(0, 1.0_f32, 1e-9, &[1.0, -1.0]).is_none());
    }
}
