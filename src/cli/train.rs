//! `gpu-train train`: from options to a trained network, its scores and its files.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::Args;

use super::checkpoints::Kept;
use super::interrupt::Interrupt;
use super::options::{
    DEFAULT_INITIALIZATION, DataOptions, DeviceOptions, FunctionOptions, OutputOptions, PlotOptions, QuotientOptions,
};
use super::outputs::FileOptions;
use super::record::RunRecord;
use super::summary::RunSummary;
use super::values::{self, HiddenSizes, StepSize};
use super::{Failure, Outcome};
use crate::data::{Dataset, Sampling};
use crate::gradient::{MAX_DIRECTIONS, Method, Objective, relative_cost};
use crate::network::{Architecture, Initialization, Network};
use crate::report::{self, Live, Progress, RunFolder, RunLog, TrainingCurves, count};
use crate::train::checkpoint::{self, LoadedNetwork};
use crate::train::{Evaluation, Observer, Optimizer, Settings};
use crate::{Error, Result};

/// What the help ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  gpu-train                                   the textbook's network on the embedded digits
  gpu-train --dataset mnist --data-dir data   the same on MNIST
  gpu-train --step-size 0.01 --probes each --epochs 20
  gpu-train --gradient backprop --hidden 128,64 --activation relu --init he --save model.safetensors
  gpu-train --epochs 20 --plot curves.svg --run runs/first
  gpu-train --gradient directional --objective accuracy --init xavier --activation tanh --lr 0.03
  gpu-train evaluate model.safetensors
  gpu-train devices
  gpu-train --device software --steps 1000    on a software adapter, as in CI

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (what was learnt is saved).";

/// Steps of a run that is not told how many.
const DEFAULT_STEPS: u64 = 10_000;

/// The options of `gpu-train train`.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// Difference quotients of the loss, back-propagation, or an estimate from random directions
    #[arg(long, default_value = "numerical", help_heading = "Gradient")]
    gradient: Method,
    #[command(flatten)]
    quotient: QuotientOptions,
    /// Random directions of each directional gradient: two evaluations of the batch each
    #[arg(long, value_name = "K", default_value_t = 32, help_heading = "Gradient")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=MAX_DIRECTIONS as i64))]
    directions: u16,
    /// What directional gradients descend: the loss, or the batch's share of wrong answers itself
    #[arg(long, default_value = "loss", help_heading = "Gradient")]
    objective: Objective,

    /// Units of each hidden layer: 50, or 512,256, or none for softmax regression [default: 50]
    #[arg(long, value_name = "SIZES", help_heading = "Network", conflicts_with = "start_from")]
    hidden: Option<HiddenSizes>,
    #[command(flatten)]
    functions: FunctionOptions,
    /// Fresh weights: normal:DEVIATION, xavier or he [default: normal:0.01]
    #[arg(long, help_heading = "Network", conflicts_with = "start_from")]
    init: Option<Initialization>,
    /// Train this network on instead of a fresh one
    #[arg(long, value_name = "MODEL", help_heading = "Network")]
    pub(super) start_from: Option<PathBuf>,

    /// Samples of a mini-batch
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Training")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..1 << 24))]
    batch_size: u32,
    /// Steps of the run [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Training", conflicts_with = "epochs")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Passes over the training split, in place of --steps
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Factor of the gradient [alias: --lr]
    #[arg(long, alias = "lr", value_name = "RATE", default_value = "0.1", help_heading = "Training")]
    #[arg(allow_negative_numbers = true, value_parser = values::positive)]
    learning_rate: f32,
    /// How parameters are moved
    #[arg(long, default_value = "sgd", help_heading = "Training")]
    pub(super) optimizer: Optimizer,
    /// Mini-batches drawn with replacement, or from a shuffled pass an epoch
    #[arg(long, default_value = "replacement", help_heading = "Training")]
    sampling: Sampling,
    /// Steps between evaluations on both splits [default: an epoch]
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    eval_every: Option<u64>,
    /// The same seed on the same device gives the same bits
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = "Training")]
    #[arg(allow_negative_numbers = true)]
    seed: u64,

    #[command(flatten)]
    files: FileOptions,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    pub(super) data: DataOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Show the run on a screen of its own: curves, rate, and the samples being learnt; lines where there is no
    /// terminal, and with --json
    #[arg(long, help_heading = "Output", conflicts_with = "quiet")]
    live: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// How many times the work of back-propagation a numerical gradient may be before that is said.
const DEAR: f64 = 20.0;

impl Train {
    /// Trains, reports and saves; `started` is when the process began.
    pub(super) fn run(&self, started: Instant) -> Result<Outcome, Failure> {
        self.check().map_err(Failure::Usage)?;
        let model = self.model()?;
        self.files.check_writable(self.plot.file())?;
        let folder = self.files.folder();
        let interrupt = Interrupt::listen();
        let outputs = model.as_ref().map(|model| model.network.architecture.outputs());
        // A driver takes its time to start; the data can be read meanwhile.
        let (opened, loaded) = thread::scope(|scope| {
            let data = scope.spawn(|| (self.data.open(outputs), started.elapsed().as_secs_f64()));
            let opened = self.device.open();
            (opened, data.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let ((dataset, load_seconds), mut opened) = ((loaded.0?, loaded.1), opened?);
        let backend = opened.backend.as_mut();
        let mut network = match model {
            Some(model) => model.network,
            None => {
                let architecture = self.architecture(&dataset).map_err(Failure::Usage)?;
                Network::initialized(architecture, self.initialization(), self.seed)
            }
        };
        let mut settings = self.settings(&dataset).map_err(Failure::Usage)?;
        if self.quotient.step_size() == StepSize::Auto && settings.method == Method::Numerical {
            settings.step_size = crate::train::balanced_step(backend, &dataset, &network, &settings)?;
        }
        let record = RunRecord::new(self, &settings, &dataset, &network.architecture, backend, &opened.reason);
        interrupt.check()?;
        if let Some(folder) = &folder {
            folder.create(&record)?;
        }
        let logs = self.files.log.iter().cloned().chain(folder.as_ref().map(RunFolder::log));
        let logs = logs.map(|path| RunLog::create(&path, &record)).collect::<Result<_>>()?;
        let curves = self.plot.file().map(|_| TrainingCurves::default());
        let kept = folder.as_ref().map(|folder| {
            let interval = settings.evaluation_interval(dataset.train().len());
            Kept::begin(folder, &network, interval, settings.steps)
        });
        let checkpoints = kept.transpose()?;
        let mut watch = Watch { progress: None, live: None, logs, curves, checkpoints, interrupt, failure: None };
        if !self.output.quiet {
            self.announce(&record, &dataset, &network);
            if self.live && !self.output.json {
                let about = vec![record.device.to_string(), record.network(), record.run()];
                watch.live = Live::open(about, dataset.train(), &settings)?;
            }
            if watch.live.is_none() {
                watch.progress = Some(Progress::new(settings.steps));
            }
        }
        let trained = crate::train::train(backend, &dataset, &mut network, &settings, &mut watch);
        drop((watch.progress, watch.live));
        let curves = watch.curves.take();
        let draw = || curves.map_or(Ok(()), |curves| self.plot.save(|| curves.figure(record.title())));
        let trained = match trained {
            Ok(trained) => trained,
            Err(error) => {
                // How it came to that is worth a look.
                if let Err(picture) = draw() {
                    report::warning(&picture.to_string());
                }
                return Err(error.into());
            }
        };
        let summary = RunSummary::new(&record, &network, trained, started, load_seconds)?;
        if let Some(problem) = summary.ruined(&network.architecture) {
            report::warning(&problem);
        }
        // What was learnt is saved, and said, whatever happened to the other files.
        let saved = self.files.save.as_deref().map_or(Ok(()), |path| checkpoint::save(path, &network));
        let kept = folder.as_ref().map_or(Ok(()), |folder| {
            checkpoint::save(&folder.model(), &network).and_then(|()| folder.finish(&summary))
        });
        let drawn = draw();
        let saved_at = self.files.save.as_deref().filter(|_| saved.is_ok());
        let saved_at = saved_at.or(self.files.run.as_deref().filter(|_| kept.is_ok()));
        if self.output.json {
            report::json(&summary)?;
        } else {
            report::print(&summary.text(&record, saved_at))?;
        }
        saved.and(kept).and(drawn)?;
        match watch.failure {
            Some(error) => Err(error.into()),
            None if summary.interrupted() => Ok(Outcome::Interrupted),
            None => Ok(Outcome::Done),
        }
    }

    /// What can be seen to be wrong without looking at anything else.
    fn check(&self) -> Result<()> {
        self.plot.checked()?;
        self.files.check_names(self.plot.file(), self.start_from.as_deref())?;
        if self.objective == Objective::Accuracy && self.gradient != Method::Directional {
            return Err(Error::config_hint(
                "the accuracy has no derivative but where it jumps",
                "--gradient directional descends it along random directions",
            ));
        }
        if self.start_from.is_none() {
            self.functions.of_fresh_network()?;
        }
        Ok(())
    }

    /// The model to start from, with what the options add to it.
    fn model(&self) -> Result<Option<LoadedNetwork>, Failure> {
        let Some(path) = &self.start_from else { return Ok(None) };
        let mut model = checkpoint::load(path)?;
        self.functions.complete_model(&mut model).map_err(Failure::Usage)?;
        Ok(Some(model))
    }

    fn architecture(&self, dataset: &Dataset) -> Result<Architecture> {
        self.functions.fresh_architecture(self.hidden.as_ref(), dataset)
    }

    /// How fresh weights are drawn.
    pub(super) fn initialization(&self) -> Initialization {
        self.init.unwrap_or(DEFAULT_INITIALIZATION)
    }

    /// `h`. A direction's quotient is a difference of whole losses, whose rounding a larger step makes smaller; and the
    /// accuracy moves in jumps, of which a step must see some.
    fn step_size(&self) -> f32 {
        match (self.quotient.given_step, self.gradient, self.objective) {
            (None, Method::Directional, Objective::Loss) => 1e-3,
            (None, Method::Directional, Objective::Accuracy) => 0.03,
            _ => self.quotient.step_size().fixed(),
        }
    }

    fn settings(&self, dataset: &Dataset) -> Result<Settings> {
        let steps = match (self.steps, self.epochs) {
            (Some(steps), _) => steps,
            (None, None) => DEFAULT_STEPS,
            (None, Some(epochs)) => {
                let samples = epochs.checked_mul(dataset.train().len() as u64);
                let samples = samples.ok_or_else(|| Error::config(format!("{epochs} epochs are too many")))?;
                samples.div_ceil(self.batch_size.into())
            }
        };
        Ok(Settings {
            method: self.gradient,
            difference: self.quotient.difference,
            step_size: self.step_size(),
            probes: self.quotient.probes,
            directions: self.directions.into(),
            objective: self.objective,
            batch_size: self.batch_size as usize,
            steps,
            learning_rate: self.learning_rate,
            rule: self.optimizer.rule(),
            sampling: self.sampling,
            seed: self.seed,
            eval_every: self.eval_every,
            memory: self.device.memory,
            ..Settings::default()
        })
    }

    /// What is about to be done, on stderr.
    fn announce(&self, record: &RunRecord, dataset: &Dataset, network: &Network) {
        let (train, test) = (dataset.train(), dataset.test());
        let shape = format!("{}x{}", train.rows(), train.columns());
        let (training, testing) = (count(train.len() as u64), count(test.len() as u64));
        let told = if self.steps.or(self.epochs).is_none() { " (the default; --steps or --epochs)" } else { "" };
        let parameters = count(network.architecture.parameter_count() as u64);
        let cost = relative_cost(&network.architecture);
        if self.gradient == Method::Numerical && cost > DEAR {
            let cost = report::significant(cost);
            report::warning(&format!(
                "behind each unit all layers are gone through: about {cost} times the work of back-propagation; \
                 --gradient directional is the cheap numerical one, --gradient backprop the second opinion"
            ));
        }
        report::note(&report::pairs(&[
            ("device", record.device.to_string()),
            ("data", format!("{}: {training} training and {testing} test images of {shape}", dataset.name())),
            ("network", format!("{}, {parameters} parameters", record.network())),
            ("run", format!("{}{told}", record.run())),
        ]));
    }
}

/// Watches a run: shows it, logs it, and stops it when asked to.
struct Watch {
    progress: Option<Progress>,
    logs: Vec<RunLog>,
    /// Where they are to be drawn.
    curves: Option<TrainingCurves>,
    /// Where networks on the way are kept.
    checkpoints: Option<Kept>,
    /// In place of the progress.
    live: Option<Live>,
    interrupt: Interrupt,
    /// Why a log ended early. It stops the run in an orderly way, so that what was learnt is not lost with it.
    failure: Option<Error>,
}

impl Watch {
    fn log(&mut self, write: impl Fn(&mut RunLog) -> Result<()>) {
        let failure = &mut self.failure;
        self.logs.retain_mut(|log| write(log).map_err(|error| *failure = Some(error)).is_ok());
    }
}

impl Observer for Watch {
    fn losses(&mut self, first: u64, losses: &[f32], seconds: f64) -> Result<()> {
        self.log(|log| log.losses(first, losses));
        if let Some(curves) = &mut self.curves {
            (first..).zip(losses).for_each(|(step, &loss)| curves.losses.push(step, loss));
        }
        if let (Some(progress), Some(&loss)) = (&mut self.progress, losses.last()) {
            progress.step(first + losses.len() as u64 - 1, loss, seconds);
        }
        if let Some(live) = &mut self.live {
            live.losses(first, losses, seconds);
        }
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.log(|log| log.evaluation(evaluation));
        if let Some(curves) = &mut self.curves {
            curves.evaluations.push(evaluation.clone());
        }
        if let Some(progress) = &mut self.progress {
            progress.evaluation(evaluation);
        }
        if let Some(live) = &mut self.live {
            live.evaluation(evaluation);
        }
        Ok(())
    }

    fn wants_parameters(&mut self, step: u64) -> bool {
        self.checkpoints.as_ref().is_some_and(|kept| kept.wants(step))
    }

    fn parameters(&mut self, step: u64, parameters: Vec<f32>) -> Result<()> {
        if let Some(Err(error)) = self.checkpoints.as_mut().map(|kept| kept.save(step, parameters)) {
            self.failure = Some(error);
        }
        Ok(())
    }

    fn stop(&mut self) -> bool {
        self.failure.is_some() || self.interrupt.asked()
    }
}
