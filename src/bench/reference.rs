//! What operations must come to, in plain float64 on the host; whatever is timed was held to it before.

use crate::backend::{Backend, Matmul, Tensor};
use crate::{Error, Result};

/// The distance from 1 to the next float32.
pub(super) const ULP: f64 = f32::EPSILON as f64;

/// The error of a device that computes a kernel wrongly.
pub(super) fn wrong(backend: &dyn Backend, kernel: &'static str, got: f64, expected: f64) -> Error {
    let device = backend.info().name.clone();
    Error::SelfTest { device, kernel, got: got as f32, expected: expected as f32 }
}

/// Holds one value to what it must be.
pub(super) fn hold(
    backend: &dyn Backend,
    kernel: &'static str,
    got: f64,
    (expected, tolerance): (f64, f64),
) -> Result<()> {
    // A NaN is far from everything.
    if (got - expected).abs() <= tolerance { Ok(()) } else { Err(wrong(backend, kernel, got, expected)) }
}

/// Holds every element of a result to its value and tolerance.
pub(super) fn hold_all(
    backend: &mut dyn Backend,
    kernel: &'static str,
    out: Tensor,
    expected: impl Fn(usize) -> (f64, f64),
) -> Result<()> {
    let got = backend.read_tensor(out)?;
    got.iter().enumerate().try_for_each(|(index, &got)| hold(backend, kernel, got.into(), expected(index)))
}

/// The factors of a product on the host.
pub(super) struct Product {
    pub(super) op: Matmul,
    pub(super) a: Vec<f32>,
    pub(super) b: Vec<f32>,
    pub(super) bias: Option<Vec<f32>>,
}

/// Multiply-adds that the elements of one product may take to check one by one.
const CHECKED: usize = 8 << 20;

impl Product {
    fn a(&self, row: usize, term: usize) -> f64 {
        let [m, k, _] = self.op.shape();
        self.a[if self.op.transpose_a { term * m + row } else { row * k + term }].into()
    }

    fn b(&self, term: usize, column: usize) -> f64 {
        let [_, k, n] = self.op.shape();
        self.b[if self.op.transpose_b { column * k + term } else { term * n + column }].into()
    }

    fn bias(&self, column: usize) -> f64 {
        self.bias.as_ref().map_or(0.0, |bias| bias[column].into())
    }

    /// An element and how far float32 may be from it: rounding errors of `k` additions grow like a random walk, as the
    /// root of `k`, in proportion to the sum of the terms' magnitudes.
    fn element(&self, row: usize, column: usize) -> (f64, f64) {
        let [_, k, _] = self.op.shape();
        let (mut sum, mut magnitude) = (self.bias(column), self.bias(column).abs());
        for term in 0..k {
            let product = self.a(row, term) * self.b(term, column);
            sum += product;
            magnitude += product.abs();
        }
        (sum, (2.0 + (k as f64).sqrt()) * ULP * magnitude)
    }

    /// Holds every row's sum to `A (B 1)`, which takes all elements in, and elements one by one: all of a small product, as
    /// many as are quick of a large one.
    pub(super) fn check(&self, backend: &mut dyn Backend) -> Result<()> {
        let [m, k, n] = self.op.shape();
        let got = backend.read_tensor(self.op.out)?;
        let step = (m * n * k).div_ceil(CHECKED).max(1);
        // An odd step goes through all columns, whatever the width.
        let step = if step > 1 { step | 1 } else { 1 };
        for index in (0..m * n).step_by(step).chain([m * n - 1]) {
            hold(backend, "matmul", got[index].into(), self.element(index / n, index % n))?;
        }
        let sums_of = |value: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (0..k).map(|term| (0..n).map(|column| value(self.b(term, column))).sum()).collect()
        };
        let (sums, magnitudes) = (sums_of(&|b| b), sums_of(&f64::abs));
        let bias: f64 = (0..n).map(|column| self.bias(column)).sum();
        let bias_magnitude: f64 = (0..n).map(|column| self.bias(column).abs()).sum();
        for (row, got) in got.chunks_exact(n).enumerate() {
            let expected: f64 = (0..k).map(|term| self.a(row, term) * sums[term]).sum::<f64>() + bias;
            let magnitude: f64 =
                (0..k).map(|term| self.a(row, term).abs() * magnitudes[term]).sum::<f64>() + bias_magnitude;
            let got = got.iter().map(|&got| f64::from(got)).sum();
            hold(backend, "matmul", got, (expected, (2.0 + (k as f64).sqrt()) * ULP * magnitude))?;
        }
        Ok(())
    }
}

/// `1 / (1 + e^-a)`
pub(super) fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

/// The softmax of one row.
pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// What is added to probabilities in the logarithm: the chapter's.
pub(super) const EPSILON: f32 = 1e-7;

/// `-ln(softmax(logits)_target + 1e-7)`
pub(super) fn cross_entropy(logits: &[f64], target: u32) -> f64 {
    -(softmax(logits)[target as usize] + f64::from(EPSILON)).ln()
}

/// One row of float32 in float64.
pub(super) fn row(values: &[f32], index: usize, columns: usize) -> Vec<f64> {
    values[index * columns..(index + 1) * columns].iter().map(|&value| value.into()).collect()
}
