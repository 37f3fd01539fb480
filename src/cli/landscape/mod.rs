//! `gpu-train landscape MODEL`: loss and accuracy along one weight and over a plane, and how often their derivatives
//! are 0.

mod document;
mod place;
mod plane;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use self::document::{Document, Point};
use self::place::Place;
use self::plane::{Evaluated, PlaneKind, PlanePlan};
use super::checkpoints;
use super::interrupt::Interrupt;
use super::options::{DataOptions, DeviceOptions, FunctionOptions, OutputOptions, PlotOptions};
use super::record::DeviceRecord;
use super::samples::SplitName;
use super::values::{self, Indices};
use super::{Failure, Outcome, paths};
use crate::backend::Backend;
use crate::data::Split;
use crate::gradient::GradientOptions;
use crate::landscape::{self, CurvePoint, Samples, Shares, loss_derivatives, sampled_weights};
use crate::network::Network;
use crate::report::{self, Counter, curve_figure};
use crate::train::checkpoint;
use crate::{Error, Result};

/// Samples of a plane where nothing is said.
const PLANE_SAMPLES: usize = 1_000;
/// How far a curve goes where nothing is said.
const CURVE_SPAN: f32 = 2.0;

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
    /// Models from the way to this one, in order: files with commas between them, a folder of them, or a run's folder
    /// [default: what the model's run kept]
    #[arg(long, value_name = "MODELS", value_delimiter = ',', help_heading = "Plane")]
    path: Vec<PathBuf>,
    /// Points along each side of the plane
    #[arg(long, value_name = "N", default_value_t = 101, allow_negative_numbers = true, help_heading = "Plane")]
    #[arg(requires = "plane", value_parser = clap::value_parser!(u32).range(2..=2_001))]
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

impl Landscape {
    /// Evaluates and reports.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        self.check().map_err(Failure::Usage)?;
        let mut model = checkpoint::load(&self.model)?;
        self.functions.override_model(&mut model).map_err(Failure::Usage)?;
        let network = model.network;
        let chosen = Place::named(&network, &self.tensor, self.index.as_ref()).map_err(Failure::Usage)?;
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
        let place = chosen.unwrap_or_else(|| Place::steepest(&network, &self.tensor, &derivatives));
        let shares = self.shares(backend, &network, &derivatives, samples, &interrupt)?;
        let curve = self.curve(backend, &network, place.at, samples, &interrupt)?;
        let plane = plan.map(|plan| self.evaluated(backend, &network, plan, split, &interrupt)).transpose()?;
        let share = |count: usize| count as f64 / shares.weights as f64;
        let name = format!("{}{:?}", place.tensor, place.index);
        // What was found is said, whatever happens to the picture.
        let drawn = self.plot.save(|| match &plane {
            None => curve_figure(&name, &curve),
            Some(plane) => plane.figure(),
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
            plane: plane.map(Evaluated::document),
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
        landscape::check_shifts(&self.shifts(), self.step_size)?;
        match self.plane {
            Some(PlaneKind::Path) if self.way().is_empty() => Err(Error::config_hint(
                "the plane of a path needs models from the way to this one",
                "--path early.safetensors,later.safetensors or a folder; `train --run FOLDER` keeps them beside its model",
            )),
            None | Some(PlaneKind::Random) if !self.path.is_empty() => {
                Err(Error::config_hint("--path goes with --plane path alone", "add --plane path, or leave --path out"))
            }
            _ => Ok(()),
        }
    }

    /// The samples that are looked at; `otherwise` as many where nothing is said.
    fn samples<'a>(&self, split: &'a Split, otherwise: usize) -> Samples<'a> {
        Samples::first(split, self.samples.map_or(otherwise, |samples| samples as usize))
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
        landscape::shares(
            backend,
            network,
            &weights,
            derivatives,
            samples,
            self.step_size,
            self.device.memory,
            &mut watch,
        )
    }

    fn curve(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        place: usize,
        samples: Samples<'_>,
        interrupt: &Interrupt,
    ) -> Result<Vec<CurvePoint>> {
        let shifts = self.shifts();
        let counter = self.counter("points of the curve", 3 * shifts.len());
        let mut watch = watching(counter.as_ref(), interrupt);
        let memory = self.device.memory;
        let curve = landscape::curve(backend, network, place, &shifts, samples, self.step_size, memory, &mut watch)?;
        match curve.iter().find(|point| !(point.loss.is_finite() && point.loss_derivative.is_finite())) {
            None => Ok(curve),
            Some(point) => Err(Error::config_hint(
                format!("the loss or its quotient is not finite where the weight is moved by {}", point.shift as f32),
                "a smaller --span or --step-size",
            )),
        }
    }

    /// How far the curve's points are from the weight.
    fn shifts(&self) -> Vec<f64> {
        let span = f64::from(self.span.unwrap_or(CURVE_SPAN));
        let last = self.points - 1;
        (0..=last).map(|step| span * (2.0 * f64::from(step) - f64::from(last)) / f64::from(last)).collect()
    }

    /// Which plane, before any work is done on it.
    fn plan(&self, network: &Network) -> Result<Option<PlanePlan>> {
        let points = self.grid as usize;
        match self.plane {
            None => Ok(None),
            Some(PlaneKind::Random) => Ok(Some(PlanePlan::random(network, points, self.span, self.seed))),
            Some(PlaneKind::Path) => PlanePlan::along(&self.way(), network, points).map(Some),
        }
    }

    /// The models on the way: those that were named, or what the model's run kept.
    fn way(&self) -> Vec<PathBuf> {
        if self.path.is_empty() { checkpoints::beside(&self.model).into_iter().collect() } else { self.path.clone() }
    }

    fn evaluated(
        &self,
        backend: &mut dyn Backend,
        network: &Network,
        plan: PlanePlan,
        split: &Split,
        interrupt: &Interrupt,
    ) -> Result<Evaluated> {
        let begun = Instant::now();
        let coordinates = plan.grid.coordinates();
        let counter = self.counter("points of the plane", coordinates.len() / 2);
        let mut watch = watching(counter.as_ref(), interrupt);
        let samples = self.samples(split, PLANE_SAMPLES);
        let scores = landscape::scores(
            backend,
            network,
            &plan.directions,
            &coordinates,
            samples,
            self.device.memory,
            &mut watch,
        )?;
        if scores.iter().any(|score| !score.loss.is_finite()) {
            return Err(Error::config_hint("the loss is not finite everywhere on the plane", "a smaller --span"));
        }
        Ok(Evaluated { plan, scores, samples: samples.len(), seconds: begun.elapsed().as_secs_f64() })
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
