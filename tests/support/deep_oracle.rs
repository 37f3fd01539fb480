//! What the kernels that follow probes through hidden layers must leave in memory.

use gpu_train::backend::{ProbeBehind, ProbeChunk, ProbeDifference, ProbeThrough, spare_pairs};
use gpu_train::network::Activation;

use super::memory::Contents;
use super::oracle::Expected;
use super::reference::{self, Probe, activate, slope_scale};
use super::tolerance::{Tolerance, ULP};

/// Units in the last place that an activation's change may be wrong by, two of them one after the other.
const CHANGE_ULPS: f64 = 24.0;

/// The points at which curves are measured, as shares of the reach: nodes, then spare ones.
fn positions(nodes: usize) -> Vec<f64> {
    let spare = [0, nodes / 2, nodes - 1].into_iter().take(spare_pairs(nodes)).map(|extremum| {
        let place = (std::f64::consts::PI * extremum as f64 / nodes as f64).cos();
        ((1.0 + place) / 2.0).sqrt()
    });
    reference::nodes(nodes).into_iter().map(|(share, _)| share).chain(spare).collect()
}

/// The reach of each curve of a chunk.
fn reaches(chunk: &ProbeChunk, before: &Contents) -> Vec<f64> {
    let units = chunk.pre_activations.columns;
    let range = chunk.range.map(|range| before.floats(range));
    (chunk.first..chunk.first + chunk.count)
        .map(|number| f64::from(chunk.step_size) * range.as_ref().map_or(1.0, |range| range[number / units]))
        .collect()
}

/// `phi(b + x) - phi(b)`, and how large it is before anything in it cancels, where `x` is as uncertain as `size`.
fn changed(activation: Activation, b: f64, x: f64, size: f64) -> (f64, f64) {
    let change = activate(activation, b + x) - activate(activation, b);
    let slope = slope_scale(activation, b).max(slope_scale(activation, b + x));
    // What float64 leaves of the subtraction; GELU is b times a share of 1, which is known to so much of 1.
    let size_of_terms = activate(activation, b).abs() + if activation == Activation::Gelu { b.abs() } else { 0.0 };
    let floor = 4.0 * size_of_terms * f64::EPSILON / (CHANGE_ULPS * ULP);
    (change, change.abs() + size * slope + floor)
}

/// Rows that are changes of these moves, and which curves are kinked.
struct Followed {
    values: Vec<f64>,
    magnitudes: Vec<f64>,
    /// By how much the nearest kink is missed, as a share of its distance; below 0 where it is hit.
    missed: Vec<f64>,
}

/// Changes of the units `behind` under moves `x(curve, side, k)` at a pair, each with its uncertainty.
fn follow(
    chunk: &ProbeChunk,
    behind: &[f64],
    width: usize,
    mut moves: impl FnMut(usize, usize, usize, usize) -> (f64, f64),
) -> Followed {
    let (units, positions) = (chunk.pre_activations.columns, positions(chunk.nodes));
    let mut followed =
        Followed { values: Vec::new(), magnitudes: Vec::new(), missed: vec![f64::INFINITY; chunk.count] };
    for (pair, position) in positions.iter().enumerate() {
        for curve in 0..chunk.count {
            let row = &behind[(chunk.first + curve) / units * width..][..width];
            for side in 0..2 {
                for (k, &b) in row.iter().enumerate() {
                    let (x, size) = moves(pair, curve, side, k);
                    let (value, magnitude) = changed(chunk.activation, b, x, size);
                    followed.values.push(value);
                    followed.magnitudes.push(magnitude);
                    if pair == 0 && chunk.activation == Activation::Relu {
                        let missed = b.abs() - x.abs() / position;
                        let share = if missed == 0.0 { 0.0 } else { missed / b.abs().max(x.abs()) };
                        followed.missed[curve] = followed.missed[curve].min(share);
                    }
                }
            }
        }
    }
    followed
}

/// What the kinks must be: whatever it is where rounding decides.
fn kinks(missed: &[f64], before: impl Fn(usize) -> f64, after: &[f64]) -> Vec<f64> {
    let kink = |(curve, &missed): (usize, &f64)| {
        if missed.abs() < 1e-4 {
            after[curve]
        } else if missed < 0.0 {
            f64::INFINITY
        } else {
            before(curve)
        }
    };
    missed.iter().enumerate().map(kink).collect()
}

fn rows(tensor: gpu_train::backend::Tensor, operand: &'static str, followed: &Followed) -> Expected {
    let magnitudes = followed.magnitudes.clone();
    let tolerance = Tolerance::Scaled { ulps: CHANGE_ULPS, magnitudes, reason: "of the changes before they cancel" };
    Expected::floats(operand, tensor, followed.values.clone(), tolerance)
}

/// What [`ProbeBehind`] must write.
pub(crate) fn behind(op: &ProbeBehind, before: &Contents, after: &Contents) -> Vec<Expected> {
    let (chunk, width, units) = (&op.chunk, op.behind.columns, op.chunk.pre_activations.columns);
    let (a, weight, reaches) = (before.floats(chunk.pre_activations), before.floats(op.weight), reaches(chunk, before));
    let positions = positions(chunk.nodes);
    let mut followed = follow(chunk, &before.floats(op.behind), width, |pair, curve, side, k| {
        let number = chunk.first + curve;
        let s = reaches[curve] * positions[pair] * [1.0, -1.0][side];
        let (change, size) = changed(chunk.activation, a[number], s, s.abs());
        let w = weight[number % units * width + k];
        (change * w, size * w.abs())
    });
    if chunk.activation == Activation::Relu {
        for (curve, missed) in followed.missed.iter_mut().enumerate() {
            let a = a[chunk.first + curve].abs();
            *missed = missed.min((a - reaches[curve]) / a.max(reaches[curve]));
        }
    }
    let kinks = kinks(&followed.missed, |_| 0.0, &after.floats(op.kinks));
    vec![rows(op.out, "out", &followed), Expected::floats("kinks", op.kinks, kinks, Tolerance::Exact)]
}

/// What [`ProbeThrough`] must write.
pub(crate) fn through(op: &ProbeThrough, before: &Contents, after: &Contents) -> Vec<Expected> {
    let (chunk, width) = (&op.chunk, op.behind.columns);
    let (x, was) = (before.floats(op.x), before.floats(op.kinks));
    let followed = follow(chunk, &before.floats(op.behind), width, |pair, curve, side, k| {
        let x = x[(2 * (pair * chunk.count + curve) + side) * width + k];
        (x, x.abs())
    });
    let kinks = kinks(&followed.missed, |curve| was[curve], &after.floats(op.kinks));
    vec![rows(op.x, "x", &followed), Expected::floats("kinks", op.kinks, kinks, Tolerance::Exact)]
}

/// Units in the last place of its scale that a curve's change may be wrong by.
const CURVE_ULPS: f64 = 24.0;

/// What [`ProbeDifference`] must write. Its own check error decides which curves it keeps, so what it wrote is asked for.
pub(crate) fn difference(op: &ProbeDifference, before: &Contents, after: &Contents) -> Vec<Expected> {
    let chunk = &op.chunk;
    let (units, classes, curves) = (chunk.pre_activations.columns, op.y.columns, chunk.pre_activations.len());
    let samples = chunk.pre_activations.rows;
    let (moves, y, targets) = (before.floats(op.moves), before.floats(op.y), before.words(op.targets));
    let (was_kinked, got_errors) = (before.floats(op.kinks), after.floats(op.errors));
    let (reaches, positions) = (reaches(chunk, before), positions(chunk.nodes));
    let mut errors = before.floats(op.errors);
    let mut coefficients = before.floats(op.coefficients);
    let mut magnitudes = vec![0.0; coefficients.len()];
    for curve in 0..chunk.count {
        let number = chunk.first + curve;
        let n = number / units;
        let side = |pair: usize, side: usize| {
            let row = (2 * (pair * chunk.count + curve) + side) * classes;
            Probe {
                activation: Activation::Identity,
                a: 0.0,
                to_logits: moves[row..row + classes].to_vec(),
                y: &y[n * classes..(n + 1) * classes],
                target: targets[n],
                output: op.output,
            }
        };
        let quotient =
            |pair: usize| (side(pair, 0).change(1.0) - side(pair, 1).change(1.0)) / (reaches[curve] * positions[pair]);
        let size = |pair: usize| {
            let both = [0, 1].map(|at| side(pair, at).scale_at(1.0));
            (both[0] + both[1]) / (reaches[curve] * positions[pair])
        };
        let places: Vec<f64> = reference::nodes(chunk.nodes).into_iter().map(|(_, place)| place).collect();
        let scale = (0..chunk.nodes).map(size).fold(0.0, f64::max);
        let floor = 64.0 * f64::EPSILON / (reaches[curve] * positions[chunk.nodes - 1]);
        let read: Vec<f64> = (0..chunk.nodes)
            .map(|m| {
                let sum: f64 = places.iter().enumerate().map(|(p, &x)| quotient(p) * reference::chebyshev(m, x)).sum();
                sum * if m == 0 { 1.0 } else { 2.0 } / chunk.nodes as f64
            })
            .collect();
        let got = got_errors[number];
        errors[number] = if was_kinked[curve] > 0.0 {
            f64::INFINITY
        } else if chunk.nodes == 1 {
            0.0
        } else {
            // What the spare pairs see, as a share of the size at the first pair; the estimate may be larger by what the
            // coefficients tell, which do not shrink where moves are no smooth function of the shift.
            let own = [0, 1].map(|at| side(0, at).curve_scale() / 2.0);
            let own = (own[0] + own[1]) / (reaches[curve] * positions[0]);
            let missed = (chunk.nodes..positions.len()).map(|pair| {
                let extremum = [0, chunk.nodes / 2, chunk.nodes - 1][pair - chunk.nodes];
                let place = (std::f64::consts::PI * extremum as f64 / chunk.nodes as f64).cos();
                let polynomial: f64 = read.iter().enumerate().map(|(m, c)| c * reference::chebyshev(m, place)).sum();
                (quotient(pair) - polynomial).abs()
            });
            let missed = missed.fold(0.0, f64::max);
            let last = read[chunk.nodes - 1].abs();
            let noise = 1e-5 * scale.max(own) + floor;
            let low = if missed <= noise { 0.0 } else { 0.9 * (missed - noise) / own };
            let high = (1.1 * missed.max(last) + noise) / own.max(f64::MIN_POSITIVE);
            got.clamp(low, high.max(low))
        };
        let trusted = errors[number] <= f64::from(op.tolerance);
        for (m, value) in read.into_iter().enumerate() {
            let place = (chunk.nodes - 1 - m) * curves + number;
            coefficients[place] = if trusted { value / (2 * samples) as f64 } else { 0.0 };
            magnitudes[place] = (scale.max(value.abs()) + floor / (CURVE_ULPS * ULP)) / (2 * samples) as f64;
        }
    }
    let tolerance = Tolerance::Scaled { ulps: CURVE_ULPS, magnitudes, reason: "of the curve's scale" };
    vec![
        Expected::floats("coefficients", op.coefficients, coefficients, tolerance),
        Expected::floats("errors", op.errors, errors, Tolerance::Exact),
    ]
}
