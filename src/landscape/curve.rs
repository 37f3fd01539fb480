//! Loss and accuracy along one parameter, and their derivatives there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::slice::scores;
use super::{CHUNK, Samples, Watch};
use crate::backend::Backend;
use crate::gradient::{BatchSource, quotients_along};
use crate::network::Network;
use crate::{Error, Result};

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// How far the parameter is from its value.
    pub shift: f64,
    /// Mean loss.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// `(L(shift + h) - L(shift - h)) / 2h`, in float64.
    pub loss_derivative: f64,
    /// The same of the accuracy.
    pub accuracy_derivative: f64,
}

/// The curve along the parameter at `place` in the block, at these shifts.
///
/// Loss and accuracy, and the accuracy's quotients, come from forward passes on the device. The loss's quotients would be
/// differences of losses in float32 there, and are computed on the host in float64.
///
/// # Errors
/// [`Error::Config`] when something does not fit, or for what [`check_shifts`] refuses; [`Error::Interrupted`] when
/// `watch` said so; or when the device fails.
pub fn curve(
    backend: &mut dyn Backend,
    network: &Network,
    place: usize,
    shifts: &[f64],
    samples: Samples<'_>,
    step_size: f32,
    memory: Option<u64>,
    watch: Watch<'_>,
) -> Result<Vec<CurvePoint>> {
    samples.check(network)?;
    check_shifts(shifts, step_size)?;
    let mut direction = vec![0.0; network.layout.len()];
    match direction.get_mut(place) {
        Some(element) => *element = 1.0,
        None => return Err(Error::config(format!("there is no parameter at {place}"))),
    }
    let h = f64::from(step_size);
    let points: Vec<f32> = shifts.iter().flat_map(|shift| [shift - h, *shift, shift + h]).map(|x| x as f32).collect();
    let found = scores(backend, network, &[direction], &points, samples, memory, watch)?;
    let slopes = loss_quotients(network, place, shifts, samples, step_size, &mut || watch(points.len() as u64))?;
    let points = found.chunks_exact(3).zip(points.chunks_exact(3)).zip(shifts.iter().zip(slopes));
    let curve = points.map(|((scores, at), (&shift, loss_derivative))| {
        // Divided by the step that was really taken: far from 0 float32 has few numbers near each other.
        let taken = f64::from(at[2]) - f64::from(at[0]);
        let gained = scores[2].accuracy - scores[0].accuracy;
        let accuracy_derivative = if gained == 0.0 { 0.0 } else { gained / taken };
        CurvePoint { shift, loss: scores[1].loss, accuracy: scores[1].accuracy, loss_derivative, accuracy_derivative }
    });
    Ok(curve.collect())
}

/// Whether a step can be told from none at each of these shifts, in float32 as a weight is.
///
/// # Errors
/// [`Error::Config`] for a shift beside which the step is lost.
pub fn check_shifts(shifts: &[f64], step_size: f32) -> Result<()> {
    let h = f64::from(step_size);
    let is_lost = |shift: &&f64| {
        let (below, above) = ((**shift - h) as f32, (**shift + h) as f32);
        !(above.is_finite() && below.is_finite()) || above <= below
    };
    match shifts.iter().find(is_lost) {
        None => Ok(()),
        Some(shift) => {
            let problem =
                format!("a step of {step_size} is none in float32 where a weight is moved by {:e}", *shift as f32);
            Err(Error::config_hint(problem, "a smaller --span, or a larger --step-size"))
        }
    }
}

/// The quotients of the mean loss, chunk by chunk of samples on all cores.
fn loss_quotients(
    network: &Network,
    place: usize,
    shifts: &[f64],
    samples: Samples<'_>,
    step_size: f32,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<f64>> {
    let chunks: Vec<_> = samples.chunks(network.architecture.inputs(), CHUNK / 4).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Samples { images, labels } = *chunks.get(index).filter(|_| !stop.load(Ordering::Relaxed))?;
        let source = BatchSource::Bytes { images, labels };
        Some(quotients_along(network, &source, place, shifts, step_size).map(|found| (index, found)))
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut found = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(chunks.len()))
            .map(|_| scope.spawn(|| std::iter::from_fn(take).collect::<Vec<_>>()))
            .collect();
        let mut found = Vec::new();
        while let Some(one) = take() {
            found.push(one);
            if !go_on() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found.into_iter().collect::<Result<Vec<_>>>()
    })?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted);
    }
    // Added in one order, whoever came first.
    found.sort_by_key(|(index, _)| *index);
    let mut sums = vec![0.0; shifts.len()];
    for (index, quotients) in found {
        let share = chunks[index].len() as f64 / samples.len() as f64;
        sums.iter_mut().zip(quotients).for_each(|(sum, quotient)| *sum += share * quotient);
    }
    Ok(sums)
}
