//! `gpu-train landscape MODEL`: loss and accuracy along one weight and over a plane, and how often their derivatives
//! are 0.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::checkpoints;
use super::interrupt::Interrupt;
use super::options::{DataOptions, DeviceOptions, FunctionOptions, OutputOptions, PlotOptions, number};
use super::record::DeviceRecord;
use super::samples::SplitName;
use super::values::{self, Indices};
use super::{Failure, Outcome, paths};
use crate::backend::Backend;
use crate::data::Split;
use crate::gradient::GradientOptions;
use crate::landscape::{
    self, CurvePoint, Grid, Samples, Score, Shares, loss_derivatives, path_plane, random_directions, sampled_weights,
};
use crate::network::{Network, TensorLayout};
use crate::report::{self, Counter, count, curve_figure, pairs, percent, plane_figure, significant, table};
use crate::train::checkpoint;
use crate::{Error, Result};

/// Samples of a plane where nothing is said.
const PLANE_SAMPLES: usize = 1_000;
/// How far a curve goes where nothing is said.
const CURVE_SPAN: f32 = 2.0;
/// How far a random plane goes: as far as the network's weights are long.
const PLANE_SPAN: f32 = 1.0;
/// A path's plane goes beyond the path by this share of its extent.
const MARGIN: f64 = 0.25;

/// The planes that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlaneKind {
    /// Two random directions, each unit's part as long as the unit's weights.
    Random,
    /// The two directions in which training moved most.
    Path,
}

/// The options of `gpu-train landscape`.
#[derive(Debug, Args)]
pub(super) struct Landscape {
    /// The model, as safetensors
    model: PathBuf,
    /// The tensor of the weight that is moved
    #[arg(long, value_name = "NAME", default_value = "layers.0.weight", help_heading = "Curve")]
    tensor: String,
    /// The weight in it, as UNIT,INPUT, or its place in the file's tensor; of a bias the unit [default: where the loss
    /// falls or rises fastest]
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true, help_heading = "Curve")]
    index: Option<Indices>,
    /// How far it is moved to each side [default: 2], and a random plane goes [default: 1, as far as the weights]
    #[arg(long, value_name = "SHIFT", allow_negative_numbers = true, value_parser = values::positive)]
    #[arg(help_heading = "Curve")]
    span: Option<f32>,
    /// Points of the curve
    #[arg(long, value_name = "N", default_value_t = 201, allow_negative_numbers = true, help_heading = "Curve")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=100_000))]
    points: u32,
    /// The h of the central differences
    #[arg(long, value_name = "H", default_value = "1e-4", allow_negative_numbers = true, help_heading = "Curve")]
    #[arg(value_parser = values::positive)]
    step_size: f32,
    /// Weights, drawn from all, whose derivatives are counted
    #[arg(long, value_name = "N", default_value_t = 500, allow_negative_numbers = true, help_heading = "Curve")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    weights: u32,
    /// A plane through the model, too: random directions, or those of the training path
    #[arg(long, value_name = "KIND", help_heading = "Plane")]
    plane: Option<PlaneKind>,
    /// Models from the way to this one, in order: files with commas between them, or a folder of them
    #[arg(long, value_name = "MODELS", value_delimiter = ',', help_heading = "Plane")]
    path: Vec<PathBuf>,
    /// Points along each side of the plane
    #[arg(long, value_name = "N", default_value_t = 101, allow_negative_numbers = true, help_heading = "Plane")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=2_001))]
    grid: u32,
    /// Samples, from the first on [default: 1000 for a plane, the whole split for the curve and the weights]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Data")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// The part of the data set
    #[arg(long, default_value = "test", help_heading = "Data")]
    split: SplitName,
    /// Of the weights that are drawn and of random directions
    #[arg(long, value_name = "N", default_value_t = 42, allow_negative_numbers = true, help_heading = "Data")]
    seed: u64,
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    functions: FunctionOptions,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    dataset: String,
    split: &'static str,
    samples: usize,
    device: DeviceRecord,
    step_size: f32,
    weights: usize,
    zero_accuracy_derivative_share: f64,
    zero_loss_derivative_share: f64,
    /// Of the weights, those whose input is 0 in every sample.
    zero_input_share: f64,
    /// Weights whose loss derivative is 0 although their input is not always 0.
    zero_loss_derivatives_with_input: usize,
    tensor: String,
    index: Vec<usize>,
    curve: Vec<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plane: Option<Plane>,
    seconds: f64,
    seed: u64,
}

#[derive(Serialize)]
struct Point {
    shift: f64,
    loss: f64,
    accuracy: f64,
    loss_derivative: f64,
    accuracy_derivative: f64,
}

#[derive(Serialize)]
struct Plane {
    kind: String,
    samples: usize,
    grid: usize,
    x: [f64; 2],
    y: [f64; 2],
    /// Rows from the smallest y, in each from the smallest x.
    loss: Vec<Vec<f64>>,
    accuracy: Vec<Vec<f64>>,
    /// Where the models of the path are, this one last.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Vec<[f64; 2]>>,
    /// What share of the path's squared distances to the model each direction holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<[f64; 2]>,
    evaluations: usize,
    seconds: f64,
}

/// The parameter that the curve moves.
struct Place {
    tensor: String,
    index: Vec<usize>,
    /// In the block.
    at: usize,
}

/// A plane that is to be evaluated.
struct PlanePlan {
    kind: PlaneKind,
    directions: Vec<Vec<f32>>,
    grid: Grid,
    path: Option<Vec<(f64, f64)>>,
    explained: Option<[f64; 2]>,
}

impl Landscape {
    /// Evaluates and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        self.check().map_err(Failure::Usage)?;
        let mut model = checkpoint::load(&self.model)?;
        self.functions.override_model(&mut model).map_err(Failure::Usage)?;
        let network = model.network;
        let chosen = self.place(&network).map_err(Failure::Usage)?;
        if let Some(path) = &self.plot.file {
            paths::check_replaceable(path)?;
        }
        let plan = self.plan(&network)?;
        let interrupt = Interrupt::listen();
        let dataset = self.data.open(Some(network.architecture.outputs()))?;
        let (split, split_name) = self.split.of(&dataset);
        let mut opened = self.device.open()?;
        let device = DeviceRecord::new(opened.backend.info(), &opened.reason);
        if !self.output.quiet {
            report::note(&format!("device  {device}"));
        }
        let begun = Instant::now();
        let backend = opened.backend.as_mut();
        let samples = self.samples(split, split.len());
        let options =
            GradientOptions { step_size: self.step_size, memory: self.device.memory, ..GradientOptions::default() };
        let derivatives = loss_derivatives(backend, &network, samples, options)?;
        interrupt.check()?;
        if derivatives.iter().any(|quotient| !quotient.is_finite()) {
            let problem = format!("its loss is not finite on the {split_name} split");
            return Err(Error::Model { path: self.model.clone(), problem }.into());
        }
        let place = chosen.unwrap_or_else(|| self.steepest(&network, &derivatives));
        let shares = self.shares(backend, &network, &derivatives, samples, &interrupt)?;
        let curve = self.curve(backend, &network, place.at, samples, &interrupt)?;
        let plane = plan.map(|plan| self.evaluated(backend, &network, plan, split, &interrupt)).transpose()?;
        let share = |count: usize| count as f64 / shares.weights as f64;
        let name = format!("{}{:?}", place.tensor, place.index);
        // What was found is said, whatever happens to the picture.
        let drawn = self.plot.save(|| match &plane {
            None => curve_figure(&name, &curve),
            Some((plan, scores, _)) => {
                let labels = match plan.kind {
                    PlaneKind::Random => ["first random direction", "second random direction"],
                    PlaneKind::Path => ["first principal direction", "second principal direction"],
                };
                plane_figure(labels, &plan.grid, scores, plan.path.as_deref().unwrap_or_default())
            }
        });
        let document = Document {
            command: "landscape",
            dataset: dataset.name().into(),
            split: split_name,
            samples: samples.len(),
            device,
            step_size: self.step_size,
            weights: shares.weights,
            zero_accuracy_derivative_share: share(shares.zero_accuracy),
            zero_loss_derivative_share: share(shares.zero_loss),
            zero_input_share: share(shares.zero_input),
            zero_loss_derivatives_with_input: shares.zero_loss_with_input,
            tensor: place.tensor,
            index: place.index,
            curve: curve.iter().map(Point::from).collect(),
            plane: plane.map(|(plan, scores, seconds)| self.plane_document(plan, &scores, split, seconds)),
            seconds: begun.elapsed().as_secs_f64(),
            seed: self.seed,
        };
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text(&name, &shares))?;
        }
        drawn?;
        Ok(Outcome::Done)
    }

    /// What can be seen to be wrong without looking at anything else.
    fn check(&self) -> Result<()> {
        self.plot.checked()?;
        match (self.plane, self.path.is_empty()) {
            (Some(PlaneKind::Path), true) => Err(Error::config_hint(
                "the plane of a path needs models from the way to this one",
                "--path early.safetensors,later.safetensors or a folder; train --save and --start-from make them",
            )),
            (None | Some(PlaneKind::Random), false) => {
                Err(Error::config_hint("--path goes with --plane path alone", "add --plane path, or leave --path out"))
            }
            _ => Ok(()),
        }
    }

    /// The samples that are looked at; `otherwise` as many where nothing is said.
    fn samples<'a>(&self, split: &'a Split, otherwise: usize) -> Samples<'a> {
        Samples::first(split, self.samples.map_or(otherwise, |samples| samples as usize))
    }

    /// The parameter that was named; `None` where it is to be chosen.
    fn place(&self, network: &Network) -> Result<Option<Place>> {
        let Some(tensor) = network.layout.tensors().find(|tensor| tensor.name == self.tensor) else {
            let names: Vec<_> = network.layout.tensors().map(|tensor| tensor.name).collect();
            let problem = format!("the model has no tensor {:?}", self.tensor);
            return Err(Error::config_hint(problem, format!("it has {}", names.join(", "))));
        };
        let Some(Indices(given)) = &self.index else { return Ok(None) };
        let (inputs, units) = (tensor.rows, tensor.columns);
        let is_bias = tensor.name.ends_with(".bias");
        let found = match given[..] {
            [unit] if is_bias => Some((unit, 0)),
            // As it stands in the file, a unit's weights after another's.
            [at] => Some((at / inputs, at % inputs)),
            [unit, input] if !is_bias => Some((unit, input)),
            _ => None,
        };
        match found.filter(|&(unit, input)| unit < units && input < inputs) {
            Some((unit, input)) => Ok(Some(Place::new(&tensor, unit, input))),
            None => {
                let shape = if is_bias { format!("[{units}]") } else { format!("[{units}, {inputs}]") };
                Err(Error::config(format!("{given:?} is no place in {}, which is {shape}", tensor.name)))
            }
        }
    }

    /// The parameter of the tensor by which the loss changes fastest.
    fn steepest(&self, network: &Network, derivatives: &[f64]) -> Place {
        let mut tensors = network.layout.tensors().filter(|tensor| tensor.name == self.tensor);
        let Some(tensor) = tensors.next() else {
            return Place { tensor: self.tensor.clone(), index: Vec::new(), at: 0 };
        };
        let steeper = |&a: &usize, &b: &usize| derivatives[a].abs().total_cmp(&derivatives[b].abs());
        let at = tensor.range().rev().max_by(steeper).unwrap_or(tensor.offset) - tensor.offset;
        Place::new(&tensor, at % tensor.columns, at / tensor.columns)
    }

    fn shares(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        derivatives: &[f64],
        samples: Samples<'_>,
        interrupt: &Interrupt,
    ) -> Result<Shares> {
        let weights = sampled_weights(network, self.weights as usize, self.seed);
        let counter = self.counter("moved weights", 2 * weights.len());
        let mut watch = watching(counter.as_ref(), interrupt);
        landscape::shares(backend, network, &weights, derivatives, samples, self.step_size, &mut watch)
    }

    fn curve(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        place: usize,
        samples: Samples<'_>,
        interrupt: &Interrupt,
    ) -> Result<Vec<CurvePoint>> {
        let span = f64::from(self.span.unwrap_or(CURVE_SPAN));
        let last = self.points - 1;
        let shifts: Vec<f64> =
            (0..=last).map(|step| span * (2.0 * f64::from(step) - f64::from(last)) / f64::from(last)).collect();
        let counter = self.counter("points of the curve", 3 * shifts.len());
        let mut watch = watching(counter.as_ref(), interrupt);
        landscape::curve(backend, network, place, &shifts, samples, self.step_size, &mut watch)
    }

    /// Which plane, before any work is done on it.
    fn plan(&self, network: &Network) -> Result<Option<PlanePlan>, Failure> {
        let Some(kind) = self.plane else { return Ok(None) };
        let points = self.grid as usize;
        if kind == PlaneKind::Random {
            let span = f64::from(self.span.unwrap_or(PLANE_SPAN));
            let grid = Grid { points, x: (-span, span), y: (-span, span) };
            let directions = random_directions(network, self.seed).to_vec();
            return Ok(Some(PlanePlan { kind, directions, grid, path: None, explained: None }));
        }
        let files = checkpoints::files(&self.path)?;
        let load = |path: &PathBuf| checkpoint::load(path).map(|model| model.network);
        let on_the_way = files.iter().map(load).collect::<Result<Vec<_>>>()?;
        let found = path_plane(&on_the_way, network)?;
        let mut path = found.coordinates;
        path.push((0.0, 0.0));
        let ends = |values: &mut dyn Iterator<Item = f64>| {
            let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
            (low, high)
        };
        let (x, y) = (ends(&mut path.iter().map(|point| point.0)), ends(&mut path.iter().map(|point| point.1)));
        let margin = MARGIN * (x.1 - x.0).max(y.1 - y.0);
        let grid = Grid { points, x: (x.0 - margin, x.1 + margin), y: (y.0 - margin, y.1 + margin) };
        let directions = found.directions.to_vec();
        Ok(Some(PlanePlan { kind, directions, grid, path: Some(path), explained: Some(found.explained) }))
    }

    fn evaluated(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        plan: PlanePlan,
        split: &Split,
        interrupt: &Interrupt,
    ) -> Result<(PlanePlan, Vec<Score>, f64)> {
        let begun = Instant::now();
        let coordinates = plan.grid.coordinates();
        let counter = self.counter("points of the plane", coordinates.len() / 2);
        let mut watch = watching(counter.as_ref(), interrupt);
        let samples = self.samples(split, PLANE_SAMPLES);
        let scores = landscape::scores(backend, network, &plan.directions, &coordinates, samples, &mut watch)?;
        Ok((plan, scores, begun.elapsed().as_secs_f64()))
    }

    fn plane_document(&self, plan: PlanePlan, scores: &[Score], split: &Split, seconds: f64) -> Plane {
        let rows = |value: fn(&Score) -> f64| -> Vec<Vec<f64>> {
            scores.chunks(plan.grid.points).map(|row| row.iter().map(value).collect()).collect()
        };
        Plane {
            kind: values::name(plan.kind),
            samples: self.samples(split, PLANE_SAMPLES).len(),
            grid: plan.grid.points,
            x: plan.grid.x.into(),
            y: plan.grid.y.into(),
            loss: rows(|score| score.loss),
            accuracy: rows(|score| score.accuracy),
            path: plan.path.map(|path| path.into_iter().map(Into::into).collect()),
            explained: plan.explained,
            evaluations: scores.len(),
            seconds,
        }
    }

    fn counter(&self, what: &'static str, total: usize) -> Option<Counter> {
        (!self.output.quiet).then(|| Counter::new(what, total as u64))
    }
}

/// Shows how far it is, and says whether to go on.
fn watching(counter: Option<&Counter>, interrupt: &Interrupt) -> impl FnMut(u64) -> bool {
    move |done| {
        if let Some(counter) = counter {
            counter.at(done);
        }
        !interrupt.asked()
    }
}

impl Place {
    fn new(tensor: &TensorLayout, unit: usize, input: usize) -> Self {
        let index = if tensor.name.ends_with(".bias") { vec![unit] } else { vec![unit, input] };
        Self { tensor: tensor.name.clone(), index, at: tensor.offset + input * tensor.columns + unit }
    }
}

impl From<&CurvePoint> for Point {
    fn from(point: &CurvePoint) -> Self {
        let CurvePoint { shift, loss, accuracy, loss_derivative, accuracy_derivative } = *point;
        Self { shift, loss, accuracy, loss_derivative, accuracy_derivative }
    }
}

impl Document {
    fn text(&self, name: &str, shares: &Shares) -> String {
        let of = |count: usize| {
            let share = percent(count as f64 / shares.weights as f64);
            format!(
                "exactly 0 for {} of {} weights ({share})",
                self::count(count as u64),
                self::count(shares.weights as u64)
            )
        };
        let input = match (shares.zero_loss, shares.zero_loss_with_input) {
            (0, _) => String::new(),
            (all, 0) => format!("; the input of all {} is 0 in every sample", self::count(all as u64)),
            (_, some) => format!("; {} of them have an input that is not always 0", self::count(some as u64)),
        };
        let moving = self.curve.iter().filter(|point| point.accuracy_derivative == 0.0).count();
        let mut rows = vec![
            (
                "samples",
                format!("{} of the {} split of {}", self::count(self.samples as u64), self.split, self.dataset),
            ),
            ("quotients", format!("central, h = {}", number(self.step_size))),
            ("accuracy's", of(shares.zero_accuracy)),
            ("loss's", format!("{}{input}", of(shares.zero_loss))),
            ("curve", format!("along {name}; the accuracy's is 0 at {moving} of {} points", self.curve.len())),
        ];
        if let Some(plane) = &self.plane {
            let (low, high) = plane
                .loss
                .iter()
                .flatten()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &loss| (ends.0.min(loss), ends.1.max(loss)));
            let rate = significant(plane.evaluations as f64 / plane.seconds);
            let text = format!(
                "{}, {} x {} points of {} samples: loss {} to {}; {rate} evaluations/s",
                plane.kind,
                plane.grid,
                plane.grid,
                self::count(plane.samples as u64),
                significant(low),
                significant(high)
            );
            rows.push(("plane", text));
            if let Some([first, second]) = plane.explained {
                let both = format!("{} and {}", percent(first), percent(second));
                rows.push(("path", format!("its two directions hold {both} of the squared distances")));
            }
        }
        format!("{}\n{}", pairs(&rows), self.curve_table())
    }

    /// A few points of the curve.
    fn curve_table(&self) -> String {
        const ROWS: usize = 10;
        let last = self.curve.len() - 1;
        let mut places: Vec<_> = (0..=ROWS).map(|row| row * last / ROWS).collect();
        places.dedup();
        let row = |at: usize| {
            let point = &self.curve[at];
            [
                format!("{:+.4}", point.shift),
                significant(point.loss),
                percent(point.accuracy),
                significant(point.loss_derivative),
                significant(point.accuracy_derivative),
            ]
        };
        let rows: Vec<_> = places.into_iter().map(row).collect();
        table(["shift", "loss", "accuracy", "loss's quotient", "accuracy's quotient"], &rows)
    }
}
