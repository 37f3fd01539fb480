//! Burn: its Flex backend on the processor, or with `--device wgpu` its wgpu backend on Vulkan's software adapter, with fusion. Batches are gathered on
//! the device from images that stay there. See ../../peer.rs.

#[path = "../../peer.rs"]
mod peer;

use burn::tensor::{
    Device, DeviceKind, Int, Tensor, TensorData, activation, loss::cross_entropy_with_logits, module::linear,
};

use peer::{Options, Parameters, Problem};

fn trainer(device: Device, problem: &Problem) -> impl FnMut(&[u32]) -> Parameters {
    let options = problem.options.clone();
    let tracked = device.clone().autodiff();
    let count = problem.labels.len();
    let images = Tensor::<2>::from_data(TensorData::new(problem.images.clone(), [count, options.network[0]]), &device);
    let classes = options.network[options.network.len() - 1];
    let mut one_hot = vec![0.0_f32; count * classes];
    for (row, &label) in problem.labels.iter().enumerate() {
        one_hot[row * classes + usize::from(label)] = 1.0;
    }
    let targets = Tensor::<2>::from_data(TensorData::new(one_hot, [count, classes]), &device);
    let first = problem.first.clone();
    move |indices| {
        let mut layers: Vec<(Tensor<2>, Tensor<1>)> = first
            .iter()
            .map(|(weight, bias)| {
                let outputs = bias.len();
                let weight = TensorData::new(weight.clone(), [weight.len() / outputs, outputs]);
                let bias = TensorData::new(bias.clone(), [outputs]);
                (Tensor::from_data(weight, &tracked).require_grad(), Tensor::from_data(bias, &tracked).require_grad())
            })
            .collect();
        for rows in indices.chunks(options.batch) {
            let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
            let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [options.batch]), &device);
            let mut x = Tensor::from_inner(images.clone().select(0, rows.clone()));
            let t = Tensor::from_inner(targets.clone().select(0, rows));
            let last = layers.len() - 1;
            for (number, (weight, bias)) in layers.iter().enumerate() {
                x = linear(x, weight.clone(), Some(bias.clone()));
                if number < last {
                    x = if options.relu { activation::relu(x) } else { activation::sigmoid(x) };
                }
            }
            let mut gradients = cross_entropy_with_logits(x, t).backward();
            layers = layers
                .into_iter()
                .map(|(weight, bias)| {
                    let weight_gradient = weight.grad_remove(&mut gradients).expect("a gradient");
                    let bias_gradient = bias.grad_remove(&mut gradients).expect("a gradient");
                    let weight = weight.inner() - weight_gradient * options.rate;
                    let bias = bias.inner() - bias_gradient * options.rate;
                    (Tensor::from_inner(weight).require_grad(), Tensor::from_inner(bias).require_grad())
                })
                .collect();
        }
        layers.into_iter().map(|(weight, bias)| (values(weight), values(bias))).collect()
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().try_into_vec_as().expect("float32")
}

fn multiply(device: Device, size: usize, a: Vec<f32>, b: Vec<f32>) -> impl FnMut(bool) -> Option<Vec<f32>> {
    let a = Tensor::<2>::from_data(TensorData::new(a, [size, size]), &device);
    let b = Tensor::<2>::from_data(TensorData::new(b, [size, size]), &device);
    move |read| {
        let product = a.clone().matmul(b.clone());
        if read {
            return Some(values(product));
        }
        device.sync().expect("done");
        None
    }
}

fn main() {
    let options = Options::parse();
    let (device, label) = match options.device.as_str() {
        "cpu" => (Device::flex(), " (Flex)"),
        "wgpu" => (Device::vulkan(DeviceKind::Cpu), " (wgpu, Vulkan)"),
        other => panic!("no such device: {other}"),
    };
    peer::main(
        &options,
        label,
        ("burn", include_str!("../Cargo.lock")),
        |problem| trainer(device.clone(), problem),
        |size, a, b| multiply(device.clone(), size, a, b),
    );
}
