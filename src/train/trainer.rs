//! The training loop: blocks of steps go to the device, blocks of losses come back.

use std::time::{Duration, Instant};

use super::blocks::{BLOCK_STEPS, Blocks};
use super::evaluate::{Evaluator, check_split, chunk};
use super::settings::{Evaluation, Observer, Settings, Summary};
use super::source::Source;
use crate::backend::{Advance, Backend, Gather, ProgramId, ReadId, Recording, Scope, Span, Tensor, Update, Words};
use crate::data::Dataset;
use crate::gradient::{Batch, GradientOptions, GradientStep, NetworkTensors};
use crate::network::Network;
use crate::{Error, Result};

/// Trains `network` on the training split by mini-batch gradient descent, and evaluates it on both.
///
/// `network.parameters` hold the trained values afterwards, also when the observer stopped the run.
///
/// # Errors
/// [`Error::Config`] for settings or data that do not fit; [`Error::NonFinite`] when the loss leaves the finite
/// numbers; or when the device or the observer fails.
pub fn train(
    backend: &mut dyn Backend,
    dataset: &Dataset,
    network: &mut Network,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    check(dataset, network, settings)?;
    Scope::with(backend, |backend| train_on(backend, dataset, network, settings, observer))
}

/// The same, once everything is known to fit.
fn train_on(
    backend: &mut dyn Backend,
    dataset: &Dataset,
    network: &mut Network,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let mut run = Run::new(backend, dataset, network, settings)?;
    let outcome = run.train(backend, dataset, observer);
    if let Err(Error::NonFinite { value, step, .. }) = outcome {
        network.parameters = backend.read_tensor(run.tensors.parameters)?;
        let culprit = match network.non_finite_tensor() {
            Some(name) => format!("{name} is not finite"),
            None => "all parameters are finite, but what they make of the batch is not".into(),
        };
        return Err(Error::NonFinite { value, step, culprit });
    }
    let summary = outcome?;
    network.parameters = backend.read_tensor(run.tensors.parameters)?;
    Ok(summary)
}

fn check(dataset: &Dataset, network: &Network, settings: &Settings) -> Result<()> {
    check_split(network, dataset.train())?;
    check_split(network, dataset.test())?;
    if settings.steps == 0 {
        return Err(Error::config("a run of 0 steps"));
    }
    if settings.eval_every == Some(0) {
        return Err(Error::config("an evaluation every 0 steps"));
    }
    if !(settings.learning_rate.is_finite() && settings.learning_rate > 0.0) {
        return Err(Error::config(format!("the learning rate is {}; it must be positive", settings.learning_rate)));
    }
    match network.non_finite_tensor() {
        Some(name) => Err(Error::config(format!("{name} is not finite before the first step"))),
        None => Ok(()),
    }
}

/// Everything of a run that lives on the device.
struct Run<'a> {
    settings: &'a Settings,
    tensors: NetworkTensors,
    batch: Batch,
    step: GradientStep,
    /// A whole step, or what comes before the gradient is refined and what comes after it.
    program: ProgramId,
    after: Option<ProgramId>,
    blocks: Blocks,
    source: Source,
    indices: Words,
    cursor: Words,
    losses: Tensor,
    train: Evaluator,
    test: Evaluator,
}

/// Losses on their way back.
struct Pending {
    read: ReadId,
    first: u64,
    submitted: Instant,
}

impl<'a> Run<'a> {
    fn new(backend: &mut dyn Backend, dataset: &Dataset, network: &Network, settings: &'a Settings) -> Result<Self> {
        let samples = settings.batch_size;
        let tensors = NetworkTensors::upload(backend, network)?;
        let budget = settings.memory.unwrap_or(u64::MAX);
        let block = Blocks::steps(dataset.train(), settings, budget.min(backend.max_buffer_bytes()))?;
        // An evaluation goes through the same block.
        let evaluated = chunk(backend, &network.architecture).min(dataset.train().len());
        let source = Source::new(backend, dataset.train(), (block * samples).max(evaluated), budget)?;
        let blocks = Blocks::new(dataset.train(), settings, block, !source.resident)?;
        let indices = backend.words(block * samples, "indices")?;
        let (cursor, steps_done) = (backend.words(1, "cursor")?, backend.words(1, "steps done")?);
        let losses = backend.tensor(BLOCK_STEPS, 1, "losses")?;
        let batch = Batch {
            inputs: backend.tensor(samples, dataset.train().features(), "inputs")?,
            targets: backend.words(samples, "targets")?,
            from_bytes: true,
        };
        let options = GradientOptions {
            method: settings.method,
            difference: settings.difference,
            step_size: settings.step_size,
            probes: settings.probes,
            nodes: None,
            memory: settings.memory,
            directions: settings.directions,
            objective: settings.objective,
            seed: settings.seed,
        };
        let step = GradientStep::new(backend, &tensors, &batch, options)?;
        let state = match settings.rule.state_blocks() {
            0 => None,
            count => Some(backend.tensor(count, network.layout.len(), "optimizer state")?),
        };
        let mut recording = Recording::new();
        let (images, labels) = (source.images, source.labels);
        recording.push(Gather { images, labels, indices, cursor, inputs: batch.inputs, targets: batch.targets })?;
        step.record(&mut recording, &tensors, &batch, losses, cursor)?;
        let before = step.must_be_refined().then(|| std::mem::take(&mut recording));
        recording.push(Update {
            rule: settings.rule,
            learning_rate: settings.learning_rate,
            parameters: tensors.parameters,
            gradient: step.gradient,
            state,
            step: steps_done,
        })?;
        recording.push(Advance { cursor, step: steps_done })?;
        let rest = backend.prepare(&recording)?;
        let (program, after) = match before {
            Some(before) => (backend.prepare(&before)?, Some(rest)),
            None => (rest, None),
        };
        let train = Evaluator::with_source(backend, &tensors, dataset.train(), source)?;
        let test = Evaluator::new(backend, &tensors, dataset.test(), budget)?;
        Ok(Self {
            settings,
            tensors,
            batch,
            step,
            program,
            after,
            blocks,
            source,
            indices,
            cursor,
            losses,
            train,
            test,
        })
    }

    fn train(&mut self, backend: &mut dyn Backend, dataset: &Dataset, observer: &mut dyn Observer) -> Result<Summary> {
        let steps = self.settings.steps;
        let epoch = dataset.train().len() as f64 / self.settings.batch_size as f64;
        let every = self.settings.evaluation_interval(dataset.train().len());
        let start = Instant::now();
        let mut clock = Clock { start, paused: Duration::ZERO, first_step: None, last_loss: f32::NAN };
        let (mut done, mut run_length) = (0, 1);
        let mut pending: Option<Pending> = None;
        let mut evaluation = None;
        let mut interrupted = false;
        while done < steps && !interrupted {
            let block = self.blocks.load(backend, &self.source, self.indices, self.cursor)?;
            if block == 0 {
                break;
            }
            let mut at = 0;
            while at < block && !interrupted {
                let to_evaluation = every - done % every;
                let length = run_length.min(block - at).min(usize::try_from(to_evaluation).unwrap_or(usize::MAX));
                let submitted = Instant::now();
                self.steps(backend, length)?;
                let row = self.losses.offset + at;
                let read =
                    backend.begin_read(Span { buffer: self.losses.buffer, start: row * 4, end: (row + length) * 4 })?;
                let next = Pending { read, first: done + 1, submitted };
                done += length as u64;
                at += length;
                // The device works on this run while the losses of the one before are looked at.
                let ready = if done == length as u64 { Some(next) } else { pending.replace(next) };
                if let Some(ready) = ready {
                    let elapsed = clock.receive(backend, ready, observer)?;
                    run_length = adapted(run_length, elapsed, self.settings.run_time);
                }
                interrupted = observer.stop();
                if done.is_multiple_of(every) || done == steps || interrupted {
                    if let Some(last) = pending.take() {
                        clock.receive(backend, last, observer)?;
                    }
                    let from = Instant::now();
                    let scores = self.evaluate(backend, dataset, done, epoch)?;
                    observer.evaluation(&scores)?;
                    if observer.wants_parameters(done) {
                        observer.parameters(done, backend.read_tensor(self.tensors.parameters)?)?;
                    }
                    evaluation = Some(scores);
                    clock.paused += from.elapsed();
                }
            }
            // The block's indices are written over by the next one's only after its runs: writes keep their order.
        }
        let seconds = clock.seconds();
        let (probes, loss_evaluations) = self.step.report(backend, done)?;
        let evaluation = match evaluation {
            Some(evaluation) => evaluation,
            None => self.evaluate(backend, dataset, done, epoch)?,
        };
        Ok(Summary {
            steps: done,
            epochs: done as f64 / epoch,
            seconds,
            first_step: clock.first_step.unwrap_or(start),
            loss_evaluations,
            final_batch_loss: clock.last_loss,
            probes,
            evaluation,
            interrupted,
        })
    }

    /// Does so many steps.
    fn steps(&mut self, backend: &mut dyn Backend, length: usize) -> Result<()> {
        let Some(after) = self.after else { return backend.run(self.program, length) };
        for _ in 0..length {
            backend.run(self.program, 1)?;
            self.step.refine(backend, &self.tensors, &self.batch)?;
            backend.run(after, 1)?;
        }
        Ok(())
    }

    fn evaluate(&self, backend: &mut dyn Backend, dataset: &Dataset, step: u64, epoch: f64) -> Result<Evaluation> {
        let train = self.train.score(backend, dataset.train())?;
        let test = self.test.score(backend, dataset.test())?;
        self.restore(backend)?;
        Ok(Evaluation { step, epoch: step as f64 / epoch, train, test })
    }

    /// An evaluation of data that are not resident used their block; the rest of the block's steps need it again.
    fn restore(&self, backend: &mut dyn Backend) -> Result<()> {
        if self.source.resident { Ok(()) } else { self.blocks.upload(backend, &self.source) }
    }
}

/// Time spent training, and what came back so far.
struct Clock {
    start: Instant,
    paused: Duration,
    first_step: Option<Instant>,
    last_loss: f32,
}

impl Clock {
    fn seconds(&self) -> f64 {
        (self.start.elapsed().saturating_sub(self.paused)).as_secs_f64()
    }

    /// Waits for a run's losses and passes them on; returns how long the run took, submission to arrival.
    fn receive(&mut self, backend: &mut dyn Backend, run: Pending, observer: &mut dyn Observer) -> Result<Duration> {
        let losses: Vec<f32> = bytemuck::cast_vec(backend.finish_read(run.read)?);
        self.first_step.get_or_insert_with(Instant::now);
        if let Some(position) = losses.iter().position(|loss| !loss.is_finite()) {
            // Those before it count: a curve shows how it came to that.
            observer.losses(run.first, &losses[..position], self.seconds())?;
            let step = run.first + position as u64;
            return Err(Error::NonFinite { value: losses[position], step, culprit: String::new() });
        }
        self.last_loss = losses.last().copied().unwrap_or(self.last_loss);
        observer.losses(run.first, &losses, self.seconds())?;
        Ok(run.submitted.elapsed())
    }
}

/// The next run's length, for runs of about that time. No block is longer than [`BLOCK_STEPS`], so where steps take next to
/// nothing it must not grow for ever.
fn adapted(length: usize, elapsed: Duration, run_time: Duration) -> usize {
    if elapsed < run_time / 2 {
        (length * 2).min(BLOCK_STEPS)
    } else if elapsed > run_time * 2 {
        (length / 2).max(1)
    } else {
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_to_their_time_and_shrink_back() {
        let (per_step, run_time) = (Duration::from_millis(3), Duration::from_millis(120));
        let mut length = 1;
        for _ in 0..20 {
            length = adapted(length, per_step * length as u32, run_time);
        }
        assert!((run_time / 2..=run_time * 2).contains(&(per_step * length as u32)), "{length}");
        assert_eq!(adapted(1, Duration::from_secs(60), run_time), 1);
        for _ in 0..100 {
            length = adapted(length, Duration::ZERO, run_time);
        }
        assert_eq!(length, BLOCK_STEPS);
    }
}
