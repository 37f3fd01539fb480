//! The plane that a training run moved in most: the first two principal directions of its checkpoints (Li et al., 2018,
//! section 7), seen from the network at its end.

use super::plane::places;
use crate::network::Network;
use crate::{Error, Result};

/// A plane, and the checkpoints on it.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPlane {
    /// Two directions of length 1, at right angles, laid out like the parameters.
    pub directions: [Vec<f32>; 2],
    /// Where each checkpoint is seen on the plane, the end at (0, 0).
    pub coordinates: Vec<(f64, f64)>,
    /// What share of the squared distances to the end lies along each direction.
    pub explained: [f64; 2],
}

/// The plane of `checkpoints` that were passed on the way to `end`.
///
/// The directions are the eigenvectors of `M^T M`, with the distances `theta_k - theta_end` as rows of `M`; they are
/// found from the small matrix `M M^T`.
///
/// # Errors
/// [`Error::Config`] for checkpoints of another shape than the end, for fewer than two that differ from it, and for ones
/// that all lie on a line with it.
pub fn path_plane(checkpoints: &[Network], end: &Network) -> Result<PathPlane> {
    if let Some(other) = checkpoints.iter().find(|one| one.architecture.sizes != end.architecture.sizes) {
        let (sizes, wanted) = (&other.architecture.sizes, &end.architecture.sizes);
        return Err(Error::config(format!("a checkpoint of the network {sizes:?} on the way to {wanted:?}")));
    }
    let places = places(&end.layout);
    let distance = |one: &Network| -> Vec<f64> {
        places.iter().map(|&at| f64::from(one.parameters[at]) - f64::from(end.parameters[at])).collect()
    };
    let rows: Vec<Vec<f64>> = checkpoints.iter().map(distance).collect();
    let count = rows.len();
    let mut gram = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..=i {
            gram[i * count + j] = dot(&rows[i], &rows[j]);
            gram[j * count + i] = gram[i * count + j];
        }
    }
    let total: f64 = (0..count).map(|i| gram[i * count + i]).sum();
    let (values, vectors) = eigen(gram, count);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    // Parameters are float32: what is as small as their rounding is no direction.
    let is_direction = |&&index: &&usize| values[index] > 1e-12 * total;
    let [first, second] = order.iter().filter(is_direction).take(2).copied().collect::<Vec<_>>()[..] else {
        return Err(Error::config_hint(
            "the checkpoints do not span a plane with the model",
            "name at least two that differ from it, from different times of the run; `train --run` keeps one at each \
             evaluation, and --eval-every has more of them",
        ));
    };
    let direction = |index: usize| {
        let mut sum = vec![0.0; places.len()];
        for (row, values) in rows.iter().enumerate() {
            let factor = vectors[row * count + index];
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
        }
        let length = dot(&sum, &sum).sqrt();
        sum.iter_mut().for_each(|value| *value /= length);
        sum
    };
    let axes = [direction(first), direction(second)];
    let block = |axis: &[f64]| {
        let mut block = vec![0.0; end.layout.len()];
        places.iter().zip(axis).for_each(|(&at, &value)| block[at] = value as f32);
        block
    };
    Ok(PathPlane {
        coordinates: rows.iter().map(|row| (dot(row, &axes[0]), dot(row, &axes[1]))).collect(),
        explained: [values[first] / total, values[second] / total],
        directions: [block(&axes[0]), block(&axes[1])],
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Eigenvalues of a symmetric matrix `[n, n]`, and its eigenvectors as columns, by Jacobi's rotations (1846).
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    /// Sweeps converge quadratically; a few suffice.
    const MOST_SWEEPS: usize = 60;
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let scale: f64 = a.iter().map(|value| value * value).sum();
    for _ in 0..MOST_SWEEPS {
        let off: f64 = (0..n * n).filter(|at| at / n != at % n).map(|at| a[at] * a[at]).sum();
        if off <= 1e-30 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[k * n + p], vectors[k * n + q]);
                    (vectors[k * n + p], vectors[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Architecture, Initialization, OutputLoss};

    fn network(seed: u64) -> Network {
        let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
        let architecture = Architecture::new(vec![6, 4, 3], Activation::Tanh, output).unwrap();
        Network::initialized(architecture, Initialization::Xavier, seed)
    }

    #[test]
    fn jacobi_finds_what_multiplies_back() {
        let a = vec![4.0, 1.0, -2.0, 1.0, 2.0, 0.5, -2.0, 0.5, 3.0];
        let (values, vectors) = eigen(a.clone(), 3);
        for i in 0..3 {
            for k in 0..3 {
                let product: f64 = (0..3).map(|j| a[i * 3 + j] * vectors[j * 3 + k]).sum();
                assert!((product - values[k] * vectors[i * 3 + k]).abs() < 1e-12, "{values:?}");
            }
        }
        assert!((values.iter().sum::<f64>() - 9.0).abs() < 1e-12);
    }

    #[test]
    fn checkpoints_in_a_plane_are_found_there() {
        let (end, a, b) = (network(1), network(2), network(3));
        let at = |u: f32, v: f32| {
            let mut one = end.clone();
            for (index, value) in one.parameters.iter_mut().enumerate() {
                *value += u * a.parameters[index] + v * b.parameters[index];
            }
            one
        };
        let checkpoints = [at(3.0, 0.0), at(2.0, 1.0), at(0.5, 0.5)];
        let plane = path_plane(&checkpoints, &end).unwrap();
        // Float32 parameters hold a plane to their rounding.
        assert!(plane.explained[0] >= plane.explained[1]);
        assert!((plane.explained[0] + plane.explained[1] - 1.0).abs() < 1e-10, "{:?}", plane.explained);
        for (one, &(x, y)) in checkpoints.iter().zip(&plane.coordinates) {
            for index in 0..end.parameters.len() {
                let [dx, dy] = [0, 1].map(|axis| f64::from(plane.directions[axis][index]));
                let there = f64::from(end.parameters[index]) + x * dx + y * dy;
                assert!((there - f64::from(one.parameters[index])).abs() < 1e-6, "{index}");
            }
        }
        let product: f64 =
            plane.directions[0].iter().zip(&plane.directions[1]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        assert!(product.abs() < 1e-6);
    }

    #[test]
    fn a_line_is_no_plane() {
        let (end, a) = (network(1), network(2));
        let at = |share: f32| {
            let mut one = end.clone();
            one.parameters.iter_mut().zip(&a.parameters).for_each(|(value, step)| *value += share * step);
            one
        };
        for checkpoints in [vec![], vec![at(1.0)], vec![at(1.0), at(1.0)], vec![end.clone(), at(1.0)]] {
            assert!(matches!(path_plane(&checkpoints, &end), Err(Error::Config { .. })), "{}", checkpoints.len());
        }
        assert!(path_plane(&[at(1.0), network(4)], &end).is_ok());
    }
}
