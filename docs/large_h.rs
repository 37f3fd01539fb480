//! Draws the large-h picture: how far the engine's gradient is from the literal central difference quotient, and how far
//! both are from the derivative, for steps from 1e-4 to 2. A gradient that only pretended to be a quotient would leave the
//! lower line where the step is large.
//!
//!     cargo run --example large-h docs/pictures
//!
//! writes `large-h.svg` and `large-h-dark.svg` there, and prints what they show.

use std::path::Path;

use gpu_train::backend::cpu::CpuBackend;
use gpu_train::data::Dataset;
use gpu_train::gradient::{
    BatchSource, Difference, GradientOptions, LiteralOptions, Method, all_parameters, literal_quotients,
    measured_gradient,
};
use gpu_train::network::{Activation, Architecture, Initialization, Network, OutputLoss};
use gpu_train::report::plot::{self, Axis, Figure, Lines, Panel, Series, Stroke, Theme};
use gpu_train::train::{Settings, train};

/// Every how many-th parameter is probed literally: two forward passes of 100 images each, in float64.
const EVERY: usize = 61;

fn main() -> gpu_train::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "docs/pictures".into());
    let digits = Dataset::open("digits", None)?;
    let output = OutputLoss::CrossEntropy { epsilon: 1e-7 };
    let architecture = Architecture::new(vec![784, 50, 10], Activation::Sigmoid, output)?;
    let mut network = Network::initialized(architecture, Initialization::Normal(0.01), 42);
    let mut device = CpuBackend::new(None);
    let settings = Settings { steps: 1_000, learning_rate: 0.5, ..Settings::default() };
    train(&mut device, &digits, &mut network, &settings, &mut ())?;

    let (images, labels) = (&digits.train().images()[..100 * 784], &digits.train().labels()[..100]);
    let source = BatchSource::Bytes { images, labels };
    let places: Vec<usize> = all_parameters(&network).into_iter().step_by(EVERY).collect();
    let mut gradient = |method: Method, step_size: f32| {
        let options = GradientOptions { method, step_size, ..GradientOptions::default() };
        measured_gradient(&mut device, &network, &source, options, None).map(|found| found.gradient)
    };
    let derivative = gradient(Method::Backprop, 1e-4)?;
    let mut errors = [Vec::new(), Vec::new()];
    println!("{:>10}  {:>22}  {:>24}", "h", "gradient from quotient", "derivative from quotient");
    for step in 0..=17 {
        let step_size = (1e-4 * 10f64.powf(f64::from(step) / 4.0)) as f32;
        let literal = LiteralOptions { difference: Difference::Central, step_size, threads: None };
        let quotients = literal_quotients(&network, &source, &places, literal, &|_| true)?.quotients;
        let distance = |gradient: &[f32]| {
            let off = places.iter().zip(&quotients).map(|(&place, q)| (f64::from(gradient[place]) - q).powi(2));
            (off.sum::<f64>() / quotients.iter().map(|q| q * q).sum::<f64>()).sqrt()
        };
        let found = [distance(&gradient(Method::Numerical, step_size)?), distance(&derivative)];
        println!("{step_size:>10.2e}  {:>22.1e}  {:>24.1e}", found[0], found[1]);
        errors.iter_mut().zip(found).for_each(|(line, error)| line.push((f64::from(step_size), error)));
    }

    let axis = |label: &str| Axis { label: label.into(), logarithmic: true, range: None };
    let [ours, derivative] = errors;
    let line = |name: &str, points, stroke| Series { name: name.into(), points, stroke };
    let figure = Figure {
        title: "It is the quotient, whatever the step".into(),
        panels: vec![Panel::Lines(Lines {
            x: axis("step size h"),
            y: axis("distance from the literal quotient, as a share of it"),
            series: vec![
                line("back-propagation", derivative, Stroke::Dashed),
                line("gpu-train's numerical gradient", ours, Stroke::Solid),
            ],
        })],
    };
    for (name, theme) in [("large-h.svg", Theme::Light), ("large-h-dark.svg", Theme::Dark)] {
        plot::save(&figure, &Path::new(&folder).join(name), theme)?;
    }
    Ok(())
}
