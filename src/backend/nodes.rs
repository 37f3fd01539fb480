//! Where a loss curve is sampled, and how the samples become Chebyshev coefficients: what both engines share.

use super::op::{MAX_NODES, spare_pairs};

/// Where curves are sampled, and how samples become Chebyshev coefficients.
pub(super) struct Nodes {
    pub(super) count: usize,
    /// Each node as a share of the reach.
    pub(super) position: [f32; MAX_NODES],
    /// `[order][node]`
    pub(super) transform: [[f32; MAX_NODES]; MAX_NODES],
    /// Where the polynomial is compared with the curve.
    pub(super) checks: [Check; MAX_CHECKS],
    pub(super) check_count: usize,
}

/// A spare pair of points, at an extremum of the first polynomial that is left out: interpolation misses most there.
#[derive(Clone, Copy, Default)]
pub(super) struct Check {
    pub(super) position: f32,
    /// The Chebyshev polynomials there.
    pub(super) polynomials: [f32; MAX_NODES],
}

/// Most spare pairs: both ends and the middle.
pub(super) const MAX_CHECKS: usize = 3;

impl Nodes {
    pub(super) fn new(count: usize) -> Self {
        let angle = |node: usize| std::f64::consts::PI * (2 * node + 1) as f64 / (2 * count) as f64;
        let mut nodes = Self {
            count,
            position: [0.0; MAX_NODES],
            transform: [[0.0; MAX_NODES]; MAX_NODES],
            checks: [Check::default(); MAX_CHECKS],
            check_count: spare_pairs(count),
        };
        for (check, extremum) in nodes.checks.iter_mut().zip([0, count / 2, count - 1]) {
            let angle = std::f64::consts::PI * extremum as f64 / count as f64;
            check.position = ((1.0 + angle.cos()) / 2.0).sqrt() as f32;
            for (order, polynomial) in check.polynomials.iter_mut().enumerate() {
                *polynomial = (order as f64 * angle).cos() as f32;
            }
        }
        for node in 0..count {
            nodes.position[node] = ((1.0 + angle(node).cos()) / 2.0).sqrt() as f32;
            for order in 0..count {
                let weight = if order == 0 { 1.0 } else { 2.0 };
                nodes.transform[order][node] = (weight / count as f64 * (order as f64 * angle(node)).cos()) as f32;
            }
        }
        nodes
    }

    /// The nodes, then the spare pairs: each as a share of the reach.
    pub(super) fn positions(&self) -> impl Iterator<Item = f32> + '_ {
        let spare = self.checks[..self.check_count].iter().map(|check| check.position);
        self.position[..self.count].iter().copied().chain(spare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform of samples of a polynomial gives back the polynomial.
    #[test]
    fn chebyshev_coefficients_of_a_cubic() {
        let f = |t: f64| 1.0 + 2.0 * t - 0.5 * t * t + 0.25 * t * t * t;
        let nodes = Nodes::new(4);
        for t in [0.0, 0.3, 0.7, 1.0] {
            let x = 2.0 * t - 1.0;
            let polynomials = [1.0, x, 2.0 * x * x - 1.0, 4.0 * x * x * x - 3.0 * x];
            let value: f64 = (0..4)
                .map(|order| {
                    let coefficient: f64 = (0..4)
                        .map(|node| {
                            let at = f64::from(nodes.position[node]).powi(2);
                            f64::from(nodes.transform[order][node]) * f(at)
                        })
                        .sum();
                    coefficient * polynomials[order]
                })
                .sum();
            assert!((value - f(t)).abs() < 1e-6, "at {t}: {value} instead of {}", f(t));
        }
    }
}
