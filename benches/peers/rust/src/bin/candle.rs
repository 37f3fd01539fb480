//! candle on the CPU: its autograd, and weights moved in place of the old ones.

use candle_core::{D, Device, Tensor, Var};
use candle_nn::ops;
use peers::{Layer, Options, Peer, Problem, Result, run};

struct Candle;

impl Peer for Candle {
    fn version(&self) -> String {
        "candle 0.11.1".into()
    }

    fn train(&self, problem: &mut Problem, steps: usize) -> Result<Vec<Layer>> {
        let device = Device::Cpu;
        let (batch, sizes, relu, rate) = (problem.batch, problem.sizes.clone(), problem.relu, f64::from(problem.rate));
        let mut parameters = Vec::new();
        for (pair, (weight, bias)) in sizes.windows(2).zip(&problem.first) {
            parameters.push((
                Var::from_slice(weight, (pair[0], pair[1]), &device)?,
                Var::from_slice(bias, (1, pair[1]), &device)?,
            ));
        }
        for _ in 0..steps {
            let (images, targets) = problem.draw();
            let mut x = Tensor::from_vec(images, (batch, sizes[0]), &device)?;
            let targets = Tensor::from_vec(targets, (batch, sizes[sizes.len() - 1]), &device)?;
            for (layer, (weight, bias)) in parameters.iter().enumerate() {
                x = x.matmul(weight)?.broadcast_add(bias)?;
                if layer + 1 < parameters.len() {
                    x = if relu { x.relu()? } else { ops::sigmoid(&x)? };
                }
            }
            let x = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?;
            let logarithm = x.broadcast_sub(&x.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
            let loss = ((logarithm * targets)?.sum_all()? * (-1.0 / batch as f64))?;
            let gradients = loss.backward()?;
            for variable in parameters.iter().flat_map(|(weight, bias)| [weight, bias]) {
                let gradient = gradients.get(variable).ok_or("a parameter without a gradient")?;
                variable.set(&(variable.as_tensor() - (gradient * rate)?)?)?;
            }
        }
        let values = |variable: &Var| -> Result<Vec<f32>> { Ok(variable.flatten_all()?.to_vec1()?) };
        parameters.iter().map(|(weight, bias)| Ok((values(weight)?, values(bias)?))).collect()
    }

    fn matmul(&self, a: Vec<f32>, b: Vec<f32>, size: usize) -> Result<Box<dyn FnMut(bool) -> Result<Vec<f32>>>> {
        let a = Tensor::from_vec(a, (size, size), &Device::Cpu)?;
        let b = Tensor::from_vec(b, (size, size), &Device::Cpu)?;
        Ok(Box::new(move |wanted| {
            let product = a.matmul(&b)?;
            if wanted { Ok(product.flatten_all()?.to_vec1()?) } else { Ok(Vec::new()) }
        }))
    }
}

fn main() -> Result<()> {
    run(&Options::parse()?, &Candle)
}
