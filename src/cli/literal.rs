//! `--method literal` of `gpu-train gradient`: what it costs is told before, and how far it is while it lasts.

use std::time::Instant;

use super::gradient::Found;
use super::interrupt::Interrupt;
use super::options::QuotientOptions;
use super::samples::Samples;
use super::values::StepSize;
use crate::Result;
use crate::backend::Backend;
use crate::gradient::{
    ErrorEstimate, GradientOptions, LiteralOptions, LiteralQuotients, Method, Rounding, all_parameters, balanced_steps,
    literal_cost, literal_floor, literal_quotients, literal_rounding, measured_gradient, truncation_estimates,
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

/// The literal gradient of every parameter.
pub(super) fn gradient(
    backend: &mut dyn Backend,
    network: &Network,
    samples: &Samples,
    request: &Request,
    interrupt: &Interrupt,
) -> Result<Found> {
    let source = samples.source();
    let options = request.quotient.gradient_options(Method::Numerical);
    let loss =
        measured_gradient(backend, network, &source, GradientOptions { method: Method::Backprop, ..options }, None)?
            .loss;
    let steps = match request.quotient.step_size {
        StepSize::Fixed(_) => None,
        StepSize::Auto => {
            let rounding = Rounding::OfLosses(literal_floor(loss.into(), 1.0));
            Some(balanced_steps(backend, network, &source, options, rounding)?)
        }
    };
    let places = all_parameters(network);
    let step_of = |place: usize| match &steps {
        None => options.step_size,
        Some(steps) => {
            let tensors = network.layout.tensors().zip(steps);
            tensors.filter(|(tensor, _)| tensor.range().contains(&place)).map(|(_, &step)| step).fold(0.0, f32::max)
        }
    };
    let run = |places: &[usize], watch: &(dyn Fn(u64) -> bool + Sync)| -> Result<LiteralQuotients> {
        let mut all = LiteralQuotients { loss: f64::NAN, quotients: Vec::new(), loss_evaluations: 0 };
        for part in places.chunk_by(|&a, &b| step_of(a) == step_of(b)) {
            let step_size = part.first().map_or(options.step_size, |&place| step_of(place));
            let how = LiteralOptions { difference: options.difference, step_size, threads: request.threads };
            let before = all.quotients.len() as u64;
            let found = literal_quotients(network, &source, part, how, &|done| watch(before + done))?;
            all.loss = found.loss;
            all.loss_evaluations += found.loss_evaluations;
            all.quotients.extend(found.quotients);
        }
        Ok(all)
    };
    announce(network, samples, &places, request, interrupt, &run)?;
    let timed = || -> Result<(LiteralQuotients, f64)> {
        let counter = (!request.quiet).then(|| Counter::new("parameter", places.len() as u64));
        let begun = Instant::now();
        let watch = |done: u64| {
            if let Some(counter) = &counter {
                counter.at(done);
            }
            !interrupt.asked()
        };
        let found = run(&places, &watch)?;
        Ok((found, begun.elapsed().as_secs_f64()))
    };
    let (found, mut seconds) = timed()?;
    if let Some(repeat) = request.repeat {
        let mut times = (0..repeat.max(1)).map(|_| Ok(timed()?.1)).collect::<Result<Vec<_>>>()?;
        times.sort_by(f64::total_cmp);
        seconds = 0.5 * (times[(times.len() - 1) / 2] + times[times.len() / 2]);
    }
    let mut gradient = vec![0.0; network.layout.len()];
    for (&place, &quotient) in places.iter().zip(&found.quotients) {
        gradient[place] = quotient;
    }
    // What the quotient leaves out is the same however it is computed; the fast one tells it at once.
    let mut estimates = Vec::new();
    for (index, tensor) in network.layout.tensors().enumerate() {
        let step_size = step_of(tensor.offset);
        let options = GradientOptions { step_size, ..options };
        let fast = measured_gradient(backend, network, &source, options, None)?.gradient;
        let truncation = truncation_estimates(backend, network, &source, options, &fast)?;
        let rounding = literal_rounding(network, &source, &tensor, &gradient, options.difference, step_size)?;
        estimates.push(ErrorEstimate { truncation: truncation.get(index).copied().unwrap_or(f64::NAN), rounding });
    }
    Ok(Found {
        loss: found.loss,
        seconds,
        loss_evaluations: found.loss_evaluations as f64,
        probes: None,
        gradient,
        estimates,
        steps,
    })
}

/// Says what a long run will cost, measured on a few parameters.
fn announce(
    network: &Network,
    samples: &Samples,
    places: &[usize],
    request: &Request,
    interrupt: &Interrupt,
    run: &dyn Fn(&[usize], &(dyn Fn(u64) -> bool + Sync)) -> Result<LiteralQuotients>,
) -> Result<()> {
    if request.quiet {
        return Ok(());
    }
    let few = &places[..places.len().min(16)];
    let begun = Instant::now();
    run(few, &|_| !interrupt.asked())?;
    let expected = begun.elapsed().as_secs_f64() / few.len() as f64 * places.len() as f64;
    if expected > LONG {
        let difference = request.quotient.difference;
        let losses = (places.len() * difference.points().len()) as u64;
        let work = significant(literal_cost(network, samples.len(), difference) * 1e-9);
        report::note(&format!(
            "literal  {} losses of {} samples, {work} thousand million multiply-adds: about {}; --method numerical \
             gives the same quotients at once",
            count(losses),
            count(samples.len() as u64),
            duration(expected),
        ));
    }
    Ok(())
}
