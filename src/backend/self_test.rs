//! Known values that a device must reproduce before it is trusted: some drivers return zeros or nonsense from
//! kernels without a word. The kernels are those of the usual training run, so nothing is compiled for the test alone.

use super::op::{
    Activate, ColumnSums, CrossEntropy, Gather, Matmul, Mean, ProbeCurve, ProbedLayer, Rule, Softmax, Targets, Update,
};
use super::recording::Recording;
use super::tensor::{BufferId, Tensor, Words};
use super::{Backend, Op};
use crate::network::{Activation, OutputLoss};
use crate::{Error, Result};

/// Largest error, as a share of 1 or of the expected value: wide enough for any device's built-in functions, far
/// from what a broken one gives.
const TOLERANCE: f32 = 1e-4;

/// A result and what it should be.
struct Case {
    kernel: &'static str,
    out: Tensor,
    expected: Vec<f32>,
}

/// Runs the kernels on small inputs whose results are known.
///
/// # Errors
/// [`Error::SelfTest`] for a wrong result, or the device's own error.
pub(super) fn self_test(backend: &mut dyn Backend) -> Result<()> {
    let mut test = Test { backend, recording: Recording::new(), cases: Vec::new(), buffers: Vec::new() };
    let result = test.record().and_then(|()| test.run());
    for buffer in std::mem::take(&mut test.buffers) {
        test.backend.free(buffer);
    }
    result
}

struct Test<'a> {
    backend: &'a mut dyn Backend,
    recording: Recording,
    cases: Vec<Case>,
    buffers: Vec<BufferId>,
}

impl Test<'_> {
    fn tensor(&mut self, rows: usize, columns: usize, values: &[f32]) -> Result<Tensor> {
        let tensor = self.backend.tensor(rows, columns, "self-test")?;
        self.buffers.push(tensor.buffer);
        self.backend.write_tensor(tensor, values)?;
        Ok(tensor)
    }

    fn words(&mut self, values: &[u32]) -> Result<Words> {
        let words = self.backend.words_from(values, "self-test")?;
        self.buffers.push(words.buffer);
        Ok(words)
    }

    /// A place for a result, filled with what a kernel that does nothing would leave behind: a wrong value.
    fn expect(&mut self, kernel: &'static str, rows: usize, columns: usize, expected: &[f32]) -> Result<Tensor> {
        let out = self.tensor(rows, columns, &vec![-77.0; rows * columns])?;
        self.cases.push(Case { kernel, out, expected: expected.to_vec() });
        Ok(out)
    }

    fn push(&mut self, op: impl Into<Op>) -> Result<()> {
        self.recording.push(op)
    }

    fn record(&mut self) -> Result<()> {
        self.products()?;
        self.batch()?;
        self.outputs()?;
        self.curve()?;
        self.sums()?;
        self.step()
    }

    /// `[[1, 2], [3, 4], [5, 6]] [[0.5, -1], [2, 4]]`, with either factor stored as it is or transposed, and a bias.
    fn products(&mut self) -> Result<()> {
        let a = self.tensor(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
        let a_transposed = self.tensor(2, 3, &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0])?;
        let b = self.tensor(2, 2, &[0.5, -1.0, 2.0, 4.0])?;
        let b_transposed = self.tensor(2, 2, &[0.5, 2.0, -1.0, 4.0])?;
        let bias = self.tensor(1, 2, &[-2.0, 10.0])?;
        let plain = [4.5, 7.0, 9.5, 13.0, 14.5, 19.0];
        let affine = [2.5, 17.0, 7.5, 23.0, 12.5, 29.0];
        for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
            let bias = (!transpose_a).then_some(bias);
            let out = self.expect("matmul", 3, 2, if bias.is_some() { &affine } else { &plain })?;
            let a = if transpose_a { a_transposed } else { a };
            let b = if transpose_b { b_transposed } else { b };
            self.push(Matmul { a, transpose_a, b, transpose_b, bias, out })?;
        }
        Ok(())
    }

    /// Two of three images of four bytes: as with MNIST's, whole words.
    fn batch(&mut self) -> Result<()> {
        let pixels = [51, 102, 153, 204, 255, 1, 2, 3, 10, 20, 30, 40];
        let images = self.backend.bytes_from(&pixels, 4, "self-test")?;
        self.buffers.push(images.buffer);
        let labels = self.backend.bytes_from(&[7, 8, 9], 1, "self-test")?;
        self.buffers.push(labels.buffer);
        let (indices, cursor) = (self.words(&[0, 0, 2, 0])?, self.words(&[1])?);
        let expected = [10.0, 20.0, 30.0, 40.0, 51.0, 102.0, 153.0, 204.0].map(|byte: f32| byte / 255.0);
        let inputs = self.expect("gather", 2, 4, &expected)?;
        let targets = self.words(&[0; 2])?;
        self.push(Gather { images, labels, indices, cursor, inputs, targets })
    }

    /// Softmax, cross entropy and sigmoid of known values.
    fn outputs(&mut self) -> Result<()> {
        let logits = self.tensor(2, 3, &[0.3, 2.9, 4.0, 1010.0, 1000.0, 990.0])?;
        let probabilities = [0.018_211_27, 0.245_191_8, 0.736_596_9, 0.999_954_6, 4.539_8e-5, 2.061_1e-9];
        let y = self.expect("softmax", 2, 3, &probabilities)?;
        self.push(Softmax { x: logits, logarithm: false, out: y })?;
        let targets = Targets::Classes(self.words(&[2, 0])?);
        let out = self.expect("cross_entropy", 2, 1, &[0.305_714_5, 4.539_9e-5])?;
        self.push(CrossEntropy { y, logarithm: false, targets, epsilon: 1e-7, out })?;
        let x = self.tensor(1, 5, &[-20.0, -1.0, 0.0, 1.0, 20.0])?;
        let out = self.expect("activate", 1, 5, &[2.061_2e-9, 0.268_941_4, 0.5, 0.731_058_6, 1.0])?;
        self.push(Activate { activation: Activation::Sigmoid, x, out })
    }

    /// The quotient of a sigmoid unit at 0, whose slope is 1/4, in front of two classes: `sum_k (y_k - t_k) w_k / 4`.
    fn curve(&mut self) -> Result<()> {
        let layer = ProbedLayer {
            activation: Activation::Sigmoid,
            pre_activations: self.tensor(1, 1, &[0.0])?,
            next: Some(self.tensor(1, 2, &[1.0, -1.0])?),
            y: self.tensor(1, 2, &[0.25, 0.75])?,
            targets: self.words(&[0])?,
            output: OutputLoss::CrossEntropy { epsilon: 1e-7 },
            step_size: 1e-4,
        };
        let coefficients = self.expect("probe_curve", 1, 1, &[-0.375])?;
        let errors = self.tensor(1, 1, &[0.0])?;
        self.push(ProbeCurve { layer, range: None, nodes: 1, tolerance: 1e-6, coefficients, errors })
    }

    /// Sums and a mean that are whole numbers.
    fn sums(&mut self) -> Result<()> {
        let x = self.tensor(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 60.0])?;
        let out = self.expect("column_sums", 1, 2, &[9.0, 66.0])?;
        self.push(ColumnSums { x, out })?;
        let x = self.tensor(3, 1, &[1.0, 2.0, 6.0])?;
        let cursor = self.words(&[0])?;
        let out = self.expect("mean", 1, 1, &[3.0])?;
        self.push(Mean { x, out, cursor })
    }

    /// One step of gradient descent.
    fn step(&mut self) -> Result<()> {
        let parameters = self.tensor(1, 4, &[1.0, -2.0, 0.25, 3.0])?;
        let gradient = self.tensor(1, 4, &[0.5, 1.0, -10.0, 2.0])?;
        let step = self.words(&[0])?;
        self.cases.push(Case { kernel: "update", out: parameters, expected: vec![0.95, -2.1, 1.25, 2.8] });
        self.push(Update { rule: Rule::Sgd, learning_rate: 0.1, parameters, gradient, state: None, step })
    }

    fn run(&mut self) -> Result<()> {
        self.backend.run_once(&self.recording)?;
        let reads: Vec<_> =
            self.cases.iter().map(|case| self.backend.begin_read(case.out.span())).collect::<Result<_>>()?;
        for (case, read) in self.cases.iter().zip(reads) {
            let results: Vec<f32> = bytemuck::cast_vec(self.backend.finish_read(read)?);
            for (&got, &expected) in results.iter().zip(&case.expected) {
                let close = (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
                if !close {
                    let device = self.backend.info().name.clone();
                    return Err(Error::SelfTest { device, kernel: case.kernel, got, expected });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::silent::Silent;

    #[test]
    fn a_sound_device_passes() {
        self_test(&mut Silent::without("")).expect("the native path computes rightly");
    }

    #[test]
    fn a_kernel_that_does_nothing_is_found_by_its_name() {
        for kernel in
            ["gather", "matmul", "activate", "softmax", "cross_entropy", "probe_curve", "column_sums", "mean", "update"]
        {
            match self_test(&mut Silent::without(kernel)) {
                Err(Error::SelfTest { kernel: found, .. }) => assert_eq!(found, kernel),
                other => panic!("{kernel}: {other:?}"),
            }
        }
    }

    #[test]
    fn zeros_are_found_and_told() {
        let message = self_test(&mut Silent::zeros()).expect_err("zeros are wrong").to_string();
        assert!(message.ends_with("computes matmul wrongly (got 0, expected 2.5)"), "{message}");
    }
}
