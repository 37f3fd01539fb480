//! candle on the processor. Batches are gathered from images that stay a tensor. See ../../peer.rs.

#[path = "../../peer.rs"]
mod peer;

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{Optimizer as _, SGD, loss::cross_entropy, ops::sigmoid};

use peer::{Options, Parameters, Problem};

struct Trainer {
    options: Options,
    images: Tensor,
    labels: Tensor,
    first: Parameters,
}

impl Trainer {
    fn new(problem: &Problem) -> Result<Self> {
        let (options, count) = (problem.options.clone(), problem.labels.len());
        let labels = problem.labels.iter().map(|&label| u32::from(label)).collect();
        Ok(Self {
            images: Tensor::from_vec(problem.images.clone(), (count, options.network[0]), &Device::Cpu)?,
            labels: Tensor::from_vec::<_, u32>(labels, count, &Device::Cpu)?,
            first: problem.first.clone(),
            options,
        })
    }

    fn run(&self, indices: &[u32]) -> Result<Parameters> {
        let mut layers = Vec::new();
        for (weight, bias) in &self.first {
            let outputs = bias.len();
            let weight = Var::from_vec(weight.clone(), (weight.len() / outputs, outputs), &Device::Cpu)?;
            layers.push((weight, Var::from_vec(bias.clone(), outputs, &Device::Cpu)?));
        }
        let parameters = layers.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect();
        let mut optimizer = SGD::new(parameters, f64::from(self.options.rate))?;
        for rows in indices.chunks(self.options.batch) {
            let rows = Tensor::new(rows, &Device::Cpu)?;
            let mut x = self.images.index_select(&rows, 0)?;
            let t = self.labels.index_select(&rows, 0)?;
            for (number, (weight, bias)) in layers.iter().enumerate() {
                x = x.matmul(weight)?.broadcast_add(bias)?;
                if number + 1 < layers.len() {
                    x = if self.options.relu { x.relu()? } else { sigmoid(&x)? };
                }
            }
            optimizer.backward_step(&cross_entropy(&x, &t)?)?;
        }
        layers.iter().map(|(weight, bias)| Ok((weight.flatten_all()?.to_vec1()?, bias.to_vec1()?))).collect()
    }
}

fn multiply(size: usize, a: Vec<f32>, b: Vec<f32>) -> Result<impl FnMut(bool) -> Option<Vec<f32>>> {
    let a = Tensor::from_vec(a, (size, size), &Device::Cpu)?;
    let b = Tensor::from_vec(b, (size, size), &Device::Cpu)?;
    Ok(move |read: bool| {
        let product = a.matmul(&b).expect("a product");
        read.then(|| product.flatten_all().and_then(|product| product.to_vec1()).expect("float32"))
    })
}

fn main() {
    peer::main(
        &Options::parse(),
        "",
        ("candle-core", include_str!("../Cargo.lock")),
        |problem| {
            let trainer = Trainer::new(problem).expect("tensors");
            move |indices: &[u32]| trainer.run(indices).expect("training")
        },
        |size, a, b| multiply(size, a, b).expect("tensors"),
    );
}
