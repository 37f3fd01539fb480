//! burn: autodiff on its CPU backend (`--device flex`) or on wgpu's software adapter (`--device wgpu`).
//!
//! Batches are gathered on the host: 60,000 images of float32 do not fit the binding of a software adapter.

use burn::tensor::{Device, Tensor, TensorData, activation};
use peers::{Layer, Options, Peer, Problem, Result, run};

struct Burn {
    device: Device,
    name: String,
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

impl Peer for Burn {
    fn version(&self) -> String {
        let fusion = if cfg!(feature = "fusion") { ", fusion" } else { "" };
        format!("burn 0.22.1 ({}{fusion})", self.name)
    }

    fn train(&self, problem: &mut Problem, steps: usize) -> Result<Vec<Layer>> {
        let device = self.device.clone().autodiff();
        let (batch, sizes, relu, rate) = (problem.batch, problem.sizes.clone(), problem.relu, problem.rate);
        let mut weights = Vec::new();
        let mut biases = Vec::new();
        for (pair, (weight, bias)) in sizes.windows(2).zip(&problem.first) {
            weights.push(tensor(weight.clone(), [pair[0], pair[1]], &device).require_grad());
            biases.push(tensor(bias.clone(), [1, pair[1]], &device).require_grad());
        }
        for _ in 0..steps {
            let (images, targets) = problem.draw();
            let mut x = tensor(images, [batch, sizes[0]], &device);
            let targets = tensor(targets, [batch, sizes[sizes.len() - 1]], &device);
            for (layer, (weight, bias)) in weights.iter().zip(&biases).enumerate() {
                x = x.matmul(weight.clone()) + bias.clone();
                if layer + 1 < weights.len() {
                    x = if relu { activation::relu(x) } else { activation::sigmoid(x) };
                }
            }
            let loss = (activation::log_softmax(x, 1) * targets).sum() * (-1.0 / batch as f32);
            let mut gradients = loss.backward();
            for parameter in weights.iter_mut().chain(&mut biases) {
                let gradient = parameter.grad_remove(&mut gradients).ok_or("a parameter without a gradient")?;
                *parameter = Tensor::from_inner(parameter.clone().inner() - gradient * rate).require_grad();
            }
        }
        let layers = weights.into_iter().zip(biases).map(|(weight, bias)| Ok((values(weight)?, values(bias)?))).collect();
        self.device.sync().map_err(|error| format!("{error:?}"))?;
        layers
    }

    fn matmul(&self, a: Vec<f32>, b: Vec<f32>, size: usize) -> Result<Box<dyn FnMut(bool) -> Result<Vec<f32>>>> {
        let device = self.device.clone();
        let (a, b) = (tensor(a, [size, size], &device), tensor(b, [size, size], &device));
        Ok(Box::new(move |wanted| {
            let product = a.clone().matmul(b.clone());
            device.sync().map_err(|error| format!("{error:?}"))?;
            if wanted { values(product) } else { Ok(Vec::new()) }
        }))
    }
}

fn values(tensor: Tensor<2>) -> Result<Vec<f32>> {
    tensor.into_data().to_vec::<f32>().map_err(|error| format!("{error:?}").into())
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let name = options.text("device", "flex");
    let device = match name.as_str() {
        "flex" => Device::flex(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::Cpu),
        other => return Err(format!("no device {other}: flex or wgpu").into()),
    };
    run(&options, &Burn { device, name })
}
