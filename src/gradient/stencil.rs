//! The four quotients: at which points each is read, and how the network's gradient comes to be one of them.

use super::forward::{Batch, Forward, NetworkTensors};
use super::numerical::Numerical;
use super::{Difference, GradientOptions, ProbeReport, Probes};
use crate::backend::{Backend, Matmul, Recording, Tensor};
use crate::{Error, Result};

impl Difference {
    /// The points at which the function is read, as multiples of `h` away from `x`, each with its weight: the quotient
    /// is `sum weight f(x + offset h) / h`.
    #[must_use]
    pub fn points(self) -> &'static [(f64, f64)] {
        match self {
            Self::Central => &[(1.0, 0.5), (-1.0, -0.5)],
            Self::Forward => &[(1.0, 1.0), (0.0, -1.0)],
            Self::FivePoint => &[(2.0, -1.0 / 12.0), (1.0, 2.0 / 3.0), (-1.0, -2.0 / 3.0), (-2.0, 1.0 / 12.0)],
            Self::Richardson => &[(0.5, 4.0 / 3.0), (-0.5, -4.0 / 3.0), (1.0, -1.0 / 6.0), (-1.0, 1.0 / 6.0)],
        }
    }

    /// The multiples of `h` at which central quotients are taken, and their weights in this one. The forward quotient
    /// is none of central ones: it has one term, which is taken on one side.
    fn terms(self) -> &'static [(f32, f32)] {
        match self {
            Self::Central | Self::Forward => &[(1.0, 1.0)],
            Self::FivePoint => &[(1.0, 4.0 / 3.0), (2.0, -1.0 / 3.0)],
            Self::Richardson => &[(0.5, 4.0 / 3.0), (1.0, -1.0 / 3.0)],
        }
    }
}

/// A numerical gradient by any of the quotients.
///
/// The quotients of order 4 are two central gradients, combined: twice the price of one, for a fourth-order error.
/// The forward quotient needs the odd powers of each curve, which a polynomial in `s^2` does not have, so it probes
/// each parameter on its own: dearer than the central one, as it is worse.
#[derive(Debug, Clone)]
pub(super) struct Stencil {
    parts: Vec<Numerical>,
    combination: Option<Combination>,
}

/// Several gradients and their weights.
#[derive(Debug, Clone, Copy)]
struct Combination {
    /// `[terms, P]`
    gradients: Tensor,
    /// `[1, terms]`
    weights: Tensor,
}

impl Stencil {
    pub(super) fn new(
        backend: &mut dyn Backend,
        network: &NetworkTensors,
        batch: &Batch,
        mut options: GradientOptions,
    ) -> Result<Self> {
        if options.difference == Difference::Forward {
            if options.probes == Probes::Curve {
                return Err(Error::config_hint(
                    "the forward difference is no even function of the step, so the curves do not hold it",
                    "--probes each, or auto",
                ));
            }
            options.probes = Probes::Each;
        }
        let terms = options.difference.terms();
        let parts = terms
            .iter()
            .map(|(multiple, _)| {
                let step_size = options.step_size * multiple;
                Numerical::new(backend, network, batch, GradientOptions { step_size, ..options })
            })
            .collect::<Result<Vec<_>>>()?;
        let combination = match terms.len() {
            1 => None,
            count => {
                let weights: Vec<f32> = terms.iter().map(|&(_, weight)| weight).collect();
                Some(Combination {
                    gradients: backend.tensor(count, network.layout.len(), "gradients to combine")?,
                    weights: backend.tensor_from(&weights, 1, count, "weights of the gradients")?,
                })
            }
        };
        Ok(Self { parts, combination })
    }

    /// Records the probes of every term, and their combination.
    pub(super) fn record(
        &self,
        recording: &mut Recording,
        network: &NetworkTensors,
        forward: &Forward,
        batch: &Batch,
        gradient: Tensor,
    ) -> Result<()> {
        let Some(Combination { gradients, weights }) = self.combination else {
            return self.parts.iter().try_for_each(|part| part.record(recording, network, forward, batch, gradient));
        };
        let len = gradients.columns;
        for (index, part) in self.parts.iter().enumerate() {
            let row = Tensor { offset: gradients.offset + index * len, rows: 1, ..gradients };
            part.record(recording, network, forward, batch, row)?;
        }
        recording.push(Matmul {
            a: weights,
            transpose_a: false,
            b: gradients,
            transpose_b: false,
            bias: None,
            out: gradient,
        })
    }

    /// What all terms' checks counted over `steps`, and the loss evaluations made: the forward pass, which they share,
    /// and their probes.
    pub(super) fn report(&self, backend: &mut dyn Backend, steps: u64) -> Result<(ProbeReport, f64)> {
        let mut sum = ProbeReport::default();
        let mut evaluations = steps as f64;
        for part in &self.parts {
            let (report, made) = part.report(backend, steps)?;
            sum.curves += report.curves;
            sum.more_nodes += report.more_nodes;
            sum.single += report.single;
            sum.largest_check_error = sum.largest_check_error.max(report.largest_check_error);
            evaluations += made - steps as f64;
        }
        Ok((sum, evaluations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Difference; 4] =
        [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson];

    fn quotient(points: &[(f64, f64)], f: impl Fn(f64) -> f64, h: f64) -> f64 {
        points.iter().map(|(offset, weight)| weight * f(offset * h)).sum::<f64>() / h
    }

    /// A quotient of order `p` is exact for powers up to `p`, and not for the next one that it could miss.
    #[test]
    fn each_quotient_has_its_order() {
        for difference in ALL {
            for power in 0..=difference.order() {
                let expected = if power == 1 { 1.0 } else { 0.0 };
                let got = quotient(difference.points(), |x| x.powi(power), 0.5);
                assert!((got - expected).abs() < 1e-15, "{difference:?} of x^{power}: {got}");
            }
            let missed = quotient(difference.points(), |x| x.powi(difference.order() + 1), 0.5);
            assert!(missed.abs() > 1e-3, "{difference:?}: {missed}");
        }
    }

    /// Points and central terms say the same.
    #[test]
    fn terms_are_the_same_quotients() {
        for difference in [Difference::Central, Difference::FivePoint, Difference::Richardson] {
            let f = |x: f64| (1.3 * x).exp();
            let central = |h: f64| (f(h) - f(-h)) / (2.0 * h);
            let terms = difference.terms().iter();
            let combined: f64 =
                terms.map(|&(multiple, weight)| f64::from(weight) * central(f64::from(multiple) * 0.3)).sum();
            let direct = quotient(difference.points(), f, 0.3);
            assert!((combined - direct).abs() < 1e-6, "{difference:?}: {combined}, {direct}");
        }
    }
}
