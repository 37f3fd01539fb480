//! What the tiles of each family of kernels are measured by: the shapes of the work.

use super::Suite;
use super::case::{Case, Prepared, Work};
use super::draw::{Draw, targets};
use super::kernels::{Kind, product};
use super::probes::{CLASSES, STEP_SIZE, check, deep, layer};
use super::reference::{ULP, cross_entropy, hold, row, sigmoid};
use crate::backend::gpu::Family;
use crate::backend::{Backend, MovedAffine, ProbeSingle, Recording};

/// Of everything that is drawn.
const SEED: u64 = 1;

/// Forward, and the weights' gradients: 784-50-10 with batches of 100.
const SMALL: [([usize; 3], Kind); 4] = [
    ([100, 784, 50], Kind::Forward),
    ([784, 100, 50], Kind::WeightGradient),
    ([100, 50, 10], Kind::Forward),
    ([50, 100, 10], Kind::WeightGradient),
];

/// Forward, a weight's gradient, and back: 784-512-256-10 with batches of 128.
const LARGE: [([usize; 3], Kind); 3] =
    [([128, 784, 512], Kind::Forward), ([784, 128, 512], Kind::WeightGradient), ([128, 256, 512], Kind::Back)];

/// A family's kernels at the shapes of the work.
pub(super) fn cases(family: Family) -> Vec<Case> {
    let products = |shapes: &[([usize; 3], Kind)]| -> Vec<Case> {
        shapes.iter().map(|&(shape, kind)| product("matmul", shape, kind, SEED)).collect()
    };
    match family {
        Family::SmallProducts => products(&SMALL),
        Family::LargeProducts => products(&LARGE),
        Family::MovedLayers => vec![moved([10, 64], [784, 50], true), moved([10, 64], [50, 10], false)],
        // Usually nothing is listed.
        Family::SingleProbes => vec![single(0), single(2)],
        Family::DeepProbes => vec![deep(16, 512, 256, SEED), deep(64, 50, 50, SEED)],
    }
}

/// A layer of so many samples, each with so many sets of parameters; the first layer's inputs are the same for all sets.
fn moved([samples, sets]: [usize; 2], [inputs, units]: [usize; 2], shared: bool) -> Case {
    let shape = format!("{samples}x{sets}x{inputs}x{units}");
    Case::kernel(Suite::Kernels, "moved affine", shape, Work::default(), move |backend| {
        let mut draw = Draw::new(SEED);
        let rows = samples * sets;
        let (inputs_tensor, x) = draw.tensor(backend, [if shared { samples } else { rows }, inputs], 1.0)?;
        let (weight, w) = draw.tensor(backend, [inputs, units], 0.1)?;
        let (bias, b) = draw.tensor(backend, [1, units], 1.0)?;
        let (values, moved) = draw.tensor(backend, [1, sets], 1.0)?;
        // Weights, biases, and places that are in no layer.
        let places: Vec<u32> = (0..sets).map(|set| (set * 997 % (inputs * units + units + 9)) as u32).collect();
        let out = backend.tensor(rows, units, "moved layer")?;
        let mut recording = Recording::new();
        let places_words = backend.words_from(&places, "places")?;
        recording.push(MovedAffine { inputs: inputs_tensor, weight, bias, places: places_words, values, out })?;
        let check = move |backend: &mut dyn Backend| {
            let got = backend.read_tensor(out)?;
            // An odd step meets every unit, of every set.
            (0..got.len()).step_by(7).try_for_each(|index| {
                let (at, unit) = (index / units, index % units);
                let (place, value) = (places[at % sets] as usize, moved[at % sets]);
                let x = row(&x, if shared { at / sets } else { at }, inputs);
                let parameter = |here: usize, own: f32| f64::from(if here == place { value } else { own });
                let mut sum = parameter(inputs * units + unit, b[unit]);
                let mut magnitude = sum.abs();
                for (input, x) in x.iter().enumerate() {
                    let term = x * parameter(input * units + unit, w[input * units + unit]);
                    sum += term;
                    magnitude += term.abs();
                }
                // Rounding errors of a sum grow like a random walk, as in a product.
                hold(
                    backend,
                    "moved_affine",
                    got[index].into(),
                    (sum, (2.0 + (inputs as f64).sqrt()) * ULP * magnitude),
                )
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

/// Parameters of the hidden layer of 784-50-10, each probed on its own for so many listed samples of a batch of 100.
fn single(listed: usize) -> Case {
    const SAMPLES: usize = 100;
    const INPUTS: usize = 784;
    const UNITS: usize = 50;
    let shape = format!("{SAMPLES}x{INPUTS}x{UNITS}, {listed} listed");
    Case::kernel(Suite::Kernels, "probe single", shape, Work::default(), move |backend| {
        let mut draw = Draw::new(SEED);
        let (pre_activations, a) = draw.tensor(backend, [SAMPLES, UNITS], 1.0)?;
        let (next, last) = draw.tensor(backend, [UNITS, CLASSES], 0.3)?;
        let (inputs, x) = draw.tensor(backend, [SAMPLES, INPUTS], 1.0)?;
        let logits = draw.normals(SAMPLES * CLASSES, 1.0);
        let classes = targets(SAMPLES);
        let sample = |unit: usize, entry: usize| (unit * 7 + entry * 31) % SAMPLES;
        let mut list = vec![0; UNITS * SAMPLES];
        for unit in 0..UNITS {
            (0..listed).for_each(|entry| list[unit * SAMPLES + entry] = sample(unit, entry) as u32);
        }
        let layer = layer(backend, pre_activations, next, &logits, &classes)?;
        let weight_gradient = backend.tensor(INPUTS, UNITS, "weight gradient")?;
        let mut recording = Recording::new();
        recording.push(ProbeSingle {
            layer,
            inputs,
            precise: None,
            list: backend.words_from(&list, "list")?,
            counts: backend.words_from(&[listed as u32; UNITS], "counts")?,
            weight_gradient,
            bias_gradient: backend.tensor(1, UNITS, "bias gradient")?,
            one_sided: false,
        })?;
        let check = move |backend: &mut dyn Backend| {
            check(backend, "probe_single", weight_gradient, 1_000, |place| {
                let (input, unit) = (place / UNITS, place % UNITS);
                let quotient = |n: usize| {
                    let (a, base) = (f64::from(a[n * UNITS + unit]), row(&logits, n, CLASSES));
                    let loss = |s: f64| {
                        let change = sigmoid(a + s) - sigmoid(a);
                        let moved = base.iter().zip(row(&last, unit, CLASSES)).map(|(base, w)| base + change * w);
                        cross_entropy(&moved.collect::<Vec<_>>(), classes[n])
                    };
                    let h = f64::from(STEP_SIZE);
                    let s = h * f64::from(x[n * INPUTS + input]);
                    (loss(s) - loss(-s)) / (2.0 * SAMPLES as f64 * h)
                };
                (0..listed).map(|entry| quotient(sample(unit, entry))).sum()
            })
        };
        Ok(Prepared { recording, check: Box::new(check) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::backend::{BufferId, Matmul, Op, Tensor};

    #[test]
    fn shapes_are_of_their_family() {
        let product = |[m, k, n]: [usize; 3]| {
            let tensor = |rows, columns| Tensor { buffer: BufferId(0), offset: 0, rows, columns };
            let (a, b, out) = (tensor(m, k), tensor(k, n), tensor(m, n));
            Op::from(Matmul { a, transpose_a: false, b, transpose_b: false, bias: None, out })
        };
        for (family, shapes) in [(Family::SmallProducts, SMALL.as_slice()), (Family::LargeProducts, &LARGE)] {
            for &(shape, _) in shapes {
                assert_eq!(Family::of(&product(shape)), Some(family), "{shape:?}");
            }
        }
    }

    /// The native path passes every check, and without the kernel fails it.
    #[test]
    fn references_agree_with_the_native_path_and_see_a_missing_kernel() {
        use super::super::timing::Stopwatch;
        use crate::Error;
        use crate::backend::silent::Silent;
        use std::time::Duration;
        let never = || false;
        let watch = Stopwatch { budget: Duration::ZERO, sample: Duration::ZERO, least: 1, stop: &never };
        for (family, kernel) in [
            (Family::SmallProducts, "matmul"),
            (Family::LargeProducts, "matmul"),
            (Family::MovedLayers, "moved_affine"),
            (Family::SingleProbes, "probe_single"),
            (Family::DeepProbes, "probe_difference"),
        ] {
            for case in cases(family) {
                let label = case.label();
                case.time(&mut CpuBackend::new(Some(1)), &watch).expect(&label);
                let without = case.time(&mut Silent::without(kernel), &watch);
                // A probe of nothing leaves the zeros that are there.
                match without {
                    Err(Error::SelfTest { .. }) => {}
                    other => assert!(other.is_ok() && label.ends_with("0 listed"), "{label}: {other:?}"),
                }
            }
        }
    }
}
