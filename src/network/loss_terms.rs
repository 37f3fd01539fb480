//! The losses of one sample, term by term, in float64: what a person checks a kernel with.

use super::Loss;

/// `softmax(a)_k = exp(a_k) / sum_m exp(a_m)`, without overflow for any finite logits.
#[must_use]
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// The logarithm of the softmax, finite for any finite logits.
#[must_use]
pub fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln();
    logits.iter().map(|logit| logit - largest - sum).collect()
}

/// What each output adds to the loss of a sample: `-t_k ln(y_k + epsilon)`, or `(y_k - t_k)^2 / 2`.
///
/// A term of the cross entropy whose `t_k` is 0 is 0, even where its logarithm is not finite.
#[must_use]
pub fn loss_terms(loss: Loss, outputs: &[f64], targets: &[f64], epsilon: f64) -> Vec<f64> {
    let term = |(&y, &t): (&f64, &f64)| match loss {
        Loss::CrossEntropy if t == 0.0 => 0.0,
        // Not -0, which nobody wants to read.
        Loss::CrossEntropy => 0.0 - t * (y + epsilon).ln(),
        Loss::SumOfSquares => 0.5 * (y - t).powi(2),
    };
    outputs.iter().zip(targets).map(term).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_add_up_to_known_values() {
        let y = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0];
        let mut t = [0.0; 10];
        t[2] = 1.0;
        let sum = |loss| loss_terms(loss, &y, &t, 1e-7).iter().sum::<f64>();
        assert!((sum(Loss::SumOfSquares) - 0.0975).abs() < 1e-15);
        assert!((sum(Loss::CrossEntropy) - 0.510_825_457_099_338).abs() < 1e-15);
        // 0 times minus infinity is no term.
        assert_eq!(loss_terms(Loss::CrossEntropy, &[0.0, 1.0], &[0.0, 1.0], 0.0), [0.0, 0.0]);
        assert_eq!(loss_terms(Loss::CrossEntropy, &[0.0], &[1.0], 0.0), [f64::INFINITY]);
    }

    #[test]
    fn softmax_does_not_overflow() {
        let y = softmax(&[1010.0, 1000.0, 990.0]);
        for (got, expected) in y.iter().zip([0.999_954_600_070_331, 4.539_786_860_886_666e-5, 2.061_060_046_209_062e-9])
        {
            assert!((got / expected - 1.0).abs() < 1e-12, "{got}, {expected}");
        }
        assert!(log_softmax(&[1e4, 0.0])[1] == -1e4);
    }
}
