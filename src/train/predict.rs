//! What a network says of images.

use crate::backend::{Backend, Recording, Scope};
use crate::gradient::{Batch, Forward, NetworkTensors};
use crate::network::Network;
use crate::{Error, Result};

/// Most images that go through the network together.
const CHUNK: usize = 256;

/// The outputs of each image: probabilities, or raw values where the output activation is the identity. `images` are
/// bytes `[N, I]`, row-major, of which 255 stands for 1.
///
/// # Errors
/// [`Error::Config`] when they are not images for this network; or when the device fails.
pub fn predict(backend: &mut dyn Backend, network: &Network, images: &[u8]) -> Result<Vec<Vec<f32>>> {
    let inputs = network.architecture.inputs();
    if images.is_empty() || !images.len().is_multiple_of(inputs) {
        return Err(Error::config(format!("{} pixels for a network of {inputs} inputs", images.len())));
    }
    let mut outputs = Vec::with_capacity(images.len() / inputs);
    for chunk in images.chunks(CHUNK * inputs) {
        Scope::with(backend, |backend| forward(backend, network, chunk, &mut outputs))?;
    }
    Ok(outputs)
}

fn forward(backend: &mut dyn Backend, network: &Network, images: &[u8], outputs: &mut Vec<Vec<f32>>) -> Result<()> {
    let architecture = &network.architecture;
    let samples = images.len() / architecture.inputs();
    let inputs: Vec<f32> = images.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let batch = Batch {
        inputs: backend.tensor_from(&inputs, samples, architecture.inputs(), "inputs")?,
        targets: backend.words(samples, "targets")?,
        from_bytes: true,
    };
    let tensors = NetworkTensors::upload(backend, network)?;
    let forward = Forward::new(backend, architecture, samples)?;
    let mut recording = Recording::new();
    forward.record_outputs(&mut recording, &tensors, &batch)?;
    backend.run_once(&recording)?;
    let found = backend.read_tensor(forward.outputs)?;
    outputs.extend(found.chunks_exact(architecture.outputs()).map(<[f32]>::to_vec));
    Ok(())
}
