//! Model files: what is written, what is read, and what is refused.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use gpu_train::Error;
use gpu_train::network::{Activation, Architecture, Initialization, Loss, Network, OutputActivation, OutputLoss};
use gpu_train::train::checkpoint::{load, save};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// Every value is another one, biases too.
fn network(sizes: &[usize], output: OutputLoss) -> Network {
    let architecture = Architecture::new(sizes.to_vec(), Activation::Tanh, output).unwrap();
    let mut network = Network::initialized(architecture, Initialization::Normal(1.0), 7);
    for tensor in network.layout.tensors().collect::<Vec<_>>() {
        for (place, value) in network.parameters[tensor.range()].iter_mut().enumerate() {
            *value += place as f32;
        }
    }
    network
}

fn cross_entropy() -> OutputLoss {
    OutputLoss::new(OutputActivation::Softmax, Loss::CrossEntropy, 1e-7).unwrap()
}

#[test]
fn a_network_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let raw = OutputLoss::new(OutputActivation::Identity, Loss::SumOfSquares, 0.0).unwrap();
    let zero = OutputLoss::new(OutputActivation::Softmax, Loss::CrossEntropy, 0.0).unwrap();
    let deep: Vec<usize> = (3..15).collect();
    for (sizes, output) in [(vec![5, 4, 3], cross_entropy()), (vec![7, 2], raw), (deep, zero)] {
        let before = network(&sizes, output);
        save(&path, &before).unwrap();
        let after = load(&path).unwrap();
        assert_eq!(after.network, before, "{sizes:?}");
        assert!(after.assumed.is_empty(), "{:?}", after.assumed);
    }
}

#[test]
fn the_crate_reads_what_is_written_in_pytorchs_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let network = network(&[3, 2], cross_entropy());
    save(&path, &network).unwrap();
    let bytes = fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let expected = [
        ("format", "gpu-train"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("network", "3,2"),
        ("activation", "tanh"),
        ("output_activation", "softmax"),
        ("loss", "cross-entropy"),
        ("epsilon", "1e-7"),
        ("input_scale", "1/255"),
    ];
    assert_eq!(metadata, expected.map(|(key, value)| (key.to_string(), value.to_string())).into());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weight = file.tensor("layers.0.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, [2, 3].as_slice()));
    let block = &network.parameters[network.layout.layers()[0].weight.range()];
    // The block is [inputs, outputs]; the file [outputs, inputs].
    let transposed: Vec<u8> = [0, 2, 4, 1, 3, 5].iter().flat_map(|&place: &usize| block[place].to_le_bytes()).collect();
    assert_eq!(weight.data(), transposed);
    assert_eq!(file.tensor("layers.0.bias").unwrap().shape(), [2]);
    assert_eq!(file.len(), 2);
}

#[test]
fn the_same_network_gives_the_same_bytes_with_sorted_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&[4, 3, 2], cross_entropy());
    let files: Vec<Vec<u8>> = (0..8)
        .map(|number| {
            let path = folder.path().join(number.to_string());
            save(&path, &network).unwrap();
            fs::read(path).unwrap()
        })
        .collect();
    assert!(files.iter().all(|file| *file == files[0]));
    let length = u64::from_le_bytes(files[0][..8].try_into().unwrap()) as usize;
    assert_eq!(length % 8, 0, "tensors begin at multiples of 8 bytes");
    let header = std::str::from_utf8(&files[0][8..8 + length]).unwrap();
    let keys = ["activation", "epsilon", "format", "input_scale", "loss\"", "network", "output_activation", "version"];
    let places = keys.map(|key| header.find(&format!("\"{key}")).expect(key));
    assert!(places.is_sorted(), "{header}");
}

#[test]
fn a_file_without_metadata_is_taken_with_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, file(&[("layers.0.weight", &[2, 3]), ("layers.0.bias", &[2])], &[])).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.assumed, ["activation", "output_activation", "loss", "epsilon"]);
    assert_eq!(loaded.network.architecture.sizes, [3, 2]);
    assert_eq!(loaded.network.architecture.activation, Activation::Sigmoid);
    assert_eq!(loaded.network.architecture.output, cross_entropy());
}

/// A file of float32 tensors that count up from 0, written by the crate.
fn file(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> Vec<u8> {
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| (0..shape.iter().product::<usize>()).flat_map(|value| (value as f32).to_le_bytes()).collect())
        .collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, shape), data)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap()));
    let metadata: HashMap<_, _> = metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    serialize(views, (!metadata.is_empty()).then_some(metadata)).unwrap()
}

/// A header of that many bytes, this JSON, these bytes of data.
fn raw(length: u64, header: &str, data: usize) -> Vec<u8> {
    [&length.to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    const GOOD: [(&str, &[usize]); 4] =
        [("layers.0.weight", &[4, 3]), ("layers.0.bias", &[4]), ("layers.1.weight", &[2, 4]), ("layers.1.bias", &[2])];
    let with = |changes: &[(usize, (&'static str, &'static [usize]))]| {
        let mut tensors = GOOD.to_vec();
        changes.iter().for_each(|&(place, tensor)| tensors[place] = tensor);
        file(&tensors, &[])
    };
    let said = |key, value| file(&GOOD, &[(key, value)]);
    let good = file(&GOOD, &[]);
    let value = |value: f32| {
        let mut bytes = good.clone();
        let end = bytes.len();
        // The last tensor of the file is layers.1.weight, by the crate's order.
        bytes[end - 4..].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let integers = |dtype: &str| {
        let header = format!(
            r#"{{"layers.0.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}},"layers.0.bias":{{"dtype":"{dtype}","shape":[1],"data_offsets":[4,8]}}}}"#
        );
        raw(header.len() as u64, &header, 8)
    };
    let gap = r#"{"layers.0.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}"#;
    let huge = r#"{"layers.0.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
    let newline = r#"{"a\nb":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "too few"),
        (b"PK\x03\x04".to_vec(), "too few"),
        (b"not a model, but a text of some length".to_vec(), "not a safetensors file"),
        (raw(1 << 60, "{}", 0), "1152921504606846976"),
        (raw(u64::MAX, "{}", 0), "18446744073709551615"),
        (raw(3, "{}", 0), "announce a header of 3 bytes"),
        (raw(2, "{}", 0), "layers.0.weight is missing"),
        (raw(2, "[]", 0), "header"),
        (raw(2, "\u{00ff}", 0), "header"),
        (raw(gap.len() as u64, gap, 8), "layers.0.weight"),
        (raw(huge.len() as u64, huge, 4), "header"),
        (raw(newline.len() as u64, newline, 8), "header"),
        (good[..good.len() - 1].to_vec(), "bytes where its header says"),
        ([good.as_slice(), b"x"].concat(), "bytes where its header says"),
        (good[..20].to_vec(), "announce a header"),
        (integers("I32"), "layers.0.bias is I32; expected F32"),
        (integers("U32"), "layers.0.bias is U32"),
        (with(&[(0, ("layers.0.weight", &[12]))]), "layers.0.weight has the shape [12]"),
        (with(&[(0, ("layers.0.weight", &[0, 3]))]), "without units"),
        (with(&[(1, ("layers.0.bias", &[3]))]), "layers.0.bias has the shape [3]; expected [4]"),
        (with(&[(1, ("layers.0.bias", &[4, 1]))]), "layers.0.bias has the shape [4, 1]"),
        (with(&[(1, ("bias", &[4]))]), "layers.0.bias is missing"),
        (with(&[(2, ("layers.2.weight", &[2, 4]))]), "layers.1.weight is missing"),
        (with(&[(2, ("layers.01.weight", &[2, 4]))]), "no tensor of a fully connected network"),
        (with(&[(2, ("layers.1.weight", &[2, 5]))]), "layers.1.weight has 5 inputs, but the layer before it 4 outputs"),
        (file(&[GOOD.as_slice(), &[("conv.weight", &[1])]].concat(), &[]), "\"conv.weight\" is no tensor"),
        (value(f32::NAN), "layers.1.weight[1, 3] is NaN"),
        (value(f32::NEG_INFINITY), "layers.1.weight[1, 3] is -inf"),
        (said("network", "3,5,2"), "network \"3,5,2\", its tensors 3,4,2"),
        (said("activation", "swish"), "activation \"swish\" is unknown"),
        (said("loss", "hinge"), "loss \"hinge\" is unknown"),
        (said("output_activation", "identity"), "cross entropy needs probabilities"),
        (said("epsilon", "small"), "epsilon \"small\" is not a number"),
        (said("epsilon", "-1"), "epsilon is -1"),
        (said("input_scale", "1/128"), "\"1/128\""),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.safetensors");
    for (number, (bytes, expected)) in cases.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let error = load(&path).expect_err(expected);
        let message = error.to_string();
        assert!(matches!(error, Error::Model { .. }), "case {number}: {error:?}");
        assert!(message.contains(expected), "case {number}: {message:?} does not say {expected:?}");
        assert!(!message.contains('\n'), "case {number}: {message:?}");
    }
    fs::write(&path, &good).unwrap();
    load(&path).expect("what the cases are made from is right");
}

#[test]
fn folders_and_missing_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("missing")] {
        let error = load(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
    let network = network(&[2, 2], cross_entropy());
    for path in [folder.path().to_path_buf(), folder.path().join("missing/model")] {
        let error = save(&path, &network).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
    assert_eq!(entries(folder.path()), 0, "failures leave nothing behind");
}

#[test]
fn a_network_that_is_not_finite_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    fs::write(&path, "old").unwrap();
    let mut network = network(&[2, 2], cross_entropy());
    network.parameters[0] = f32::NAN;
    assert!(save(&path, &network).unwrap_err().to_string().contains("layers.0.weight is not finite"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(entries(folder.path()), 1);
}

#[cfg(unix)]
#[test]
fn a_model_is_a_file_like_any_other() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    let network = network(&[2, 2], cross_entropy());
    fs::write(at("plain"), "").unwrap();
    save(&at("new"), &network).unwrap();
    assert_eq!(mode("new"), mode("plain"), "the umask decides");
    fs::set_permissions(at("plain"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink(at("plain"), at("link")).unwrap();
    save(&at("link"), &network).unwrap();
    assert!(at("link").is_symlink(), "a link stays one");
    assert_eq!(load(&at("plain")).unwrap().network, network);
    assert_eq!(mode("plain"), 0o640, "what was there keeps its mode");
    assert_eq!(entries(folder.path()), 3);
    if Path::new("/dev/full").exists() {
        let error = save(Path::new("/dev/full"), &network).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /dev/full"), "{error}");
        assert!(!Path::new("/dev/full").is_file(), "a device stays one");
    }
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
