//! Values that follow from the definitions alone, known beforehand, on every device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use gpu_train::Result;
use gpu_train::backend::{Backend, CrossEntropy, Op, Recording, Softmax, SumOfSquares, Targets, Tensor};
use support::devices::all;

/// Outputs whose largest stands at class 2, and at class 7.
const OUTPUTS: [f32; 20] = [
    0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0, //
    0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0,
];

/// The target of both, class 2, one-hot.
const TARGETS: [f32; 20] = [
    0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, //
    0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];

/// What float32's rounding of the inputs and of the result may cost, as a share of the value.
const ROUNDING: f64 = 1e-6;

/// Runs on every device what `record` makes, and holds the tensor that it writes to `known`.
fn demand(known: &[f64], record: impl Fn(&mut dyn Backend) -> Result<(Op, Tensor)>) {
    let mut wrong = Vec::new();
    for mut device in all() {
        let got = device.with(|backend| {
            let (op, out) = record(backend)?;
            let mut recording = Recording::new();
            recording.push(op)?;
            backend.run_once(&recording)?;
            backend.read_tensor(out)
        });
        let got = got.unwrap_or_else(|error| panic!("{}: {error}", device.name));
        assert_eq!(got.len(), known.len());
        for (index, (&got, &known)) in got.iter().zip(known).enumerate() {
            // A NaN is not within anything.
            let within = (f64::from(got) - known).abs() <= ROUNDING * known.abs();
            if !within {
                wrong.push(format!("{}: element {index}: expected {known}, got {got}", device.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Targets as class indices and as one-hot rows.
fn both_targets(backend: &mut dyn Backend, one_hot: bool) -> Result<Targets> {
    Ok(if one_hot {
        Targets::OneHot(backend.tensor_from(&TARGETS, 2, 10, "targets")?)
    } else {
        Targets::Classes(backend.words_from(&[2, 2], "targets")?)
    })
}

#[test]
fn sum_of_squares() {
    for one_hot in [false, true] {
        demand(&[0.0975, 0.5975], |backend| {
            let targets = both_targets(backend, one_hot)?;
            let (y, out) = (backend.tensor_from(&OUTPUTS, 2, 10, "y")?, backend.tensor(2, 1, "out")?);
            Ok((SumOfSquares { y, targets, out }.into(), out))
        });
    }
}

#[test]
fn cross_entropy() {
    for one_hot in [false, true] {
        demand(&[0.510_825_457_099_338, 2.302_584_092_994_546], |backend| {
            let targets = both_targets(backend, one_hot)?;
            let (y, out) = (backend.tensor_from(&OUTPUTS, 2, 10, "y")?, backend.tensor(2, 1, "out")?);
            Ok((CrossEntropy { y, logarithm: false, targets, epsilon: 1e-7, out }.into(), out))
        });
    }
}

/// A probability of 0 costs `-ln 1e-7`, and not infinitely much.
#[test]
fn cross_entropy_of_a_probability_of_0() {
    demand(&[16.118_095_650_958_32], |backend| {
        let targets = Targets::Classes(backend.words_from(&[1], "targets")?);
        let (y, out) = (backend.tensor_from(&[1.0, 0.0], 1, 2, "y")?, backend.tensor(1, 1, "out")?);
        Ok((CrossEntropy { y, logarithm: false, targets, epsilon: 1e-7, out }.into(), out))
    });
}

/// Logits of a thousand do not overflow, and small probabilities keep their digits.
#[test]
fn softmax() {
    let known = [
        0.018_211_273_295_547_53,
        0.245_191_812_935_073_92,
        0.736_596_913_769_379_4,
        0.999_954_600_070_331,
        4.539_786_860_886_666e-5,
        2.061_060_046_209_062e-9,
    ];
    demand(&known, |backend| {
        let x = backend.tensor_from(&[0.3, 2.9, 4.0, 1010.0, 1000.0, 990.0], 2, 3, "logits")?;
        let out = backend.tensor(2, 3, "out")?;
        Ok((Softmax { x, logarithm: false, out }.into(), out))
    });
}

#[test]
fn log_softmax() {
    let known = [-4.005_714_464_812_452, -1.405_714_464_812_452, -0.305_714_464_812_452];
    demand(&known, |backend| {
        let x = backend.tensor_from(&[0.3, 2.9, 4.0], 1, 3, "logits")?;
        let out = backend.tensor(1, 3, "out")?;
        Ok((Softmax { x, logarithm: true, out }.into(), out))
    });
}
