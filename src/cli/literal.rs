//! `--method literal` of `gpu-train gradient`: what it costs is told before, and how far it is while it lasts.

use std::time::Instant;

use super::gradient::Found;
use super::interrupt::Interrupt;
use super::options::QuotientOptions;
use super::samples::Samples;
use super::values::StepSize;
use crate::Result;
use crate::backend::Backend;
use crate::device::DeviceKind;
use crate::gradient::{
    ErrorEstimate, GradientOptions, LiteralOptions, LiteralQuotients, Method, Rounding, all_parameters, balanced_steps,
    device_literal_quotients, literal_cost, literal_floor, literal_quotients, literal_rounding, measured_gradient,
    truncation_estimates,
};
use crate::network::Network;
use crate::report::{self, Counter, count, duration, significant};

/// Runs that take longer than this are announced.
const LONG: f64 = 2.0;

/// What was asked for.
pub(super) struct Request {
    pub(super) quotient: QuotientOptions,
    pub(super) threads: Option<usize>,
    pub(super) repeat: Option<usize>,
    pub(super) quiet: bool,
}

/// Which parameters of which network, and at which steps.
struct Loop<'a> {
    network: &'a Network,
    samples: &'a Samples,
    options: GradientOptions,
    threads: Option<usize>,
    /// A step for every tensor, where they were chosen.
    steps: Option<Vec<f32>>,
}

/// The literal gradient of every parameter.
pub(super) fn gradient(
    backend: &mut dyn Backend,
    network: &Network,
    samples: &Samples,
    request: &Request,
    interrupt: &Interrupt,
) -> Result<Found> {
    let options = request.quotient.gradient_options(Method::Numerical, None);
    let mut work = Loop { network, samples, options, threads: request.threads, steps: None };
    if request.quotient.step_size() == StepSize::Auto {
        work.steps = Some(work.balanced(backend)?);
    }
    let places = all_parameters(network);
    work.announce(backend, &places, request, interrupt)?;
    let timed = |backend: &mut dyn Backend| -> Result<(LiteralQuotients, f64)> {
        let counter = (!request.quiet).then(|| Counter::new("parameter", places.len() as u64));
        let begun = Instant::now();
        let watch = |done: u64| {
            if let Some(counter) = &counter {
                counter.at(done);
            }
            !interrupt.asked()
        };
        let found = work.run(backend, &places, &watch)?;
        Ok((found, begun.elapsed().as_secs_f64()))
    };
    let (found, mut seconds) = timed(backend)?;
    if let Some(repeat) = request.repeat {
        let mut times = (0..repeat.max(1)).map(|_| Ok(timed(backend)?.1)).collect::<Result<Vec<_>>>()?;
        times.sort_by(f64::total_cmp);
        seconds = 0.5 * (times[(times.len() - 1) / 2] + times[times.len() / 2]);
    }
    let mut gradient = vec![0.0; network.layout.len()];
    for (&place, &quotient) in places.iter().zip(&found.quotients) {
        gradient[place] = quotient;
    }
    let estimates = work.estimates(backend, &gradient)?;
    Ok(Found {
        loss: found.loss,
        seconds,
        loss_evaluations: found.loss_evaluations as f64,
        probes: None,
        gradient,
        estimates,
        steps: work.steps,
    })
}

impl Loop<'_> {
    /// Steps at which truncation is in balance with the rounding of losses.
    fn balanced(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        let source = self.samples.source();
        let forward_pass = GradientOptions { method: Method::Backprop, ..self.options };
        let loss = f64::from(measured_gradient(backend, self.network, &source, forward_pass, None)?.loss);
        let each = match backend.info().kind {
            DeviceKind::Cpu => literal_floor(loss, 1.0),
            // A loss in float32, and a mean of them.
            _ => f64::from(f32::EPSILON) * loss.abs(),
        };
        balanced_steps(backend, self.network, &source, self.options, Rounding::OfLosses(each))
    }

    fn step_of(&self, place: usize) -> f32 {
        let steps = self.steps.iter().flatten();
        let mut tensors = self.network.layout.tensors().zip(steps);
        tensors.find(|(tensor, _)| tensor.range().contains(&place)).map_or(self.options.step_size, |(_, &step)| step)
    }

    /// The quotients of these parameters, in order: in float64 on the CPU, in float32 on an adapter.
    fn run(
        &self,
        backend: &mut dyn Backend,
        places: &[usize],
        watch: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<LiteralQuotients> {
        let mut all = LiteralQuotients { loss: f64::NAN, quotients: Vec::new(), loss_evaluations: 0 };
        let source = self.samples.source();
        let by_step = places.chunk_by(|&a, &b| self.steps.is_none() || self.step_of(a) == self.step_of(b));
        for part in by_step {
            let step_size = part.first().map_or(self.options.step_size, |&place| self.step_of(place));
            let how = LiteralOptions { difference: self.options.difference, step_size, threads: self.threads };
            let before = all.quotients.len() as u64;
            let watch = |done| watch(before + done);
            let found = match backend.info().kind {
                DeviceKind::Cpu => literal_quotients(self.network, &source, part, how, &watch)?,
                _ => device_literal_quotients(backend, self.network, &source, part, how, &watch)?,
            };
            all.loss = found.loss;
            all.loss_evaluations += found.loss_evaluations;
            all.quotients.extend(found.quotients);
        }
        Ok(all)
    }

    /// What the quotients leave out is the same however they are computed, and the fast gradient tells it at once; what
    /// rounding cost is the distance of some of them to quotients that do not cancel.
    fn estimates(&self, backend: &mut dyn Backend, gradient: &[f64]) -> Result<Vec<ErrorEstimate>> {
        let source = self.samples.source();
        let mut known: Option<(f32, Vec<f64>)> = None;
        let mut estimates = Vec::new();
        for (index, tensor) in self.network.layout.tensors().enumerate() {
            let step_size = self.step_of(tensor.offset);
            let (_, truncation) = match known.take().filter(|(step, _)| *step == step_size) {
                Some(same) => known.insert(same),
                None => {
                    let options = GradientOptions { step_size, ..self.options };
                    let fast = measured_gradient(backend, self.network, &source, options, None)?.gradient;
                    let truncation = truncation_estimates(backend, self.network, &source, options, &fast)?;
                    known.insert((step_size, truncation))
                }
            };
            let truncation = truncation.get(index).copied().unwrap_or(f64::NAN);
            let difference = self.options.difference;
            let rounding = literal_rounding(self.network, &source, &tensor, gradient, difference, step_size)?;
            estimates.push(ErrorEstimate { truncation, rounding });
        }
        Ok(estimates)
    }

    /// Says what a long run will cost, measured on a few parameters.
    fn announce(
        &self,
        backend: &mut dyn Backend,
        places: &[usize],
        request: &Request,
        interrupt: &Interrupt,
    ) -> Result<()> {
        if request.quiet {
            return Ok(());
        }
        let few = match backend.info().kind {
            DeviceKind::Cpu => &places[..places.len().min(16)],
            // As many as go into a run; and one run before, in which drivers compile.
            _ => &places[..places.len().min(512)],
        };
        if backend.info().kind != DeviceKind::Cpu {
            self.run(backend, few, &|_| !interrupt.asked())?;
        }
        let begun = Instant::now();
        self.run(backend, few, &|_| !interrupt.asked())?;
        let expected = begun.elapsed().as_secs_f64() / few.len() as f64 * places.len() as f64;
        if expected > LONG {
            let difference = self.options.difference;
            let losses = (places.len() * difference.points().len()) as u64;
            let work = significant(literal_cost(self.network, self.samples.len(), difference) * 1e-9);
            report::note(&format!(
                "literal  {} losses of {} samples, {work} thousand million multiply-adds: about {}; --method numerical \
                 gives the same quotients at once",
                count(losses),
                count(self.samples.len() as u64),
                duration(expected),
            ));
        }
        Ok(())
    }
}
