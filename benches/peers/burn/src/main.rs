//! burn on the processor (flex) or through wgpu, `--device cpu|wgpu`. On the processor batches are gathered from images that stay a
//! tensor; through wgpu, where software adapters bind no more than 128 MiB and MNIST as floats is 188 MB, the host gathers them, as
//! burn's own batchers do. See ../../peer.rs.

#[path = "../../peer.rs"]
mod peer;

use burn_tensor::activation::{log_softmax, relu, sigmoid};
use burn_tensor::{Device, DeviceKind, Int, Tensor, TensorData};

use peer::{Options, Parameters, Problem};

struct Trainer {
    options: Options,
    device: Device,
    data: Data,
    first: Parameters,
}

enum Data {
    /// Images [samples, inputs] and labels [samples, 1].
    Device(Tensor<2>, Tensor<2, Int>),
    Host(Vec<f32>, Vec<i32>),
}

impl Trainer {
    fn new(problem: &Problem) -> Self {
        let (options, count) = (problem.options.clone(), problem.labels.len());
        let device = device(&options).autodiff();
        let labels = problem.labels.iter().map(|&label| i32::from(label)).collect::<Vec<_>>();
        let images = problem.images.clone();
        let data = if options.device == "cpu" {
            let images = TensorData::new(images, [count, options.network[0]]);
            let labels = TensorData::new(labels, [count, 1]);
            Data::Device(Tensor::from_data(images, &device), Tensor::from_data(labels, &device))
        } else {
            Data::Host(images, labels)
        };
        Self { data, first: problem.first.clone(), options, device }
    }

    fn batch(&self, rows: &[u32]) -> (Tensor<2>, Tensor<2, Int>) {
        match &self.data {
            Data::Device(images, labels) => {
                let indices = rows.iter().map(|&row| row as i32).collect::<Vec<_>>();
                let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [rows.len()]), &self.device);
                (images.clone().select(0, indices.clone()), labels.clone().select(0, indices))
            }
            Data::Host(images, labels) => {
                let inputs = self.options.network[0];
                let mut x = Vec::with_capacity(rows.len() * inputs);
                for &row in rows {
                    x.extend_from_slice(&images[row as usize * inputs..][..inputs]);
                }
                let t = rows.iter().map(|&row| labels[row as usize]).collect::<Vec<_>>();
                let (x, t) = (TensorData::new(x, [rows.len(), inputs]), TensorData::new(t, [rows.len(), 1]));
                (Tensor::from_data(x, &self.device), Tensor::from_data(t, &self.device))
            }
        }
    }

    fn run(&self, indices: &[u32]) -> Parameters {
        let mut layers = Vec::new();
        for (weight, bias) in &self.first {
            let shape = [weight.len() / bias.len(), bias.len()];
            layers.push((self.parameter(weight, shape), self.parameter(bias, [1, bias.len()])));
        }
        for rows in indices.chunks(self.options.batch) {
            let (mut x, t) = self.batch(rows);
            for (number, (weight, bias)) in layers.iter().enumerate() {
                x = x.matmul(weight.clone()) + bias.clone();
                if number + 1 < layers.len() {
                    x = if self.options.relu { relu(x) } else { sigmoid(x) };
                }
            }
            let loss = -log_softmax(x, 1).gather(1, t).mean();
            let gradients = loss.backward();
            let descend = |parameter: Tensor<2>| {
                let gradient = parameter.grad(&gradients).expect("of a parameter");
                Tensor::from_inner(parameter.inner() - gradient * self.options.rate).require_grad()
            };
            layers = layers.into_iter().map(|(weight, bias)| (descend(weight), descend(bias))).collect();
        }
        layers.into_iter().map(|(weight, bias)| (read(weight), read(bias))).collect()
    }

    fn parameter(&self, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.device).require_grad()
    }
}

fn read(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("float32")
}

fn device(options: &Options) -> Device {
    match options.device.as_str() {
        "cpu" => Device::flex(),
        "wgpu" => Device::wgpu(DeviceKind::DefaultDevice),
        _ => panic!("no such device: {}", options.device),
    }
}

fn multiply(device: Device, size: usize, a: Vec<f32>, b: Vec<f32>) -> impl FnMut(bool) -> Option<Vec<f32>> {
    let [a, b] = [a, b].map(|values| Tensor::<2>::from_data(TensorData::new(values, [size, size]), &device));
    move |wanted: bool| {
        let product = a.clone().matmul(b.clone());
        if wanted {
            return Some(read(product));
        }
        device.sync().expect("the end of the product");
        None
    }
}

fn main() {
    let options = Options::parse();
    let label = format!(", {}", options.device);
    peer::main(
        &options,
        &label,
        ("burn-tensor", include_str!("../Cargo.lock")),
        |problem| {
            let trainer = Trainer::new(problem);
            move |indices: &[u32]| trainer.run(indices)
        },
        |size, a, b| multiply(device(&options), size, a, b),
    );
}
