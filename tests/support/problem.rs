//! A network with a batch, and what its gradient must be.

use gpu_train::backend::Backend;
use gpu_train::gradient::{
    BatchGradient, BatchSource, Difference, GradientOptions, Method, all_parameters, batch_gradient,
    incremental_quotients, measured_gradient, rounding_estimates,
};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};

use super::draw::Draw;
use super::network::Reference;

/// Every loss, with epsilons that take the kernels through all their branches.
pub(crate) const OUTPUTS: [OutputLoss; 4] = [
    OutputLoss::CrossEntropy { epsilon: 1e-7 },
    OutputLoss::CrossEntropy { epsilon: 0.0 },
    OutputLoss::SoftmaxSumOfSquares,
    OutputLoss::SumOfSquares,
];

/// A network and a batch.
pub(crate) struct Problem {
    pub(crate) name: String,
    pub(crate) network: Network,
    pub(crate) inputs: Vec<f32>,
    pub(crate) targets: Vec<u32>,
}

impl Problem {
    /// Images of bytes divided by 255, four fifths of the pixels 0, or inputs up to 3 where `images` is false.
    pub(crate) fn new(
        sizes: &[usize],
        activation: Activation,
        output: OutputLoss,
        samples: usize,
        images: bool,
    ) -> Self {
        let mut draw = Draw::new(71);
        let architecture = Architecture::new(sizes.to_vec(), activation, output).unwrap();
        let mut network = Network::initialized(architecture, Initialization::Xavier, 5);
        for layer in network.layout.layers().to_vec() {
            network.parameters[layer.bias.range()].fill_with(|| draw.real(0.5));
        }
        let count = samples * sizes[0];
        Self {
            name: format!("{sizes:?} {} {output:?}{}", activation.name(), if images { "" } else { ", inputs to 3" }),
            inputs: if images { draw.pixels(count) } else { draw.reals(count, 3.0) },
            targets: draw.words(samples, sizes[sizes.len() - 1] as u32),
            network,
        }
    }

    pub(crate) fn wide_inputs(&self) -> Vec<f64> {
        self.inputs.iter().map(|&x| f64::from(x)).collect()
    }

    pub(crate) fn gradient(&self, backend: &mut dyn Backend, options: GradientOptions) -> BatchGradient {
        batch_gradient(backend, &self.network, &self.inputs, &self.targets, options)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The same of inputs that come as bytes: what [`Problem::new`] calls images.
    pub(crate) fn gradient_of_bytes(&self, backend: &mut dyn Backend, options: GradientOptions) -> BatchGradient {
        let images: Vec<u8> = self.inputs.iter().map(|&x| (x * 255.0).round() as u8).collect();
        let labels: Vec<u8> = self.targets.iter().map(|&target| target as u8).collect();
        let source = BatchSource::Bytes { images: &images, labels: &labels };
        assert!(source.inputs() == self.inputs, "{}: inputs are bytes divided by 255", self.name);
        measured_gradient(backend, &self.network, &source, options, None)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The quotient in float64 from changes that do not cancel. It shares no code with the kernels, and no floor bounds it.
    pub(crate) fn incremental_quotient(&self, step_size: f32) -> Wanted {
        let source = BatchSource::Floats { inputs: &self.inputs, targets: &self.targets };
        let all = all_parameters(&self.network);
        let found = incremental_quotients(&self.network, &source, &all, Difference::Central, step_size)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        // Between tensors there may be room that belongs to none.
        let mut gradient = vec![0.0; self.network.parameters.len()];
        all.into_iter().zip(found).for_each(|(place, quotient)| gradient[place] = quotient);
        Wanted { gradient, floor: 0.0 }
    }

    /// Moves the parameters down the gradient of this very batch, in float64, so many times; a step that leads upwards is
    /// taken back, and the next ones are half as long.
    pub(crate) fn train(&mut self, steps: usize, mut learning_rate: f64) {
        let (mut reference, inputs) = (Reference::of(&self.network), self.wide_inputs());
        let mut loss = reference.loss(&inputs, &self.targets);
        for _ in 0..steps {
            let (before, gradient) = (reference.parameters.clone(), reference.back_propagation(&inputs, &self.targets));
            reference.parameters.iter_mut().zip(gradient).for_each(|(p, g)| *p -= learning_rate * g);
            let now = reference.loss(&inputs, &self.targets);
            if now <= loss {
                loss = now;
            } else {
                reference.parameters = before;
                learning_rate *= 0.5;
            }
        }
        self.network.parameters = reference.parameters.iter().map(|&p| p as f32).collect();
    }

    /// The literal quotient, with what float64 may get wrong in each of its elements.
    pub(crate) fn quotient(&self, step_size: f32) -> Wanted {
        let (reference, inputs) = (Reference::of(&self.network), self.wide_inputs());
        let h = f64::from(step_size);
        Wanted {
            gradient: reference.literal_quotient(&inputs, &self.targets, h),
            floor: reference.rounding_floor(&inputs, &self.targets, h),
        }
    }

    pub(crate) fn derivative(&self) -> Wanted {
        let gradient = Reference::of(&self.network).back_propagation(&self.wide_inputs(), &self.targets);
        Wanted { gradient, floor: 0.0 }
    }

    pub(crate) fn loss(&self) -> f64 {
        Reference::of(&self.network).loss(&self.wide_inputs(), &self.targets)
    }

    /// The largest error of a tensor, as a share of its norm.
    pub(crate) fn largest_relative_error(&self, got: &[f32], wanted: &Wanted) -> f64 {
        self.errors(got, wanted).into_iter().map(|(off, size)| off / size).fold(0.0, f64::max)
    }

    /// How far each tensor is off, and its norm.
    pub(crate) fn errors(&self, got: &[f32], wanted: &Wanted) -> Vec<(f64, f64)> {
        let errors = self.network.layout.tensors().map(|tensor| {
            let expected = &wanted.gradient[tensor.range()];
            let off: Vec<f64> = got[tensor.range()].iter().zip(expected).map(|(g, e)| f64::from(*g) - e).collect();
            (norm(&off), norm(expected))
        });
        errors.collect()
    }

    /// What the library says that float32 may have lost of each tensor of a gradient.
    pub(crate) fn rounding(&self, backend: &mut dyn Backend, options: GradientOptions, gradient: &[f32]) -> Vec<f64> {
        let source = BatchSource::Floats { inputs: &self.inputs, targets: &self.targets };
        rounding_estimates(backend, &self.network, &source, options, gradient)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The tensors that are farther than `tolerance`, as a share of their norm, each with its worst element.
    pub(crate) fn wrong(&self, got: &[f32], wanted: &Wanted, tolerance: f64) -> Vec<String> {
        assert_eq!(got.len(), self.network.layout.len(), "a gradient is laid out as the parameters");
        let mut wrong = Vec::new();
        for tensor in self.network.layout.tensors() {
            let got: Vec<f64> = got[tensor.range()].iter().map(|&g| f64::from(g)).collect();
            let expected = &wanted.gradient[tensor.range()];
            let off: Vec<f64> = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).collect();
            let size = norm(expected);
            let allowed = tolerance * size + wanted.floor * (off.len() as f64).sqrt();
            // A NaN is not below anything.
            if norm(&off) <= allowed {
                continue;
            }
            let worst =
                (0..off.len()).fold(0, |worst, i| if off[i] > off[worst] || off[i].is_nan() { i } else { worst });
            wrong.push(format!(
                "{}: {}: off by {:.2e} of its norm {size:.2e}, allowed {:.2e}; worst at {worst}: expected {:e}, got {:e}",
                self.name,
                tensor.name,
                norm(&off) / size,
                allowed / size,
                expected[worst],
                got[worst]
            ));
        }
        wrong
    }
}

/// A float64 gradient and the rounding that is in each of its elements.
pub(crate) struct Wanted {
    pub(crate) gradient: Vec<f64>,
    pub(crate) floor: f64,
}

impl Wanted {
    /// Another gradient, taken to be right.
    pub(crate) fn of(gradient: &[f32]) -> Self {
        Self { gradient: gradient.iter().map(|&g| f64::from(g)).collect(), floor: 0.0 }
    }
}

pub(crate) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

pub(crate) fn numerical(step_size: f32) -> GradientOptions {
    GradientOptions { method: Method::Numerical, step_size, ..GradientOptions::default() }
}
