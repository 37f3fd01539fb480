//! Loss and accuracy around a network: against float64 from the definitions, on every device; and the command.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gpu_train::Error;
use gpu_train::gradient::GradientOptions;
use gpu_train::landscape::{Samples, curve, loss_derivatives, sampled_weights, scores, shares};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use serde_json::Value;
use support::draw::Draw;
use support::network::Reference;

const CROSS_ENTROPY: OutputLoss = OutputLoss::CrossEntropy { epsilon: 1e-7 };

/// Networks of every depth, activation and loss that behave differently here.
fn networks() -> Vec<Network> {
    let cases: [(&[usize], Activation, OutputLoss); 5] = [
        (&[12, 4], Activation::Sigmoid, CROSS_ENTROPY),
        (&[12, 18, 4], Activation::Sigmoid, CROSS_ENTROPY),
        (&[12, 7, 4], Activation::Relu, OutputLoss::CrossEntropy { epsilon: 0.0 }),
        (&[12, 9, 6, 4], Activation::Tanh, OutputLoss::SoftmaxSumOfSquares),
        (&[12, 9, 6, 4], Activation::Gelu, OutputLoss::SumOfSquares),
    ];
    let network = |(sizes, activation, output): (&[usize], Activation, OutputLoss)| {
        let architecture = Architecture::new(sizes.to_vec(), activation, output).unwrap();
        let mut network = Network::initialized(architecture, Initialization::He, 5);
        let mut draw = Draw::new(9);
        // Biases of 0 would hide that they are moved.
        let biases: Vec<_> = network.layout.tensors().filter(|tensor| tensor.name.ends_with("bias")).collect();
        for tensor in biases {
            network.parameters[tensor.range()].iter_mut().for_each(|bias| *bias = draw.real(0.5));
        }
        network
    };
    cases.into_iter().map(network).collect()
}

/// Images of which most pixels are 0, the last one in each; more of them than go through a network together, and no
/// whole number of 64.
fn samples(count: usize) -> (Vec<u8>, Vec<u8>) {
    let mut draw = Draw::new(3);
    let mut images = Vec::new();
    for _ in 0..count {
        let pixels = draw.pixels(11);
        images.extend(pixels.iter().map(|pixel| (pixel * 255.0) as u8).chain([0]));
    }
    let labels = draw.words(count, 4).into_iter().map(|label| label as u8).collect();
    (images, labels)
}

/// Mean loss and share of right answers in float64.
fn reference(network: &Reference, images: &[u8], labels: &[u8]) -> (f64, f64) {
    let inputs: Vec<f64> = images.iter().map(|&byte| f64::from(f32::from(byte) / 255.0)).collect();
    let targets: Vec<u32> = labels.iter().map(|&label| label.into()).collect();
    let right = inputs.chunks_exact(12).zip(&targets).filter(|(input, target)| {
        let all = network.pre_activations(input);
        let logits = &all[all.len() - 1];
        let best = (0..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
        best == **target as usize
    });
    let accuracy = right.count() as f64 / labels.len() as f64;
    (network.loss(&inputs, &targets), accuracy)
}

#[test]
fn points_of_a_plane_are_what_the_definitions_give_on_every_device() {
    let (images, labels) = samples(1_100);
    let samples = Samples { images: &images, labels: &labels };
    for mut device in support::devices::all() {
        for network in networks() {
            let mut draw = Draw::new(17);
            let mut direction = || -> Vec<f32> {
                let mut block = vec![0.0; network.layout.len()];
                for tensor in network.layout.tensors() {
                    block[tensor.range()].iter_mut().for_each(|element| *element = draw.real(1.0));
                }
                block
            };
            let directions = [direction(), direction()];
            let points = [0.0, 0.0, 0.5, 0.0, -1.0, 0.25, 0.125, -2.0, 1.5, 1.5];
            let found = device
                .with(|backend| scores(backend, &network, &directions, &points, samples, None, &mut |_| true))
                .unwrap();
            assert_eq!(found.len(), 5);
            let mut losses = Vec::new();
            for (point, score) in points.chunks(2).zip(&found) {
                let mut moved = Reference::of(&network);
                for (index, value) in moved.parameters.iter_mut().enumerate() {
                    *value += f64::from(point[0]) * f64::from(directions[0][index]);
                    *value += f64::from(point[1]) * f64::from(directions[1][index]);
                }
                let (loss, accuracy) = reference(&moved, &images, &labels);
                let place = format!("{}: {:?} at {point:?}", device.name, network.architecture);
                // Sums of a dozen terms in float32 and a mean of many losses; with moved weights as large as 3 the
                // logits are of the order of 10.
                assert!((score.loss - loss).abs() <= 1e-5 * loss.max(1.0), "{place}: loss {}, {loss}", score.loss);
                // Two logits that are equal to float32 may change their order: in 1,100 samples once, if at all.
                let off = (score.accuracy - accuracy).abs() * 1_100.0;
                assert!(off < 1.5, "{place}: accuracy {}, {accuracy}", score.accuracy);
                losses.push(loss);
            }
            // The control: the points differ by far more than the tolerance.
            assert!(losses[1..].iter().all(|loss| (loss - losses[0]).abs() > 1e-2 * losses[0]), "{losses:?}");
        }
    }
}

#[test]
fn zero_derivatives_are_counted_as_literal_differences_give_them_on_every_device() {
    let (images, labels) = samples(150);
    let samples = Samples { images: &images, labels: &labels };
    for mut device in support::devices::all() {
        for network in networks() {
            let weights = sampled_weights(&network, 60, 1);
            let total: usize = network.architecture.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
            assert_eq!(weights.len(), total.min(60));
            let mut counts = Vec::new();
            for h in [1e-4f32, 0.05, 1.0] {
                let found = device.with(|backend| {
                    let options = GradientOptions { step_size: h, ..GradientOptions::default() };
                    let derivatives = loss_derivatives(backend, &network, samples, options).unwrap();
                    shares(backend, &network, &weights, &derivatives, samples, h, None, &mut |_| true).unwrap()
                });
                let (mut zero_accuracy, mut zero_loss, mut zero_input) = (0, 0, 0);
                for &place in &weights {
                    let mut moved = Reference::of(&network);
                    moved.parameters[place] += f64::from(h);
                    let above = reference(&moved, &images, &labels);
                    moved.parameters[place] -= 2.0 * f64::from(h);
                    let below = reference(&moved, &images, &labels);
                    zero_accuracy += usize::from(above.1 == below.1);
                    zero_loss += usize::from(above.0 == below.0);
                    let layer = &network.layout.layers()[0].weight;
                    let last_input = layer.range().contains(&place) && (place - layer.offset) / layer.columns == 11;
                    zero_input += usize::from(last_input);
                }
                let place = format!("{}: {:?}, h = {h}", device.name, network.architecture);
                assert_eq!(found.weights, weights.len(), "{place}");
                // A logit that ties with another to float32 may fall on either side.
                assert!(found.zero_accuracy.abs_diff(zero_accuracy) <= 1, "{place}: {found:?}, {zero_accuracy}");
                if network.architecture.activation != Activation::Relu {
                    // A ReLU may keep an input at 0 in every sample, deeper in the network.
                    assert_eq!(found.zero_input, zero_input, "{place}");
                }
                // In float64 a literal difference is 0 where nothing moves, and hardly ever elsewhere.
                assert_eq!(found.zero_loss, zero_loss, "{place}");
                counts.push(found.zero_accuracy);
            }
            // What the chapter says, and the control: far steps do see the staircase.
            assert!(counts[0] * 10 > weights.len() * 9 && counts[2] * 2 < weights.len(), "{counts:?}");
        }
    }
}

#[test]
fn a_curve_and_its_derivatives_are_what_the_definitions_give() {
    let (images, labels) = samples(300);
    let samples = Samples { images: &images, labels: &labels };
    let h = 0.01f32;
    let shifts = [-2.0, -0.3, 0.0, 0.7, 1.9];
    for mut device in support::devices::all() {
        for network in networks() {
            let tensors: Vec<_> = network.layout.tensors().collect();
            for tensor in [&tensors[0], &tensors[tensors.len() - 1]] {
                let place = tensor.offset + tensor.range().len() / 2;
                let found = device
                    .with(|backend| curve(backend, &network, place, &shifts, samples, h, None, &mut |_| true))
                    .unwrap();
                let at = |shift: f64| {
                    let mut moved = Reference::of(&network);
                    moved.parameters[place] += shift;
                    reference(&moved, &images, &labels)
                };
                for (point, shift) in found.iter().zip(shifts) {
                    let name = format!("{}: {:?}, {} at {shift}", device.name, network.architecture, tensor.name);
                    let ((above, right), (below, wrong)) = (at(shift + f64::from(h)), at(shift - f64::from(h)));
                    let (loss, accuracy) = at(shift);
                    assert_eq!(point.shift, shift);
                    // Float32 sums of a dozen terms.
                    assert!((point.loss - loss).abs() <= 1e-5 * loss.max(1.0), "{name}: {} and {loss}", point.loss);
                    assert!((point.accuracy - accuracy).abs() * 300.0 < 1.5, "{name}");
                    // Differences of float64 losses near 2 over 0.02.
                    let slope = (above - below) / (2.0 * f64::from(h));
                    assert!(
                        (point.loss_derivative - slope).abs() < 1e-11,
                        "{name}: {} and {slope}",
                        point.loss_derivative
                    );
                    let jump = (right - wrong) / (2.0 * f64::from(h));
                    // One sample on the other side of a tie, and the step that float32 took.
                    let room = 1.5 / 300.0 / 0.02 + 1e-4 * jump.abs();
                    assert!((point.accuracy_derivative - jump).abs() < room, "{name}: {point:?}, {jump}");
                }
                // The control: elsewhere the loss is another.
                assert!((found[0].loss - found[4].loss).abs() > 1e-4, "{found:?}");
            }
        }
    }
}

#[test]
fn a_small_budget_changes_how_the_work_is_cut_and_not_what_is_found() {
    let (images, labels) = samples(300);
    let samples = Samples { images: &images, labels: &labels };
    let network = networks().remove(3);
    let direction: Vec<f32> = (0..network.layout.len()).map(|place| (place as f32).sin()).collect();
    let points: Vec<f32> = (0..20).map(|point| point as f32 / 10.0 - 1.0).collect();
    let weights = sampled_weights(&network, 30, 1);
    for mut device in support::devices::all() {
        // How often the work is seen to go on says how many parts there are.
        let mut found = [None, Some(100_000), Some(1)].map(|memory| {
            let mut parts = 0;
            let mut watch = |_| {
                parts += 1;
                true
            };
            let (scores, shares) = device.with(|backend| {
                let line = std::slice::from_ref(&direction);
                let scores = scores(backend, &network, line, &points, samples, memory, &mut watch).unwrap();
                (scores, shares(backend, &network, &weights, &[], samples, 0.5, memory, &mut watch).unwrap())
            });
            (parts, scores, shares)
        });
        let (few, expected, shares) = found[0].clone();
        let mut parts = vec![few];
        for (more, scores, again) in found.iter_mut().skip(1) {
            parts.push(*more);
            assert_eq!(*again, shares);
            for (found, expected) in scores.iter().zip(&expected) {
                // The same float32 losses, summed in float64 in another order.
                let off = (found.loss - expected.loss).abs();
                assert!(off < 1e-6 && found.accuracy == expected.accuracy, "{found:?}, {expected:?}");
            }
        }
        assert!(parts[0] < parts[1] && parts[1] < parts[2], "{parts:?}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_whoever_watches_can_stop() {
    let (images, labels) = samples(70);
    let network = networks().remove(1);
    let fits = Samples { images: &images, labels: &labels };
    let direction = vec![vec![1.0; network.layout.len()]];
    let mut device = support::devices::cpu(1);
    let backend = device.backend.as_mut();
    let mut ask = |directions: &[Vec<f32>], points: &[f32], samples: Samples<'_>, go_on: bool| {
        scores(backend, &network, directions, points, samples, None, &mut |_| go_on)
    };
    assert!(ask(&direction, &[0.0], fits, true).is_ok());
    assert!(matches!(ask(&direction, &[0.0], fits, false), Err(Error::Interrupted)));
    assert!(matches!(ask(&[], &[], fits, true), Err(Error::Config { .. })));
    assert!(matches!(ask(&[vec![0.0; 3]], &[0.0], fits, true), Err(Error::Config { .. })));
    let short = Samples { images: &images[1..], labels: &labels };
    assert!(matches!(ask(&direction, &[0.0], short, true), Err(Error::Config { .. })));
    let beyond = vec![4; 70];
    let beyond = Samples { images: &images, labels: &beyond };
    assert!(matches!(ask(&direction, &[0.0], beyond, true), Err(Error::Config { .. })));
    let bias = network.layout.layers()[0].bias.offset;
    let found = shares(backend, &network, &[bias], &[], fits, 1e-4, None, &mut |_| true);
    assert!(matches!(found, Err(Error::Config { .. })), "a bias is no weight");
    let found = curve(backend, &network, usize::MAX, &[0.0], fits, 1e-4, None, &mut |_| true);
    assert!(matches!(found, Err(Error::Config { .. })));
    // Where float32 has no two numbers a step apart.
    for (shift, h, is_lost) in [(1_000.0, 1e-4, false), (1e4, 1e-4, true), (1e4, 1.0, false), (1e38, 1.0, true)] {
        let found = curve(backend, &network, 0, &[0.0, shift], fits, h, None, &mut |_| true);
        assert_eq!(matches!(found, Err(Error::Config { .. })), is_lost, "{shift} by {h}");
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gpu-train"));
    command.args(arguments).stdin(Stdio::null()).env_remove("GPU_TRAIN_DATA_DIR").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A network trained for so many steps, saved in a folder.
fn trained(folder: &Path, name: &str, steps: &str, data: &[&str]) -> String {
    let model = folder.join(name).to_str().unwrap().to_string();
    let how = ["--device", "cpu", "--gradient", "backprop", "--lr", "0.5", "--init", "xavier", "--steps", steps];
    json(&[how.as_slice(), data, &["--json", "--save", &model]].concat());
    model
}

/// MNIST where it is, else the embedded digits, and that is said.
fn data() -> Vec<String> {
    let folder = std::env::var_os("GPU_TRAIN_DATA_DIR").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    if folder.join("mnist").is_dir() {
        return vec!["--dataset".into(), "mnist".into(), "--data-dir".into(), folder.to_str().unwrap().into()];
    }
    eprintln!("MNIST is not in {}: the embedded digits were looked at instead", folder.display());
    vec!["--dataset".into(), "digits".into()]
}

#[test]
fn the_accuracys_derivative_is_0_for_nearly_all_weights_and_the_losss_for_none_that_has_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let data = data();
    let data: Vec<&str> = data.iter().map(String::as_str).collect();
    let model = trained(folder.path(), "model", "3000", &data);
    let look = |more: &[&str]| json(&[&["landscape", &model, "--json", "--points", "11"], &data[..], more].concat());
    let found = look(&["--device", "cpu"]);
    let share = |found: &Value, key: &str| found[key].as_f64().unwrap();
    assert!(share(&found, "zero_accuracy_derivative_share") > 0.9, "{found}");
    assert_eq!(found["zero_loss_derivatives_with_input"], 0, "{found}");
    assert_eq!(found["zero_loss_derivative_share"], found["zero_input_share"], "{found}");
    // The control: far steps change answers.
    let far = look(&["--device", "cpu", "--step-size", "1"]);
    assert!(share(&far, "zero_accuracy_derivative_share") < 0.8, "{far}");
    let curve = found["curve"].as_array().unwrap();
    assert_eq!((curve.len(), &curve[0]["shift"], &curve[5]["shift"]), (11, &(-2.0).into(), &0.0.into()));
    // In the middle stands the model itself.
    let evaluated = json(&[&["evaluate", &model, "--json", "--device", "cpu"], &data[..]].concat());
    assert_eq!(curve[5]["accuracy"], evaluated["accuracy"]);
    let (loss, expected) = (curve[5]["loss"].as_f64().unwrap(), evaluated["loss"].as_f64().unwrap());
    // Means of the same float32 losses, added in another order.
    assert!((loss - expected).abs() < 1e-6, "{loss} and {expected}");
}

#[test]
fn a_landscape_reports_every_key_and_the_same_seed_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained(folder.path(), "model", "60", &["--hidden", "6"]);
    let options = ["--device", "cpu", "--json", "--weights", "40", "--points", "5", "--samples", "200"];
    let look = |more: &[&str]| json(&[&["landscape", &model], &options[..], more].concat());
    let found = look(&["--plane", "random", "--grid", "5"]);
    let keys: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "command",
        "dataset",
        "split",
        "samples",
        "device",
        "step_size",
        "weights",
        "zero_accuracy_derivative_share",
        "zero_loss_derivative_share",
        "zero_input_share",
        "zero_loss_derivatives_with_input",
        "tensor",
        "index",
        "curve",
        "plane",
        "seconds",
        "seed",
    ];
    assert_eq!(keys, expected);
    let point: Vec<_> = found["curve"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(point, ["shift", "loss", "accuracy", "loss_derivative", "accuracy_derivative"]);
    assert_eq!((&found["samples"], &found["plane"]["samples"]), (&200.into(), &200.into()));
    assert_eq!(found["plane"]["loss"].as_array().unwrap().len(), 5);
    // The plane's middle is the model, as is the curve's.
    assert_eq!(found["plane"]["accuracy"][2][2], found["curve"][2]["accuracy"]);
    let again = look(&["--plane", "random", "--grid", "5", "--threads", "1"]);
    assert_eq!((&again["curve"], &again["plane"]["loss"]), (&found["curve"], &found["plane"]["loss"]));
    let other = look(&["--plane", "random", "--grid", "5", "--seed", "1"]);
    assert_ne!(other["plane"]["loss"], found["plane"]["loss"]);
    assert_eq!(other["curve"], found["curve"]);
    assert!(look(&[]).get("plane").is_none());
}

#[test]
fn a_weight_is_named_as_the_file_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained(folder.path(), "model", "60", &["--hidden", "6"]);
    let options = ["--device", "cpu", "--json", "--weights", "1", "--points", "3", "--samples", "50"];
    let look = |more: &[&str]| json(&[&["landscape", &model], &options[..], more].concat());
    let found = look(&["--tensor", "layers.1.weight", "--index", "3,2"]);
    assert_eq!(found["index"], serde_json::json!([3, 2]));
    // Row 3 of [10, 6] begins at 18.
    let by_place = look(&["--tensor", "layers.1.weight", "--index", "20"]);
    assert_eq!((&by_place["index"], &by_place["curve"]), (&found["index"], &found["curve"]));
    let bias = look(&["--tensor", "layers.1.bias", "--index", "3"]);
    assert_eq!(bias["index"], serde_json::json!([3]));
    assert_ne!(bias["curve"], found["curve"]);
    // Unnamed it is the one with the largest quotient.
    let chosen = look(&["--tensor", "layers.1.bias"]);
    let slope = |found: &Value| found["curve"][1]["loss_derivative"].as_f64().unwrap().abs();
    let all: Vec<f64> =
        (0..10).map(|unit| slope(&look(&["--tensor", "layers.1.bias", "--index", &unit.to_string()]))).collect();
    assert_eq!(slope(&chosen), all.iter().copied().fold(0.0, f64::max), "{all:?}");
}

#[test]
fn a_path_is_drawn_on_the_plane_that_it_spans() {
    let folder = tempfile::tempdir().unwrap();
    let on_the_way = folder.path().join("run");
    fs::create_dir(&on_the_way).unwrap();
    for steps in ["5", "20", "100"] {
        trained(&on_the_way, &format!("step-{steps}.safetensors"), steps, &["--hidden", "6"]);
    }
    let model = trained(folder.path(), "model", "300", &["--hidden", "6"]);
    let options = ["--device", "cpu", "--json", "--weights", "1", "--points", "2", "--samples", "100"];
    let look = |path: &str| {
        let plane = ["--plane", "path", "--path", path, "--grid", "9"];
        json(&[&["landscape", &model], &options[..], &plane].concat())
    };
    let found = look(on_the_way.to_str().unwrap());
    let plane = &found["plane"];
    let path: Vec<[f64; 2]> = serde_json::from_value(plane["path"].clone()).unwrap();
    assert_eq!((path.len(), path[3]), (4, [0.0, 0.0]));
    let far = |point: &[f64; 2]| point[0].hypot(point[1]);
    assert!(far(&path[0]) > far(&path[1]) && far(&path[1]) > far(&path[2]) && far(&path[2]) > 0.0, "{path:?}");
    let explained: [f64; 2] = serde_json::from_value(plane["explained"].clone()).unwrap();
    assert!(explained[0] > explained[1] && explained[0] + explained[1] <= 1.0 + 1e-12, "{explained:?}");
    for (axis, index) in [("x", 0), ("y", 1)] {
        let [low, high]: [f64; 2] = serde_json::from_value(plane[axis].clone()).unwrap();
        assert!(path.iter().all(|point| low < point[index] && point[index] < high), "{plane}");
    }
    // Nearer to where training began the loss is higher than at its end.
    let files: Vec<_> = ["5", "20", "100"].map(|steps| on_the_way.join(format!("step-{steps}.safetensors"))).into();
    let listed = files.iter().map(|file| file.to_str().unwrap()).collect::<Vec<_>>().join(",");
    assert_eq!(look(&listed)["plane"]["path"], plane["path"], "numbers in names count as numbers");
}

#[test]
fn a_runs_folder_is_a_path_and_the_default_of_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run").to_str().unwrap().to_string();
    trained(folder.path(), "model", "90", &["--hidden", "6", "--eval-every", "30", "--run", &run_folder]);
    let model = format!("{run_folder}/model.safetensors");
    let look = |more: &[&str]| {
        let picture = folder.path().join("plane.svg");
        let options = ["--device", "cpu", "--json", "--weights", "1", "--points", "2", "--samples", "100"];
        let plane = ["--plane", "path", "--grid", "5", "--plot", picture.to_str().unwrap()];
        json(&[&["landscape", &model], &options[..], &plane, more].concat())["plane"].clone()
    };
    let plane = look(&[]);
    let path: Vec<[f64; 2]> = serde_json::from_value(plane["path"].clone()).unwrap();
    assert_eq!((path.len(), path[3]), (4, [0.0, 0.0]), "its start, two on the way, and the model");
    let named = look(&["--path", &run_folder]);
    assert_eq!((&named["path"], &named["loss"]), (&plane["path"], &plane["loss"]));
}

#[test]
fn wrong_calls_end_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained(folder.path(), "model", "1", &["--hidden", "6"]);
    let other = trained(folder.path(), "other", "1", &["--hidden", "5"]);
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    fs::create_dir(at("nothing")).unwrap();
    let twice = format!("{model},{model}");
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &["--tensor", "layers.7.weight"], "layers.0.weight"),
        (2, &["--index", "6,0"], "[6, 784]"),
        (2, &["--index", "0,784"], "[6, 784]"),
        (2, &["--index", "4704"], "[6, 784]"),
        (2, &["--index", "1,2,3"], "no place"),
        (2, &["--tensor", "layers.1.bias", "--index", "10"], "[10]"),
        (2, &["--tensor", "layers.1.bias", "--index", "1,0"], "[10]"),
        (2, &["--index", "-1"], "no index"),
        (2, &["--span", "0"], "positive"),
        (2, &["--span", "nan"], "positive"),
        (2, &["--span", "1e38"], "a step of 0.0001 is none in float32"),
        (2, &["--step-size", "0"], "positive"),
        (2, &["--grid", "1"], "grid"),
        (2, &["--grid", "5"], "--plane"),
        (2, &["--points", "1"], "points"),
        (2, &["--samples", "0"], "samples"),
        (2, &["--weights", "0"], "weights"),
        (2, &["--plane", "flat"], "flat"),
        (2, &["--plane", "path"], "--path"),
        (2, &["--path", &model], "--plane path"),
        (2, &["--plane", "random", "--path", &model], "--plane path"),
        (2, &["--plot", "curve.pdf"], ".svg"),
        (1, &["--plot", &at("none/curve.svg")], "none/curve.svg"),
        (1, &["--plane", "path", "--path", &at("none")], "none"),
        (1, &["--plane", "path", "--path", &at("nothing")], "no .safetensors"),
        (1, &["--plane", "path", "--path", &other], "checkpoint"),
        (1, &["--plane", "path", "--path", &twice], "span a plane"),
        (1, &["--dataset", "mnist", "--data-dir", &at("nothing")], "mnist"),
    ];
    for (code, arguments, expected) in cases {
        let output = run(&[&["landscape", &model, "--device", "cpu"], *arguments].concat());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error:")).count(), 1, "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
