//! The engine and its own kernels on every adapter of this machine, against float64 on the host.

use std::time::Instant;

use super::{DeviceClass, GpuBackend, Tiles, program};
use crate::Error;
use crate::backend::tensor::{BufferId, Span};
use crate::backend::{
    Activate, Advance, Backend, CrossEntropy, Fill, Gather, LossGradient, Matmul, Mean, MultiplyAdd, OneHot, Op,
    OpenOptions, Recording, Softmax, Targets, Tensor, Words,
};
use crate::device::{AdapterSummary, adapters};
use crate::network::{Activation, OutputLoss};

/// Every adapter; a machine without any passes, unless `GPU_TRAIN_REQUIRE_ADAPTER` says that it must have one.
fn every_adapter() -> Vec<(AdapterSummary, wgpu::Adapter)> {
    let adapters = adapters();
    if adapters.is_empty() {
        let required = std::env::var("GPU_TRAIN_REQUIRE_ADAPTER").is_ok_and(|value| value == "1");
        assert!(!required, "no adapter was found, and GPU_TRAIN_REQUIRE_ADAPTER asks for one");
        eprintln!("no adapter was found: the engine is not tested");
    }
    adapters
}

/// Does `test` on every adapter, with the shaders' checks and without.
fn on_every_adapter(test: impl Fn(&str, &mut GpuBackend)) {
    on_every_adapter_with(None, test);
}

/// The same with the tiles of a class, whatever the adapter.
fn on_every_adapter_with(class: Option<DeviceClass>, test: impl Fn(&str, &mut GpuBackend)) {
    for (summary, adapter) in &every_adapter() {
        for checks in [true, false] {
            let tiles = class.map(Tiles::of);
            let options = OpenOptions { shader_checks: checks, tiles, ..OpenOptions::default() };
            let name = format!("{} ({}, checks {checks})", summary.info.name, summary.info.backend);
            let mut backend = GpuBackend::open(adapter, summary, options).expect(&name);
            test(&name, &mut backend);
        }
    }
}

/// Numbers in -1..1 that look random, the same every time.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let hash = |index: usize| (index as u32 ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    let mix = |x: u32| (x ^ (x >> 15)).wrapping_mul(0xc2b2_ae35);
    (0..len).map(|index| (mix(hash(index)) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// The product in float64, and for each element the sum of the terms' sizes, which bounds its rounding.
fn product(a: &[f32], b: &[f32], bias: Option<&[f32]>, [m, k, n]: [usize; 3]) -> Vec<(f64, f64)> {
    let mut out = vec![(0.0, 0.0); m * n];
    for row in 0..m {
        let results = &mut out[row * n..(row + 1) * n];
        if let Some(bias) = bias {
            results.iter_mut().zip(bias).for_each(|(out, &bias)| *out = (bias.into(), bias.abs().into()));
        }
        for term in 0..k {
            let factor = f64::from(a[row * k + term]);
            for (out, &b) in results.iter_mut().zip(&b[term * n..(term + 1) * n]) {
                let product = factor * f64::from(b);
                *out = (out.0 + product, out.1 + product.abs());
            }
        }
    }
    out
}

fn check_products(name: &str, backend: &mut GpuBackend, shape: [usize; 3]) {
    check_products_of_runs(name, backend, shape, 1);
}

/// Holds products to float64 after so many runs of their program.
fn check_products_of_runs(name: &str, backend: &mut GpuBackend, [m, k, n]: [usize; 3], runs: usize) {
    let backend: &mut dyn Backend = backend;
    let (a, b, bias) = (noise(m * k, 1), noise(k * n, 2), noise(n, 3));
    let mut made = Vec::new();
    for (transpose_a, transpose_b, with_bias) in
        [(false, false, true), (true, false, false), (false, true, false), (true, true, true)]
    {
        let mut place = |values: Vec<f32>, rows, columns| {
            let tensor = backend.tensor_from(&values, rows, columns, "factor").expect(name);
            made.push(tensor.buffer);
            tensor
        };
        let stored_a = if transpose_a { place(transposed(&a, m, k), k, m) } else { place(a.clone(), m, k) };
        let stored_b = if transpose_b { place(transposed(&b, k, n), n, k) } else { place(b.clone(), k, n) };
        let stored_bias = with_bias.then(|| place(bias.clone(), 1, n));
        let out = place(vec![f32::NAN; m * n], m, n);
        let mut recording = Recording::new();
        let op = Matmul { a: stored_a, transpose_a, b: stored_b, transpose_b, bias: stored_bias, out };
        recording.push(op).expect(name);
        let program = backend.prepare(&recording).expect(name);
        backend.run(program, runs).expect(name);
        backend.discard(program);
        let results = backend.read_tensor(out).expect(name);
        let expected = product(&a, &b, with_bias.then_some(&bias), [m, k, n]);
        for (index, (&got, &(expected, scale))) in results.iter().zip(&expected).enumerate() {
            // A sum of k rounded terms: within k/2 steps of rounding at worst, about their root in practice.
            let tolerance = scale * f64::from(f32::EPSILON) * (2.0 + (k as f64).sqrt());
            let error = (f64::from(got) - expected).abs();
            assert!(
                error <= tolerance,
                "{name}: [{m}, {k}, {n}] {transpose_a} {transpose_b}: element {index}: got {got}, expected {expected}, \
                 tolerance {tolerance}"
            );
        }
    }
    made.into_iter().for_each(|buffer| backend.free(buffer));
}

#[test]
fn products_of_odd_sizes() {
    on_every_adapter(|name, backend| {
        for shape in [
            [1, 1, 1],
            [7, 31, 33],
            [33, 7, 1],
            [1, 257, 101],
            [101, 33, 257],
            [257, 101, 31],
            [100, 784, 50],
            [784, 100, 50],
            [100, 50, 10],
            [64, 64, 64],
            [128, 4, 192],
        ] {
            check_products(name, backend, shape);
        }
    });
}

#[test]
fn products_of_long_sums() {
    on_every_adapter(|name, backend| check_products(name, backend, [3, 70_001, 5]));
}

#[test]
fn products_of_many_tiles() {
    on_every_adapter(|name, backend| check_products(name, backend, [1_000, 40, 520]));
}

/// Kernels that are worth their compilation only then are as right as those before them.
#[test]
fn products_of_programs_that_run_often() {
    on_every_adapter(|name, backend| {
        for shape in [[100, 784, 50], [784, 100, 50], [131, 256, 65]] {
            check_products_of_runs(&format!("{name}, often"), backend, shape, program::FEW + 1);
        }
    });
}

/// A product and its activation in one dispatch, in every form that GPUs have for it, are what they are one by one.
#[test]
fn layers_in_one() {
    on_every_adapter_with(Some(DeviceClass::Gpu), |name, backend| {
        let backend: &mut dyn Backend = backend;
        // Long sums, small tiles and wide ones.
        for [m, k, n] in [[37, 200, 21], [33, 31, 7], [515, 21, 1_030]] {
            let a = backend.tensor_from(&noise(m * k, 1), m, k, "a").expect(name);
            let b = backend.tensor_from(&noise(k * n, 2), k, n, "b").expect(name);
            let bias = backend.tensor_from(&noise(n, 3), 1, n, "bias").expect(name);
            let [x, out, alone, apart] = [0; 4].map(|_| backend.tensor(m, n, "results").expect(name));
            for activation in Activation::ALL {
                let what = format!("{name}: [{m}, {k}, {n}], {activation:?}");
                let product = |out| Matmul { a, transpose_a: false, b, transpose_b: false, bias: Some(bias), out };
                let mut run = |ops: Vec<Op>| {
                    let mut recording = Recording::new();
                    ops.into_iter().try_for_each(|op| recording.push(op))?;
                    backend.run_once(&recording)
                };
                run(vec![product(x).into(), Activate { activation, x, out }.into()]).expect(&what);
                run(vec![product(alone).into()]).expect(&what);
                run(vec![Activate { activation, x: alone, out: apart }.into()]).expect(&what);
                let mut read = |tensor| backend.read_tensor(tensor).expect(&what);
                let (x, out, alone, apart) = (read(x), read(out), read(alone), read(apart));
                assert!(!differ(&x, &alone), "{what}: products differ");
                assert!(!differ(&out, &apart), "{what}: activations differ");
                // The control: what is compared is not the same everywhere.
                assert_eq!(differ(&out, &x), activation != Activation::Identity, "{what}");
                assert!(differ(&x, &x.iter().map(|value| 1.001 * value).collect::<Vec<_>>()), "{what}");
            }
            [a, b, bias, x, out, alone, apart].into_iter().for_each(|tensor| backend.free(tensor.buffer));
        }
    });
}

/// Where the end of a forward pass goes: probabilities, losses, their mean, and the gradient by the logits.
fn head_of(
    backend: &mut dyn Backend,
    logits: &[f32],
    classes: usize,
    targets: Words,
    epsilon: f32,
) -> Result<([Tensor; 4], Vec<Op>), Error> {
    let rows = logits.len() / classes;
    let x = backend.tensor_from(logits, rows, classes, "logits")?;
    let y = backend.tensor(rows, classes, "probabilities")?;
    let losses = backend.tensor(rows, 1, "losses")?;
    let mean = backend.tensor(1, 1, "mean")?;
    let deltas = backend.tensor(rows, classes, "deltas")?;
    let cursor = backend.words(1, "cursor")?;
    let output = OutputLoss::CrossEntropy { epsilon };
    let ops = vec![
        Softmax { x, logarithm: false, out: y }.into(),
        CrossEntropy { y, logarithm: false, targets: Targets::Classes(targets), epsilon, out: losses }.into(),
        Mean { x: losses, out: mean, cursor }.into(),
        LossGradient { output, y, targets, out: deltas }.into(),
    ];
    Ok(([y, losses, mean, deltas], ops))
}

/// Runs them with so many operations a recording, and reads the results.
fn results_of_head(
    backend: &mut dyn Backend,
    (results, ops): ([Tensor; 4], Vec<Op>),
    together: usize,
) -> Result<Vec<Vec<f32>>, Error> {
    for ops in ops.chunks(together) {
        let mut recording = Recording::new();
        for op in ops {
            recording.push(op.clone())?;
        }
        backend.run_once(&recording)?;
    }
    results.into_iter().map(|tensor| backend.read_tensor(tensor)).collect()
}

/// Where two results differ by more than the roundings that a compiler may change when it sees more of a computation.
fn differ(one: &[f32], other: &[f32]) -> bool {
    let same = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 4.0 * f32::EPSILON * b.abs();
    !one.iter().zip(other).all(|(&a, &b)| same(a, b))
}

/// Softmax, cross entropy and the gradient in one dispatch are what they are one by one, and so are the first two alone. Classes
/// on both sides of the most that an invocation does, a class that does not exist, and logits that are not numbers.
#[test]
fn the_end_of_a_forward_pass_in_one() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        for (rows, classes) in [(1, 1), (7, 10), (100, 10), (131, 33), (5, 1_024), (3, 1_025)] {
            for (reach, epsilon) in [(3.0, 1e-7), (200.0, 1e-7), (3.0, 0.01)] {
                let what = format!("{name}: [{rows}, {classes}], logits to {reach}, epsilon {epsilon}");
                let mut logits: Vec<f32> = noise(rows * classes, 7).iter().map(|value| reach * value).collect();
                let mut classes_of: Vec<u32> = (0..rows).map(|row| (row * 7 % classes) as u32).collect();
                let is_control = rows == 100 && reach == 3.0;
                if rows > 2 && !is_control {
                    classes_of[1] = classes as u32;
                    logits[2 * classes + classes / 2] = f32::NAN;
                }
                let targets = backend.words_from(&classes_of, "targets").expect(&what);
                let mut of = |factor: f32, epsilon: f32, together: usize| {
                    let logits: Vec<f32> = logits.iter().map(|value| factor * value).collect();
                    let head = head_of(backend, &logits, classes, targets, epsilon)?;
                    results_of_head(backend, head, together)
                };
                let expected = of(1.0, epsilon, 1).expect(&what);
                for together in [4, 2] {
                    let got = of(1.0, epsilon, together).expect(&what);
                    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                        assert!(
                            !differ(got, expected),
                            "{what}: {together} in one, result {index}: {got:?}, not {expected:?}"
                        );
                    }
                }
                // The control: other logits and another epsilon are seen in every result.
                if is_control {
                    let other = of(1.001, 2.0 * epsilon + 1e-5, 4).expect(&what);
                    for (index, (other, expected)) in other.iter().zip(&expected).enumerate() {
                        assert!(differ(other, expected), "{what}: result {index} could be anything");
                    }
                }
            }
        }
    });
}

#[test]
fn mini_batches_come_out_of_bytes() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        for features in [1, 3, 4, 7, 784] {
            let (samples, batch, batches) = (300, 33, 3);
            let pixels: Vec<u8> = (0..samples * features).map(|index| (index * 7 + index / 256) as u8).collect();
            let marks: Vec<u8> = (0..samples).map(|index| (index * 3) as u8).collect();
            let rows: Vec<u32> = (0..batch * batches).map(|index| (index * 37 % samples) as u32).collect();
            let images = backend.bytes_from(&pixels, features, "images").expect(name);
            let labels = backend.bytes_from(&marks, 1, "labels").expect(name);
            let indices = backend.words_from(&rows, "indices").expect(name);
            let cursor = backend.words(1, "cursor").expect(name);
            let step = backend.words_from(&[41], "steps done").expect(name);
            let inputs = backend.tensor(batch, features, "inputs").expect(name);
            let targets = backend.words(batch, "targets").expect(name);
            let mut recording = Recording::new();
            recording.push(Gather { images, labels, indices, cursor, inputs, targets }).expect(name);
            recording.push(Advance { cursor, step }).expect(name);
            let program = backend.prepare(&recording).expect(name);
            // Beyond the last batch it is the last one that is read.
            for times in 1..=batches + 1 {
                backend.run(program, 1).expect(name);
                let first = (times.min(batches) - 1) * batch;
                let drawn = &rows[first..first + batch];
                let expected: Vec<f32> = drawn
                    .iter()
                    .flat_map(|&row| &pixels[row as usize * features..(row as usize + 1) * features])
                    .map(|&byte| f32::from(byte) / 255.0)
                    .collect();
                let got = backend.read_tensor(inputs).expect(name);
                for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    // WGSL lets a division be 2.5 units of the last place off.
                    let tolerance = 2.5 * f32::EPSILON * expected;
                    assert!((got - expected).abs() <= tolerance, "{name}: {features}: {index}: {got}, not {expected}");
                }
                let expected: Vec<u32> = drawn.iter().map(|&row| marks[row as usize].into()).collect();
                assert_eq!(backend.read_words(targets).expect(name), expected, "{name}");
                assert_eq!(backend.read_words(cursor).expect(name), [times as u32], "{name}");
                assert_eq!(backend.read_words(step).expect(name), [41 + times as u32], "{name}");
            }
        }
    });
}

#[test]
fn one_hot_rows_and_constants() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        let targets = backend.words_from(&[2, 0, 9, 1], "targets").expect(name);
        let out = backend.tensor(4, 3, "one-hot").expect(name);
        // Large enough for a grid in two dimensions.
        let large = backend.tensor(65_536, 65, "constants").expect(name);
        let mut recording = Recording::new();
        recording.push(OneHot { targets, out }).expect(name);
        recording.push(Fill { value: -0.75, out: large }).expect(name);
        backend.run_once(&recording).expect(name);
        let expected = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        assert_eq!(backend.read_tensor(out).expect(name), expected, "{name}");
        let constants = backend.read_tensor(large).expect(name);
        assert_eq!(constants.iter().position(|&value| value != -0.75), None, "{name}");
    });
}

#[test]
fn many_runs_are_cut_into_submissions_and_keep_their_order() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        let cursor = backend.words(1, "cursor").expect(name);
        let step = backend.words(1, "steps done").expect(name);
        let mut recording = Recording::new();
        recording.push(Advance { cursor, step }).expect(name);
        let program = backend.prepare(&recording).expect(name);
        backend.run(program, 3_000).expect(name);
        let early = backend.begin_read(step.span()).expect(name);
        backend.write_words(cursor, &[7]).expect(name);
        backend.run(program, 501).expect(name);
        assert_eq!(backend.read_words(cursor).expect(name), [508], "{name}");
        assert_eq!(backend.read_words(step).expect(name), [3_501], "{name}");
        assert_eq!(backend.finish_read(early).expect(name), [3_000], "{name}");
        backend.wait().expect(name);
    });
}

/// A clock whose ticks are taken for another unit fails one of the two bounds.
#[test]
fn the_devices_clock_shows_no_more_than_the_hosts() {
    on_every_adapter(|name, backend| {
        let has_clock = backend.context.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let backend: &mut dyn Backend = backend;
        let (x, out) = (backend.tensor(64, 64, "x").expect(name), backend.tensor(64, 64, "out").expect(name));
        let (cursor, step) = (backend.words(1, "cursor").expect(name), backend.words(1, "steps").expect(name));
        let mut recording = Recording::new();
        recording.push(MultiplyAdd { x, factor: 0.5, addend: 1.0, rounds: 4_096, out }).expect(name);
        recording.push(Advance { cursor, step }).expect(name);
        let program = backend.prepare(&recording).expect(name);
        backend.run(program, 1).expect(name);
        backend.wait().expect(name);
        let begun = Instant::now();
        let shown = backend.device_seconds(program, 100).expect(name);
        let elapsed = begun.elapsed().as_secs_f64();
        assert_eq!(shown.is_some(), has_clock, "{name}: {shown:?}");
        if let Some(shown) = shown {
            // The program is nearly all that happened.
            assert!(shown <= elapsed && shown > elapsed / 50.0, "{name}: {shown} s of {elapsed} s");
            assert_eq!(backend.read_words(step).expect(name), [101], "{name}");
            assert!(backend.device_seconds(program, 3).expect(name).is_some(), "{name}");
        }
        backend.discard(program);
        assert!(backend.device_seconds(program, 1).is_err(), "{name}");
    });
}

/// Whatever the file holds, and wherever it lies, the device computes as without one.
#[test]
fn kernels_from_the_cache_are_as_good_as_compiled_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    for (index, (summary, adapter)) in every_adapter().iter().enumerate() {
        let name = &summary.info.name;
        let file = folder.path().join(index.to_string()).join("pipelines.bin");
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "no folder").expect(name);
        for (state, file) in [("cold", &file), ("warm", &file), ("damaged", &file), ("blocked", &blocked.join("x"))] {
            if state == "damaged" && file.exists() {
                let half = std::fs::read(file).expect(name);
                std::fs::write(file, &half[..half.len() / 2]).expect(name);
            }
            let opened = GpuBackend::open_with(adapter, summary, OpenOptions::default(), Some(file.clone()));
            let mut backend = opened.expect(name);
            let has_cache = backend.context.device.features().contains(wgpu::Features::PIPELINE_CACHE);
            assert_eq!(backend.pipelines.keeps(), has_cache, "{name}, {state}");
            check_products(&format!("{name}, {state}"), &mut backend, [33, 17, 29]);
        }
    }
}

#[test]
fn large_uploads_arrive_whole() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        let values: Vec<u32> = (0..5_000_003).map(|index: u32| index.wrapping_mul(2_654_435_761)).collect();
        let words = backend.words_from(&values, "words").expect(name);
        assert!(backend.read_words(words).expect(name) == values, "{name}: 20 MB do not come back as they went");
    });
}

#[test]
fn equal_work_is_compiled_and_bound_once() {
    on_every_adapter(|name, backend| {
        let out = {
            let backend: &mut dyn Backend = backend;
            backend.tensor(3, 3, "out").expect(name)
        };
        for value in [1.0, 2.0, 1.0] {
            let mut recording = Recording::new();
            recording.push(Fill { value, out }).expect(name);
            backend.prepare(&recording).expect(name);
        }
        assert_eq!(backend.pipelines.len(), 1, "{name}");
    });
}

#[test]
fn misuse_is_an_error_and_leaves_the_device_usable() {
    on_every_adapter(|name, backend| {
        let most = usize::try_from(backend.max_buffer_bytes()).expect("64 bits");
        let backend: &mut dyn Backend = backend;
        let tensor = backend.tensor_from(&[1.0; 4], 2, 2, "tensor").expect(name);
        let stranger = BufferId(u32::MAX);
        let refused = |result: Result<(), Error>| match result {
            Err(Error::Driver { .. }) => {}
            other => panic!("{name}: {other:?}"),
        };
        refused(backend.write(stranger, 0, &[0; 4]));
        refused(backend.write(tensor.buffer, 0, &[0; 64]));
        refused(backend.write(tensor.buffer, 2, &[0; 4]));
        refused(backend.begin_read(Span { buffer: tensor.buffer, start: 0, end: 64 }).map(drop));
        refused(backend.begin_read(Span { buffer: stranger, start: 0, end: 4 }).map(drop));
        let mut recording = Recording::new();
        recording.push(Fill { value: 1.0, out: Tensor { buffer: stranger, ..tensor } }).expect(name);
        refused(backend.prepare(&recording).map(drop));
        match backend.allocate(most + 4, "too much") {
            Err(Error::Limit { limit, available, needed, .. }) => {
                assert_eq!((available, needed), (most as u64, most as u64 + 4), "{name}: {limit}");
            }
            other => panic!("{name}: {other:?}"),
        }

        let mut recording = Recording::new();
        recording.push(Fill { value: 3.0, out: tensor }).expect(name);
        let program = backend.prepare(&recording).expect(name);
        backend.run(program, 1).expect(name);
        assert_eq!(backend.read_tensor(tensor).expect(name), [3.0; 4], "{name}");
        backend.free(tensor.buffer);
        refused(backend.run(program, 1));
        refused(backend.begin_read(tensor.span()).map(drop));
    });
}

#[test]
fn one_buffer_cannot_be_read_and_written_by_one_dispatch() {
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        let buffer = backend.allocate(1_024, "both").expect(name);
        let out = Tensor { buffer, offset: 64, rows: 2, columns: 2 };
        let mut recording = Recording::new();
        recording.push(OneHot { targets: Words { buffer, offset: 0, len: 2 }, out }).expect(name);
        let error = backend.prepare(&recording).expect_err(name).to_string();
        assert!(error.contains("one_hot") && error.contains("one buffer"), "{name}: {error}");
    });
}

/// A driver that stops after 65,535 trips would return a part of the loss change without a word.
#[test]
fn loops_that_are_too_long_for_software_drivers_are_refused() {
    use crate::backend::{ProbeCurve, ProbedLayer};
    use crate::network::{Activation, OutputLoss};
    on_every_adapter(|name, backend| {
        let backend: &mut dyn Backend = backend;
        let mut probe = |classes: usize| {
            let layer = ProbedLayer {
                activation: Activation::Sigmoid,
                pre_activations: backend.tensor(1, 1, "a")?,
                next: Some(backend.tensor(1, classes, "w")?),
                y: backend.tensor(1, classes, "y")?,
                targets: backend.words(1, "targets")?,
                output: OutputLoss::SoftmaxSumOfSquares,
                step_size: 0.5,
            };
            let (coefficients, errors) = (backend.tensor(8, 1, "c")?, backend.tensor(1, 1, "e")?);
            let mut recording = Recording::new();
            recording.push(ProbeCurve { layer, range: None, nodes: 8, tolerance: 1e-6, coefficients, errors })?;
            backend.run_once(&recording)
        };
        probe(2_000).expect(name);
        match probe(3_000) {
            Err(Error::Limit { limit, what, .. }) => {
                assert!(limit.contains("trips") && what == "probe_curve", "{name}: {limit}, {what}");
            }
            other => panic!("{name}: {other:?}"),
        }
    });
}

#[test]
fn a_lost_device_is_an_error_of_every_call() {
    on_every_adapter(|name, backend| {
        let tensor = {
            let backend: &mut dyn Backend = backend;
            backend.tensor_from(&[1.0; 4], 2, 2, "tensor").expect(name)
        };
        let mut recording = Recording::new();
        recording.push(Fill { value: 3.0, out: tensor }).expect(name);
        let program = backend.prepare(&recording).expect(name);
        backend.context.device.destroy();
        let told = [
            backend.run(program, 1).and_then(|()| backend.wait()),
            backend.write(tensor.buffer, 0, &[0; 16]).and_then(|()| backend.wait()),
            backend.begin_read(tensor.span()).and_then(|read| backend.finish_read(read)).map(drop),
            backend.allocate(64, "more").map(drop),
            backend.prepare(&recording).and_then(|program| backend.run(program, 1)),
        ];
        for (call, result) in told.into_iter().enumerate() {
            match result {
                Err(Error::DeviceLost { .. } | Error::Driver { .. }) => {}
                other => panic!("{name}: call {call}: {other:?}"),
            }
        }
    });
}
