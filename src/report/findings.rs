//! What a trained network does with its data set: what it gets wrong, what it looks at, and its gradient, held to
//! back-propagation.

use super::plot::{Axis, Figure, Histogram, Images, Matrix, Panel, Tile};
use crate::backend::{Backend, Recording, Scope};
use crate::data::{Dataset, Split};
use crate::gradient::{
    Batch, BatchSource, CheckOptions, Forward, GradientOptions, Method, NetworkTensors, TensorCheck, check_gradient,
    error_estimates, measured_gradient,
};
use crate::network::Network;
use crate::{Error, Result};

/// Images that went wrong, first-layer units, and samples of the gradient, that are shown or used.
const WRONG: usize = 24;
const UNITS: usize = 60;
const BATCH: usize = 100;
/// Samples that go through the network together.
const CHUNK: usize = 500;

/// A test sample that was taken for another class.
#[derive(Debug)]
pub struct Mistake {
    /// Its place in the test split.
    pub index: usize,
    /// What it is.
    pub label: usize,
    /// What it was taken for.
    pub chosen: usize,
    /// `[classes]`
    pub outputs: Vec<f32>,
}

/// What became of a split's samples.
#[derive(Debug)]
pub struct Answers {
    /// Right answers.
    pub right: usize,
    /// Samples of the split.
    pub samples: usize,
    /// `[true class][predicted class]`
    pub confusion: Vec<Vec<u64>>,
    /// Those that the network was surest of, the surest first.
    pub mistakes: Vec<Mistake>,
}

impl Answers {
    /// The answers of a network.
    ///
    /// # Errors
    /// [`Error::Config`] when the split does not fit it; or when the device fails.
    pub fn of(backend: &mut dyn Backend, network: &Network, split: &Split) -> Result<Self> {
        let classes = network.architecture.outputs();
        if split.features() != network.architecture.inputs() {
            let (pixels, inputs) = (split.features(), network.architecture.inputs());
            return Err(Error::config(format!("images of {pixels} pixels for a network of {inputs} inputs")));
        }
        let mut confusion = vec![vec![0; classes]; classes];
        let (mut right, mut mistakes) = (0, Vec::new());
        for first in (0..split.len()).step_by(CHUNK) {
            let count = CHUNK.min(split.len() - first);
            for (offset, outputs) in outputs(backend, network, split, first, count)?.chunks_exact(classes).enumerate() {
                let (index, label) = (first + offset, usize::from(split.labels()[first + offset]));
                let chosen = (0..classes).fold(0, |best, i| if outputs[i] > outputs[best] { i } else { best });
                if let Some(cell) = confusion.get_mut(label).and_then(|row| row.get_mut(chosen)) {
                    *cell += 1;
                }
                right += usize::from(label == chosen);
                if label != chosen {
                    mistakes.push(Mistake { index, label, chosen, outputs: outputs.to_vec() });
                }
            }
        }
        mistakes.sort_by(|a, b| b.outputs[b.chosen].total_cmp(&a.outputs[a.chosen]).then(a.index.cmp(&b.index)));
        mistakes.truncate(WRONG);
        Ok(Self { right, samples: split.len(), confusion, mistakes })
    }

    /// The confusion matrix as a panel.
    fn matrix(&self) -> Panel {
        Panel::Matrix(Matrix {
            row_label: "true class".into(),
            column_label: "predicted class".into(),
            counts: self.confusion.clone(),
        })
    }

    /// The confusion matrix as a picture.
    #[must_use]
    pub fn confusion_figure(&self) -> Figure {
        Figure { title: "Confusion on the test split".into(), panels: vec![self.matrix()] }
    }

    /// The confusion matrix, and below it the samples that went wrong, the surest first: what each is, what it was taken
    /// for, and how surely.
    #[must_use]
    pub fn figure(&self, title: String, split: &Split) -> Figure {
        let tile = |mistake: &Mistake| Tile {
            pixels: split.image(mistake.index).iter().map(|&byte| f32::from(byte) / 255.0).collect(),
            caption: format!(
                "a {} as {}, {:.0}%",
                mistake.label,
                mistake.chosen,
                100.0 * f64::from(mistake.outputs[mistake.chosen])
            ),
        };
        let tiles: Vec<_> = self.mistakes.iter().map(tile).collect();
        let images = Images { width: split.columns(), height: split.rows(), signed: false, tiles };
        let images = (!images.tiles.is_empty()).then_some(Panel::Images(images));
        Figure { title, panels: std::iter::once(self.matrix()).chain(images).collect() }
    }
}

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// Of the test split.
    pub answers: Answers,
    /// The gradient on the first training samples, by tensor.
    pub gradient: Vec<(String, Vec<f32>)>,
    /// It against back-propagation and float64 quotients.
    pub checks: Vec<TensorCheck>,
    /// How many samples the gradient is of.
    pub batch: usize,
}

impl Findings {
    /// Looks at a network on its data set.
    ///
    /// # Errors
    /// [`Error::Config`] when they do not fit together; or when the device fails.
    pub fn of(backend: &mut dyn Backend, network: &Network, dataset: &Dataset, threads: Option<usize>) -> Result<Self> {
        let answers = Answers::of(backend, network, dataset.test())?;
        let train = dataset.train();
        let batch = BATCH.min(train.len());
        let source = BatchSource::Bytes {
            images: &train.images()[..batch * train.features()],
            labels: &train.labels()[..batch],
        };
        let options = GradientOptions::default();
        let gradient = measured_gradient(backend, network, &source, options, None)?.gradient;
        let estimates = error_estimates(backend, network, &source, options, &gradient)?;
        let derivative = GradientOptions { method: Method::Backprop, ..options };
        let derivative = measured_gradient(backend, network, &source, derivative, None)?.gradient;
        let how = CheckOptions { threads, ..CheckOptions::default() };
        let checks = check_gradient(network, &source, &gradient, &estimates, &derivative, how)?;
        let of_tensors =
            network.layout.tensors().map(|tensor| (tensor.name.clone(), gradient[tensor.range()].to_vec()));
        let gradient = of_tensors.collect();
        Ok(Self { answers, gradient, checks, batch })
    }

    /// How often the gradient's values occur, a picture a weight tensor.
    #[must_use]
    pub fn gradient_figures(&self) -> Vec<Figure> {
        let weights = self.gradient.iter().filter(|(name, _)| name.ends_with("weight"));
        weights
            .map(|(name, values)| Figure {
                title: format!("Gradient of {name}"),
                panels: vec![histogram(name, values)],
            })
            .collect()
    }
}

/// The outputs `[count, classes]` for some samples.
fn outputs(
    backend: &mut dyn Backend,
    network: &Network,
    split: &Split,
    first: usize,
    count: usize,
) -> Result<Vec<f32>> {
    let pixels = &split.images()[first * split.features()..(first + count) * split.features()];
    let inputs: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Scope::with(backend, |backend| {
        let tensors = NetworkTensors::upload(backend, network)?;
        let batch = Batch {
            inputs: backend.tensor_from(&inputs, count, split.features(), "inputs")?,
            targets: backend.words(count, "targets")?,
            from_bytes: true,
        };
        let forward = Forward::new(backend, &network.architecture, count)?;
        let mut recording = Recording::new();
        forward.record_outputs(&mut recording, &tensors, &batch)?;
        let program = backend.prepare(&recording)?;
        backend.run(program, 1)?;
        backend.read_tensor(forward.outputs)
    })
}

/// Values in equal bars around 0 that hold all but the farthest thousandth; what is exactly 0 (the weights of pixels
/// that no sample lights) would be taller than all else, and is told instead.
fn histogram(name: &str, values: &[f32]) -> Panel {
    const BARS: usize = 50;
    let mut sizes: Vec<f32> =
        values.iter().map(|value| value.abs()).filter(|&size| size > 0.0 && size.is_finite()).collect();
    sizes.sort_by(f32::total_cmp);
    let reach = sizes.get((sizes.len() * 999 / 1000).min(sizes.len().saturating_sub(1))).copied().unwrap_or(1.0);
    let reach = f64::from(reach);
    let edges: Vec<f64> = (0..=BARS).map(|edge| (edge as f64 / BARS as f64 * 2.0 - 1.0) * reach).collect();
    let mut counts = vec![0; BARS];
    for &value in values.iter().filter(|&&value| value != 0.0) {
        let place = (f64::from(value) / reach + 1.0) / 2.0 * BARS as f64;
        if (0.0..=BARS as f64).contains(&place) {
            counts[(place as usize).min(BARS - 1)] += 1;
        }
    }
    let zeros = super::count(values.iter().filter(|&&value| value == 0.0).count() as u64);
    let all = super::count(values.len() as u64);
    let label = if zeros == "0" { name.to_string() } else { format!("{name}, but {zeros} of {all} that are 0") };
    Panel::Histogram(Histogram { x: Axis { label, logarithmic: false, range: None }, edges, counts })
}

/// The weights of the first layer's units, each as an image of what it looks for.
#[must_use]
pub fn weights_figure(network: &Network, rows: usize, columns: usize) -> Option<Figure> {
    let weight = &network.layout.layers().first()?.weight;
    if rows * columns != weight.rows {
        return None;
    }
    let values = &network.parameters[weight.range()];
    let shown = weight.columns.min(UNITS);
    let tile = |unit: usize| Tile {
        pixels: (0..weight.rows).map(|pixel| values[pixel * weight.columns + unit]).collect(),
        caption: unit.to_string(),
    };
    let images = Images { width: columns, height: rows, signed: true, tiles: (0..shown).map(tile).collect() };
    let title = if shown < weight.columns {
        format!("Weights of the first {shown} of {} units", weight.columns)
    } else {
        format!("Weights of the first layer's {shown} units")
    };
    Some(Figure { title, panels: vec![Panel::Images(images)] })
}
