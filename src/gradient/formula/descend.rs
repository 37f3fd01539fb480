//! Gradient descent on a formula, `x = x - lr * gradient`, and what became of it.

use super::eigen::eigen;
use super::points::{FormulaDevice, PointByPoint, PointOptions};
use crate::formula::Formula;
use crate::gradient::function::{FunctionOptions, StepSize, hessian_vector_product};
use crate::{Error, Result};

/// How to descend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DescentOptions {
    /// How far a step goes along the negative gradient.
    pub learning_rate: f64,
    /// What share of each step the next one begins with; 0 for none (`v = momentum * v + g; x -= lr * v`).
    pub momentum: f64,
    /// How many steps.
    pub steps: u64,
    /// How the gradient is taken.
    pub points: PointOptions,
}

/// Where a descent has led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// To a point from which the function rises in every direction, or is level in some.
    Minimum,
    /// To a point that is level, but from which it falls in some direction.
    Saddle,
    /// Onto ground that is level in every direction.
    Plateau,
    /// Nowhere: the steps are too small.
    HardlyMoved,
    /// Down, but not to the end.
    NotConverged,
    /// Away beyond every bound, or out of the function's domain.
    Diverged,
}

impl Verdict {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Saddle => "saddle",
            Self::Plateau => "plateau",
            Self::HardlyMoved => "hardly-moved",
            Self::NotConverged => "not-converged",
            Self::Diverged => "diverged",
        }
    }
}

/// A descent.
#[derive(Debug, Clone, PartialEq)]
pub struct Descent {
    /// What became of it.
    pub verdict: Verdict,
    /// Whether it diverged because the next step led where the function has no value.
    pub left_domain: bool,
    /// The last point; of a descent that diverged, the last one within bounds.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// Steps that led there.
    pub steps: u64,
    /// The derivatives there, without any step.
    pub gradient: Vec<f64>,
    /// Eigenvalues of the numerical Hessian there, in rising order; of a descent that diverged none.
    pub eigenvalues: Vec<f64>,
    /// The way, from the start to the last point; of a long one every so manieth point.
    pub path: Vec<Vec<f64>>,
    /// The value at each point of the way.
    pub values: Vec<f64>,
}

impl Descent {
    /// Whether it has come no lower in the second half of its steps: it goes to and fro, and more steps change nothing.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        let (before, after) = self.values.split_at(self.values.len().div_ceil(2));
        let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        after.len() > 2 && lowest(after) >= lowest(before)
    }
}

/// Whoever is so far away, measured by where he began (or by 1, if that is more), will not come back.
const FAR: f64 = 1e12;

/// A move by so small a share of the start is none.
const HARDLY: f64 = 1e-6;

/// A stationary point is this near, by Newton's step to it, measured by the point itself or by 1. Descents stop near a
/// minimum and never on it, and quotients of a large step put it elsewhere.
const NEAR: f64 = 1e-4;

/// Slopes and curvatures that change the function by so small a share of its size, over a distance of the point's own
/// size or 1, are none.
const LEVEL: f64 = 1e-5;

/// Points of the way that are kept: between half as many and so many.
const KEPT: usize = 4_096;

/// Descends from a point, as long as `goes_on` says so.
///
/// # Errors
/// [`Error::FunctionValue`] if the function is not finite at the start; [`Error::Config`] if the start is no point of it;
/// [`Error::Interrupted`]; what keeps a device from working.
pub fn descend(
    device: &mut FormulaDevice<'_>,
    formula: &Formula,
    from: &[f64],
    options: &DescentOptions,
    goes_on: &dyn Fn() -> bool,
) -> Result<Descent> {
    if from.len() != formula.variables().len() {
        let problem = format!("a start of {} numbers for {} variables", from.len(), formula.variables().len());
        return Err(Error::config(problem));
    }
    let bound = FAR * size(from).max(1.0);
    let mut device = PointByPoint::new(device, formula, &options.points)?;
    let mut place = |x: Vec<f64>| {
        let (value, gradient) = device.at(&x)?;
        Ok::<_, Error>(Place { x, value, gradient })
    };
    let mut here = place(from.to_vec())?;
    if let Some(problem) = here.problem() {
        return Err(problem);
    }
    let mut way = Way { path: vec![here.x.clone()], values: vec![here.value], stride: 1 };
    let mut velocity = vec![0.0; from.len()];
    let mut steps = 0;
    let (mut diverged, mut left_domain) = (false, false);
    while steps < options.steps {
        if !goes_on() {
            return Err(Error::Interrupted);
        }
        let mut x = here.x.clone();
        for ((x, velocity), gradient) in x.iter_mut().zip(&mut velocity).zip(&here.gradient) {
            *velocity = options.momentum * *velocity + gradient;
            *x -= options.learning_rate * *velocity;
        }
        if size(&x) > bound || size(&x).is_nan() {
            diverged = true;
            break;
        }
        let next = place(x)?;
        if next.problem().is_some() {
            diverged = true;
            // Far out a step of the quotient is lost beside the point, and the slope is no number either.
            left_domain = !next.value.is_finite() || size(&next.x) < bound.sqrt();
            break;
        }
        here = next;
        steps += 1;
        way.add(steps, &here);
    }
    way.end(&here);
    let gradient = formula.gradient(&here.x);
    let mut descent = Descent {
        verdict: Verdict::Diverged,
        left_domain,
        x: here.x,
        value: here.value,
        steps,
        gradient,
        eigenvalues: Vec::new(),
        path: way.path,
        values: way.values,
    };
    if !diverged {
        judge(formula, from, &mut descent)?;
    }
    Ok(descent)
}

/// A point of a descent, and what is known there.
struct Place {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Place {
    /// What is not finite there.
    fn problem(&self) -> Option<Error> {
        let place = format!("at the point {:?}", self.x);
        if !self.value.is_finite() {
            return Some(Error::FunctionValue { value: self.value, place, variable: None });
        }
        let slope = self.gradient.iter().find(|slope| !slope.is_finite())?;
        Some(Error::FunctionValue { value: *slope, place: format!("one step beside {place}"), variable: None })
    }
}

/// The way so far.
struct Way {
    path: Vec<Vec<f64>>,
    values: Vec<f64>,
    /// Every so manieth point is kept.
    stride: u64,
}

impl Way {
    fn add(&mut self, step: u64, place: &Place) {
        if !step.is_multiple_of(self.stride) {
            return;
        }
        self.path.push(place.x.clone());
        self.values.push(place.value);
        if self.path.len() == KEPT {
            thin(&mut self.path);
            thin(&mut self.values);
            self.stride *= 2;
        }
    }

    /// The last point is always there.
    fn end(&mut self, place: &Place) {
        if self.path.last() != Some(&place.x) {
            self.path.push(place.x.clone());
            self.values.push(place.value);
        }
    }
}

/// Drops every second one.
fn thin<T>(all: &mut Vec<T>) {
    let mut kept = false;
    all.retain(|_| {
        kept = !kept;
        kept
    });
}

/// The largest element without its sign; NaN where one is.
fn size(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |most: f64, x| if x.abs() > most || x.is_nan() { x.abs() } else { most })
}

/// Judges a descent that has not diverged, by the gradient and the curvatures at its end.
fn judge(formula: &Formula, from: &[f64], descent: &mut Descent) -> Result<()> {
    let x = &descent.x;
    let length = size(x).max(1.0);
    // Where the way began high up, that is no measure of the ground at its end.
    let scale = match size(&descent.values).min(descent.value.abs().max(1.0)) {
        0.0 => 1.0,
        scale => scale,
    };
    let (level_slope, level_curve) = (LEVEL * scale / length, LEVEL * scale / (length * length));
    let axes = eigen(hessian(formula, x, length)?);
    let along = |axis: &[f64]| axis.iter().zip(&descent.gradient).map(|(a, g)| a * g).sum::<f64>().abs();
    let is_there = |(curve, axis): &(f64, Vec<f64>)| {
        if curve.abs() > level_curve { along(axis) / curve.abs() <= NEAR * length } else { along(axis) <= level_slope }
    };
    let far = from.iter().zip(x).map(|(from, to)| (from - to).abs()).fold(0.0, f64::max);
    let began = if size(from) > 0.0 { size(from) } else { 1.0 };
    let lowest = axes.first().map_or(0.0, |axis| axis.0);
    let highest = axes.last().map_or(0.0, |axis| axis.0);
    descent.verdict = if !axes.iter().all(is_there) {
        if far <= HARDLY * began { Verdict::HardlyMoved } else { Verdict::NotConverged }
    } else if lowest < -level_curve {
        Verdict::Saddle
    } else if highest > level_curve {
        Verdict::Minimum
    } else {
        Verdict::Plateau
    };
    descent.eigenvalues = axes.into_iter().map(|axis| axis.0).collect();
    Ok(())
}

/// The matrix of second derivatives by differences of differences, in float64 on the CPU.
fn hessian(formula: &Formula, x: &[f64], length: f64) -> Result<Vec<Vec<f64>>> {
    // Truncation h^2 f'''' / 12, rounding 2^-52 f / h^2: 1e-7 and 2e-10.
    const STEP: f64 = 1e-3;
    let options = FunctionOptions { step_size: StepSize::Fixed(STEP * length), threads: Some(1), ..Default::default() };
    let n = x.len();
    let mut rows = Vec::with_capacity(n);
    for variable in 0..n {
        let mut axis = vec![0.0; n];
        axis[variable] = 1.0;
        rows.push(hessian_vector_product(|x: &[f64]| formula.value(x), x, &axis, &options)?.product);
    }
    let mean = |i: usize, j: usize| 0.5 * (rows[i][j] + rows[j][i]);
    Ok((0..n).map(|i| (0..n).map(|j| mean(i, j)).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, from: &[f64], learning_rate: f64, steps: u64, momentum: f64) -> Descent {
        let options = DescentOptions { learning_rate, momentum, steps, points: PointOptions::default() };
        let formula = Formula::parse(text).unwrap();
        descend(&mut FormulaDevice::Cpu { threads: Some(1) }, &formula, from, &options, &|| true).unwrap()
    }

    #[test]
    fn verdicts() {
        for (text, from, rate, steps, expected) in [
            ("bowl", [-3.0, 4.0], 0.1, 100, Verdict::Minimum),
            ("bowl", [-3.0, 4.0], 0.1, 10, Verdict::NotConverged),
            ("bowl", [-3.0, 4.0], 1e-10, 100, Verdict::HardlyMoved),
            ("bowl", [-3.0, 4.0], 10.0, 100, Verdict::Diverged),
            ("bowl", [0.0, 0.0], 1e-10, 5, Verdict::Minimum),
            ("saddle", [1.0, 0.0], 0.1, 200, Verdict::Saddle),
            // A little beside the ridge it falls without end.
            ("saddle", [1.0, 1e-9], 0.1, 200, Verdict::NotConverged),
            ("saddle", [1.0, 1e-9], 0.1, 1_000, Verdict::Diverged),
            ("plateau", [5.0, 4.0], 0.1, 100, Verdict::Plateau),
            ("plateau", [1.0, 0.5], 0.1, 500, Verdict::Minimum),
            ("rosenbrock", [-1.5, 2.0], 1e-3, 1_000, Verdict::NotConverged),
            ("rosenbrock", [-1.5, 2.0], 1e-3, 60_000, Verdict::Minimum),
            ("rastrigin", [2.2, -1.1], 1e-3, 500, Verdict::Minimum),
            // A valley's floor is as low as it gets.
            ("(x0 + x1)^2", [1.0, 2.0], 0.1, 200, Verdict::Minimum),
            ("0*x0 + 0*x1 + 5", [1.0, 2.0], 0.1, 10, Verdict::Plateau),
        ] {
            let descent = run(text, &from, rate, steps, 0.0);
            assert_eq!(descent.verdict, expected, "{text} from {from:?} by {rate}: {:?}", descent.x);
            assert!(descent.x.iter().chain([&descent.value]).all(|x| x.is_finite()));
            assert_eq!((descent.path.first(), descent.path.last()), (Some(&from.to_vec()), Some(&descent.x)));
            assert_eq!(descent.path.len(), descent.values.len());
            assert!(descent.path.len() <= KEPT);
        }
    }

    #[test]
    fn who_leaves_the_domain_has_diverged_and_is_told_the_last_point_within() {
        let descent = run("x - ln(x)*0 + sqrt(x)", &[1.0], 0.4, 10, 0.0);
        assert_eq!(descent.verdict, Verdict::Diverged);
        assert!(descent.x[0] > 0.0 && descent.steps < 10, "{descent:?}");
        assert!(descent.left_domain);
        assert!(!run("bowl", &[-3.0, 4.0], 10.0, 100, 0.0).left_domain);
    }

    #[test]
    fn who_goes_to_and_fro_is_stuck() {
        let verdict = |rate| {
            let descent = run("abs(x)", &[1.0], rate, 100, 0.0);
            (descent.verdict, descent.is_stuck())
        };
        assert_eq!(verdict(0.3), (Verdict::NotConverged, true));
        assert_eq!(verdict(0.001), (Verdict::NotConverged, false));
    }

    #[test]
    fn momentum_is_faster_through_a_long_valley() {
        let valley = "x0^2 + 30*x1^2";
        let [plain, fast] = [0.0, 0.8].map(|momentum| run(valley, &[-7.0, 2.0], 0.02, 60, momentum));
        assert!(fast.value < 0.1 * plain.value, "{}, {}", fast.value, plain.value);
    }

    #[test]
    fn a_start_outside_of_the_domain_is_an_error() {
        let options = DescentOptions { learning_rate: 0.1, momentum: 0.0, steps: 1, points: PointOptions::default() };
        let formula = Formula::parse("ln(x)").unwrap();
        let error = descend(&mut FormulaDevice::Cpu { threads: None }, &formula, &[-1.0], &options, &|| true);
        assert!(matches!(error, Err(Error::FunctionValue { .. })));
        let stopped = descend(&mut FormulaDevice::Cpu { threads: None }, &formula, &[1.0], &options, &|| false);
        assert!(matches!(stopped, Err(Error::Interrupted)));
        let short = descend(&mut FormulaDevice::Cpu { threads: None }, &formula, &[], &options, &|| true);
        assert!(matches!(short, Err(Error::Config { .. })));
    }
}
