//! What the probing kernels must leave in memory, from the literal changes of the loss.

use gpu_train::backend::{PreciseAffine, ProbeCurve, ProbeSingle, ProbedLayer};
use gpu_train::network::Activation;

use super::memory::Contents;
use super::oracle::{Expected, absolute};
use super::reference::{self, Probe};
use super::tolerance::{Tolerance, ULP};

/// What the probes of one layer need.
struct Probes {
    a: Vec<f64>,
    y: Vec<f64>,
    next: Option<Vec<f64>>,
    targets: Vec<u32>,
    units: usize,
    classes: usize,
}

impl Probes {
    fn new(layer: &ProbedLayer, before: &Contents) -> Self {
        Self {
            a: before.floats(layer.pre_activations),
            y: before.floats(layer.y),
            next: layer.next.map(|next| before.floats(next)),
            targets: before.words(layer.targets),
            units: layer.pre_activations.columns,
            classes: layer.y.columns,
        }
    }

    fn of(&self, layer: &ProbedLayer, sample: usize, unit: usize, a: f64) -> Probe<'_> {
        let to_logits = match &self.next {
            Some(next) => next[unit * self.classes..(unit + 1) * self.classes].to_vec(),
            None => reference::one_hot(&[unit as u32], self.classes),
        };
        let y = &self.y[sample * self.classes..(sample + 1) * self.classes];
        let target = self.targets[sample];
        Probe { activation: layer.activation, a, to_logits, y, target, output: layer.output }
    }
}

/// What float64's rounding may leave in a quotient of differences of losses of this size.
fn quotient_floor(s: f64) -> f64 {
    64.0 * f64::EPSILON / s
}

/// Units in the last place of a curve's scale that its change may be wrong by.
const PROBE_ULPS: f64 = 16.0;

/// What [`ProbeCurve`] must write. Its own check error decides which curves it keeps, so what it wrote is asked for.
pub(crate) fn curve(op: &ProbeCurve, before: &Contents, after: &Contents) -> Vec<Expected> {
    let layer = &op.layer;
    let probes = Probes::new(layer, before);
    let samples = layer.pre_activations.rows;
    let range = op.range.map_or_else(|| vec![1.0; samples], |range| before.floats(range));
    let got_errors = after.floats(op.errors);
    let step = f64::from(layer.step_size);
    let mut coefficients = vec![0.0; op.nodes * samples * probes.units];
    let mut magnitudes = coefficients.clone();
    let (mut strict, mut lenient, mut overlooked) = (Vec::new(), Vec::new(), 0);
    for (sample, range) in range.iter().enumerate() {
        for unit in 0..probes.units {
            let index = sample * probes.units + unit;
            let a = probes.a[index];
            let probe = probes.of(layer, sample, unit, a);
            let s_max = step * range;
            let curve = reference::curve_coefficients(&probe, s_max, op.nodes);
            let scale = probe.scale_at(s_max);
            let got = got_errors[index];
            let plausible = plausible_error(&probe, s_max, &curve, got, MISSED_THOUGH_TRUSTED);
            overlooked += usize::from(got <= TRUSTED && plausible > TRUSTED);
            strict.push(plausible);
            lenient.push(plausible_error(&probe, s_max, &curve, got, OVERLOOKED_MOST));
            for (m, value) in curve.into_iter().enumerate() {
                let place = ((op.nodes - 1 - m) * samples + sample) * probes.units + unit;
                // A curve that is not trusted leaves nothing for the product with the features.
                let trusted = got <= f64::from(op.tolerance);
                coefficients[place] = if trusted { value / (2 * samples) as f64 } else { 0.0 };
                let smallest_node = s_max * reference::nodes(op.nodes)[op.nodes - 1].0;
                magnitudes[place] = (scale.max(value.abs()) + quotient_floor(smallest_node) / (PROBE_ULPS * ULP))
                    / (2 * samples) as f64;
            }
        }
    }
    let few = overlooked as f64 <= OVERLOOKED_SHARE * strict.len() as f64;
    let errors = if few { lenient } else { strict };
    let reason = "of the curve's scale";
    let tolerance = Tolerance::Scaled { ulps: PROBE_ULPS, magnitudes, reason };
    vec![
        Expected::floats("coefficients", op.coefficients, coefficients, tolerance),
        Expected::floats("errors", op.errors, errors, Tolerance::Exact),
    ]
}

/// A check error up to this is trusted wherever accuracy counts; above it a curve is sampled in another way.
const TRUSTED: f64 = 5e-7;

/// What a trusted curve misses at most, but for those that the check overlooks.
const MISSED_THOUGH_TRUSTED: f64 = 4e-6;

/// No check of finitely many samples sees everything: where the coefficients on which it rests pass through 0, it is
/// deceived. That may happen to this share of the curves of a case with far too few nodes, and to none by more than
/// [`OVERLOOKED_MOST`].
const OVERLOOKED_SHARE: f64 = 0.06;

/// What an overlooked curve may miss, as a share of its scale.
const OVERLOOKED_MOST: f64 = 1e-3;

/// The nearest value to `got` that the check error may have: infinite at a kink; too large to be trusted where the
/// polynomial misses more than is `tolerated`; and not beyond what half as many nodes would miss, or the check
/// would refuse what is right.
fn plausible_error(probe: &Probe, s_max: f64, curve: &[f64], got: f64, tolerated: f64) -> f64 {
    if probe.activation == Activation::Relu {
        let distance = probe.a.abs() - s_max;
        if distance.abs() <= 4.0 * ULP * s_max {
            return got;
        } else if distance < 0.0 {
            return f64::INFINITY;
        }
    }
    let (scale, floor) = (probe.curve_scale(), quotient_floor(s_max / 32.0));
    if scale <= 1e6 * floor || scale <= 1e-2 * probe.scale_at(s_max) {
        // Nothing that float64 could tell from rounding, or float32 from what cancels in it.
        return if got >= 0.0 { got } else { 0.0 };
    }
    let missed = missed_by(probe, s_max, curve) / scale;
    let low = if missed > tolerated { TRUSTED * (1.0 + ULP) } else { 0.0 };
    let fewer = reference::curve_coefficients(probe, s_max, curve.len() / 2);
    let high = low.max(4.0 * missed_by(probe, s_max, &fewer) / scale + 1e-5);
    if got.is_nan() { low } else { got.clamp(low, high) }
}

/// The largest difference between the curve's quotient and the polynomial with these coefficients.
fn missed_by(probe: &Probe, s_max: f64, curve: &[f64]) -> f64 {
    let missed = (1..=32).map(|step| {
        let share = f64::from(step) / 32.0;
        let place = 2.0 * share * share - 1.0;
        let read: f64 = curve.iter().enumerate().map(|(m, c)| c * reference::chebyshev(m, place)).sum();
        (probe.quotient(s_max * share) - read).abs()
    });
    missed.fold(0.0, f64::max)
}

/// What [`PreciseAffine`] must write: float64 sums, cut in two floats.
pub(crate) fn precise(op: &PreciseAffine, before: &Contents) -> Vec<Expected> {
    let (inputs, weight, bias) = (before.floats(op.inputs), before.floats(op.weight), before.floats(op.bias));
    let (samples, columns, units) = (op.inputs.rows, op.inputs.columns, op.weight.columns);
    let (list, counts) = (before.words(op.list), before.words(op.counts));
    let mut values = vec![0.0; 2 * units * samples];
    let mut magnitudes = vec![0.0; 2 * units * samples];
    for unit in 0..units {
        for entry in 0..counts[unit] as usize {
            let sample = list[unit * samples + entry] as usize;
            let terms = || (0..columns).map(|i| inputs[sample * columns + i] * weight[i * units + unit]);
            let value = bias[unit] + terms().sum::<f64>();
            let magnitude = bias[unit].abs() + terms().map(f64::abs).sum::<f64>();
            let (high, low) = (unit * samples + entry, (units + unit) * samples + entry);
            values[high] = f64::from(value as f32);
            values[low] = value - values[high];
            magnitudes[high] = value.abs();
            // Twice the 24 bits of float32, less five for the length of the sum.
            magnitudes[low] = magnitude * 2f64.powi(-19);
        }
    }
    let tolerance = Tolerance::Scaled { ulps: 1.0, magnitudes, reason: "twice the precision of float32" };
    vec![Expected::floats("out", op.out, values, tolerance)]
}

/// What [`ProbeSingle`] must leave: the gradient before it, and each listed sample's literal quotient.
pub(crate) fn single(op: &ProbeSingle, before: &Contents) -> Vec<Expected> {
    let layer = &op.layer;
    let probes = Probes::new(layer, before);
    let (inputs, pre_activations) = (before.floats(op.inputs), before.floats(layer.pre_activations));
    let precise = op.precise.map(|precise| before.floats(precise));
    let (samples, columns, units) = (layer.pre_activations.rows, op.inputs.columns, probes.units);
    let (list, counts) = (before.words(op.list), before.words(op.counts));
    let step = f64::from(layer.step_size);
    let mut weight_gradient = before.floats(op.weight_gradient);
    let mut bias_gradient = before.floats(op.bias_gradient);
    let mut weight_magnitudes = absolute(&weight_gradient);
    let mut bias_magnitudes = absolute(&bias_gradient);
    for unit in 0..units {
        for place in 0..counts[unit] as usize {
            let sample = list[unit * samples + place] as usize;
            let input = &inputs[sample * columns..(sample + 1) * columns];
            let a = match &precise {
                Some(precise) => precise[unit * samples + place] + precise[(units + unit) * samples + place],
                None => pre_activations[sample * units + unit],
            };
            let probe = probes.of(layer, sample, unit, a);
            let scale = if layer.activation == Activation::Relu { slope_reach(&probe) } else { probe.scale() };
            let add = |x: f64, gradient: &mut f64, magnitude: &mut f64| {
                if x != 0.0 {
                    let [below, sides] = if op.one_sided { [0.0, 1.0] } else { [probe.change(-step * x), 2.0] };
                    let value = (probe.change(step * x) - below) / (sides * step * samples as f64);
                    *gradient += value;
                    *magnitude += value.abs() + (scale * x.abs() + 1e-9) / (2 * samples) as f64;
                }
            };
            for (i, &x) in input.iter().enumerate() {
                add(x, &mut weight_gradient[i * units + unit], &mut weight_magnitudes[i * units + unit]);
            }
            add(1.0, &mut bias_gradient[unit], &mut bias_magnitudes[unit]);
        }
    }
    let tolerance = |magnitudes| Tolerance::Scaled { ulps: PROBE_ULPS, magnitudes, reason: "of the curves' scales" };
    vec![
        Expected::floats("weight_gradient", op.weight_gradient, weight_gradient, tolerance(weight_magnitudes)),
        Expected::floats("bias_gradient", op.bias_gradient, bias_gradient, tolerance(bias_magnitudes)),
    ]
}

/// A ReLU's scale as if it were active: within a step of the kink it may be.
fn slope_reach(probe: &Probe) -> f64 {
    let active = Probe { activation: Activation::Identity, to_logits: probe.to_logits.clone(), ..*probe };
    active.scale()
}
