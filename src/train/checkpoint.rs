//! Model files: a network's parameters as safetensors in PyTorch's layout, with what else it takes to run them.
//!
//! The same network gives the same bytes: tensors and metadata stand in sorted order and nothing tells the time.
//! The crate `safetensors` writes metadata in a hash map's order, so the header is put together here.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Map, Value, json};

use crate::network::{Activation, Architecture, Loss, Network, OutputActivation, OutputLoss, ParameterLayout};
use crate::{Error, Result, files};

/// Hidden units where nothing else is said, in options or in a model.
pub const DEFAULT_ACTIVATION: Activation = Activation::Sigmoid;
/// Outputs where nothing else is said.
pub const DEFAULT_OUTPUT_ACTIVATION: OutputActivation = OutputActivation::Softmax;
/// The loss where nothing else is said.
pub const DEFAULT_LOSS: Loss = Loss::CrossEntropy;
/// The cross entropy's epsilon where nothing else is said.
pub const DEFAULT_EPSILON: f32 = 1e-7;

/// Every input is a byte times this: written into each model, and the only scale that is run.
const INPUT_SCALE: &str = "1/255";
/// Bytes of the header's length, in front of it.
const LENGTH_BYTES: u64 = 8;
/// The longest header that the format allows.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// A network from a file.
#[derive(Debug, Clone)]
pub struct LoadedNetwork {
    /// The network.
    pub network: Network,
    /// The metadata's keys that the file lacks and for which the defaults were taken:
    /// `activation`, `output_activation`, `loss`, `epsilon`.
    pub assumed: Vec<&'static str>,
}

/// Writes a network to `path`: complete, or not at all.
///
/// A symbolic link is followed; a device or a pipe is written to as it is.
///
/// # Errors
/// [`Error::Io`] when the system refuses; [`Error::Model`] when a parameter is not finite.
pub fn save(path: &Path, network: &Network) -> Result<()> {
    if let Some(name) = network.non_finite_tensor() {
        return Err(refused(path, format!("not saved: {name} is not finite")));
    }
    files::write_whole(path, |out| write(out, network)).map_err(|error| Error::io("write", path, error))
}

/// Header and tensors, sorted by name.
fn write(out: &mut dyn Write, network: &Network) -> io::Result<()> {
    let mut tensors: Vec<_> = network.layout.tensors().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let mut header = Map::new();
    header.insert("__metadata__".into(), Value::Object(metadata(&network.architecture)));
    let mut offset = 0;
    for tensor in &tensors {
        let end = offset + tensor.range().len() * 4;
        let shape = if is_weight(&tensor.name) { vec![tensor.columns, tensor.rows] } else { vec![tensor.columns] };
        header.insert(tensor.name.clone(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [offset, end] }));
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    let mut column = Vec::new();
    for tensor in &tensors {
        let values = &network.parameters[tensor.range()];
        for unit in 0..tensor.columns {
            column.clear();
            column.extend(values[unit..].iter().step_by(tensor.columns).flat_map(|value| value.to_le_bytes()));
            out.write_all(&column)?;
        }
    }
    Ok(())
}

/// What the tensors do not say, sorted by key.
fn metadata(architecture: &Architecture) -> Map<String, Value> {
    let sizes: Vec<_> = architecture.sizes.iter().map(ToString::to_string).collect();
    let mut entries = vec![
        ("activation", architecture.activation.name().to_string()),
        ("format", "gpu-train".into()),
        ("input_scale", INPUT_SCALE.into()),
        ("loss", architecture.output.loss().name().into()),
        ("network", sizes.join(",")),
        ("output_activation", architecture.output.activation().name().into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
    ];
    if let Some(epsilon) = architecture.output.epsilon() {
        entries.push(("epsilon", format!("{epsilon:?}")));
    }
    entries.sort();
    entries.into_iter().map(|(key, value)| (key.to_string(), Value::String(value))).collect()
}

/// Reads a network from `path`.
///
/// Nothing is allocated before the sizes that the header claims are known to be those of the file.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Model`] with the tensor's or the key's name when it does
/// not hold a network: not safetensors, cut off, a tensor missing, unknown, of the wrong type or shape, layers that
/// do not follow each other, a value that is not finite, metadata that contradict the tensors.
pub fn load(path: &Path) -> Result<LoadedNetwork> {
    let refuse = |error| Error::io("read", path, error);
    let file = File::open(path).map_err(refuse)?;
    let about = file.metadata().map_err(refuse)?;
    if about.is_dir() {
        return Err(refuse(io::ErrorKind::IsADirectory.into()));
    }
    if !about.is_file() {
        return Err(refused(path, "it is not a regular file"));
    }
    let mut reader = BufReader::new(file);
    let header = read_header(path, &mut reader, about.len())?;
    let sizes = layer_sizes(&header).map_err(|problem| refused(path, problem))?;
    let (architecture, assumed) = architecture(&header, sizes).map_err(|problem| refused(path, problem))?;
    let network = read_tensors(path, &mut reader, &header, architecture)?;
    Ok(LoadedNetwork { network, assumed })
}

/// The header, checked against the file's length.
fn read_header(path: &Path, reader: &mut impl Read, file_bytes: u64) -> Result<Metadata> {
    let refuse = |error| Error::io("read", path, error);
    if file_bytes < LENGTH_BYTES {
        return Err(refused(path, format!("{file_bytes} bytes are too few for a safetensors file")));
    }
    let mut length = [0; LENGTH_BYTES as usize];
    reader.read_exact(&mut length).map_err(refuse)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > file_bytes - LENGTH_BYTES {
        return Err(refused(
            path,
            format!("its first 8 bytes announce a header of {length} bytes: cut off, or not a safetensors file"),
        ));
    }
    let mut header = vec![0; length as usize];
    reader.read_exact(&mut header).map_err(refuse)?;
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|error| refused(path, format!("its header is not one of safetensors: {error}")))?;
    let expected = LENGTH_BYTES + length + header.data_len() as u64;
    if expected != file_bytes {
        return Err(refused(path, format!("{file_bytes} bytes where its header says {expected}")));
    }
    Ok(header)
}

/// The sizes from inputs to outputs, once every tensor is known to be there, of the right type, and to fit the next.
fn layer_sizes(header: &Metadata) -> Result<Vec<usize>, String> {
    let mut names = header.offset_keys();
    names.sort();
    let layers = names.iter().filter(|name| layer_of(name, "weight").is_some()).count();
    let mut sizes = Vec::with_capacity(layers + 1);
    for index in 0..layers.max(1) {
        let (weight_name, bias_name) = (format!("layers.{index}.weight"), format!("layers.{index}.bias"));
        let weight = tensor(header, &weight_name)?;
        let bias = tensor(header, &bias_name)?;
        let &[outputs, inputs] = weight.shape.as_slice() else {
            return Err(format!("{weight_name} has the shape {:?}; expected [outputs, inputs]", weight.shape));
        };
        if inputs == 0 || outputs == 0 {
            return Err(format!("{weight_name} has the shape {:?}: a layer without units", weight.shape));
        }
        match sizes.last() {
            None => sizes.push(inputs),
            Some(&before) if before != inputs => {
                return Err(format!("{weight_name} has {inputs} inputs, but the layer before it {before} outputs"));
            }
            Some(_) => {}
        }
        if bias.shape != [outputs] {
            return Err(format!("{bias_name} has the shape {:?}; expected [{outputs}]", bias.shape));
        }
        sizes.push(outputs);
    }
    let known =
        |name: &str| layer_of(name, "weight").or_else(|| layer_of(name, "bias")).is_some_and(|index| index < layers);
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("{name:?} is no tensor of a fully connected network")),
        None => Ok(sizes),
    }
}

/// A tensor by name, which must be float32.
fn tensor<'a>(header: &'a Metadata, name: &str) -> Result<&'a TensorInfo, String> {
    match header.info(name) {
        None => Err(format!("{name} is missing")),
        Some(info) if info.dtype != Dtype::F32 => Err(format!("{name} is {}; expected F32", info.dtype)),
        Some(info) => Ok(info),
    }
}

/// The `N` of a name `layers.N.KIND`.
fn layer_of(name: &str, kind: &str) -> Option<usize> {
    let number = name.strip_prefix("layers.")?.strip_suffix(kind)?.strip_suffix('.')?;
    // `01` and `+1` are read as numbers too, but name other tensors.
    number.parse().ok().filter(|index: &usize| index.to_string() == number)
}

fn is_weight(name: &str) -> bool {
    name.ends_with(".weight")
}

/// The network that sizes and metadata describe, and which keys were missing.
fn architecture(header: &Metadata, sizes: Vec<usize>) -> Result<(Architecture, Vec<&'static str>), String> {
    let entry = |key: &str| header.metadata().as_ref().and_then(|entries| entries.get(key));
    let shapes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let shapes = shapes.join(",");
    if let Some(network) = entry("network").filter(|&network| *network != shapes) {
        return Err(format!("its metadata say network {network:?}, its tensors {shapes}"));
    }
    if let Some(scale) = entry("input_scale").filter(|&scale| scale != INPUT_SCALE) {
        return Err(format!("its inputs are to be scaled by {scale:?}; only {INPUT_SCALE} is supported"));
    }
    let mut assumed = Vec::new();
    let activation = named(entry("activation"), "activation", DEFAULT_ACTIVATION, &mut assumed)?;
    let output = named(entry("output_activation"), "output_activation", DEFAULT_OUTPUT_ACTIVATION, &mut assumed)?;
    let loss = named(entry("loss"), "loss", DEFAULT_LOSS, &mut assumed)?;
    let epsilon = match entry("epsilon") {
        Some(text) => text.parse().map_err(|_| format!("its epsilon {text:?} is not a number"))?,
        None => {
            if loss == Loss::CrossEntropy {
                assumed.push("epsilon");
            }
            DEFAULT_EPSILON
        }
    };
    let output = OutputLoss::new(output, loss, epsilon).map_err(|error| error.to_string())?;
    let architecture = Architecture::new(sizes, activation, output).map_err(|error| error.to_string())?;
    Ok((architecture, assumed))
}

/// The value that `key` names, or the default where there is no such key.
fn named<T: ValueEnum>(
    entry: Option<&String>,
    key: &'static str,
    default: T,
    assumed: &mut Vec<&'static str>,
) -> Result<T, String> {
    match entry {
        Some(name) => T::from_str(name, false).map_err(|_| format!("its {key} {name:?} is unknown")),
        None => {
            assumed.push(key);
            Ok(default)
        }
    }
}

/// The tensors' values, in the file's order, turned into the block's layout.
fn read_tensors(path: &Path, reader: &mut impl Read, header: &Metadata, architecture: Architecture) -> Result<Network> {
    let layout = ParameterLayout::new(&architecture);
    let mut parameters = vec![0.0; layout.len()];
    let mut row = Vec::new();
    for name in header.offset_keys() {
        let Some(tensor) = layout.tensors().find(|tensor| tensor.name == name) else { continue };
        let values = &mut parameters[tensor.range()];
        // A row of the file is one unit's weights, which are a column of the block; a bias has one value a unit.
        for unit in 0..tensor.columns {
            row.resize(tensor.rows * 4, 0);
            reader.read_exact(&mut row).map_err(|error| Error::io("read", path, error))?;
            let column = values[unit..].iter_mut().step_by(tensor.columns);
            for (place, (value, bytes)) in column.zip(row.chunks_exact(4)).enumerate() {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                if !value.is_finite() {
                    let place = if is_weight(&name) { format!("{unit}, {place}") } else { unit.to_string() };
                    return Err(refused(path, format!("{name}[{place}] is {value}")));
                }
            }
        }
    }
    Ok(Network { architecture, layout, parameters })
}

/// [`Error::Model`] on one line, whatever the file put into names.
fn refused(path: &Path, problem: impl Into<String>) -> Error {
    let problem = problem.into().replace(char::is_control, " ");
    Error::Model { path: PathBuf::from(path), problem }
}
