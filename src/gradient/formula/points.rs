//! Values and gradients of a formula at many points, on the CPU or on an adapter.

use std::num::NonZero;
use std::sync::Arc;

use crate::backend::cpu::formula_blocks;
use crate::backend::{Backend, Formula as FormulaOp, ProgramId, QuotientPair, Recording, Tensor};
use crate::formula::Formula;
use crate::gradient::Difference;
use crate::{Error, Result};

/// How gradients are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointOptions {
    /// The quotient.
    pub difference: Difference,
    /// Its `h`, for every variable; 1e-4 where nothing else is said.
    pub step_size: f64,
}

impl Default for PointOptions {
    fn default() -> Self {
        Self { difference: Difference::Central, step_size: 1e-4 }
    }
}

/// What was found at `N` points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PointGradients {
    /// `[N]`; not finite where the point is outside of the formula's domain.
    pub values: Vec<f64>,
    /// `[N, V]`, row-major.
    pub gradients: Vec<f64>,
}

/// Where formulas are evaluated.
pub enum FormulaDevice<'b> {
    /// The CPU, in float64.
    Cpu {
        /// How many threads; all cores where it is not said. The number changes no bit.
        threads: Option<usize>,
    },
    /// Any backend, in float32.
    Adapter(&'b mut dyn Backend),
}

impl FormulaDevice<'_> {
    /// The values at points `[N, V]`, row-major.
    ///
    /// # Errors
    /// [`Error::Config`] if the points are no whole number of rows of `V`; what keeps a device from working.
    pub fn values(&mut self, formula: &Formula, points: &[f64]) -> Result<Vec<f64>> {
        let rows = rows(formula, points)?;
        match self {
            Self::Cpu { threads } => Ok(formula_blocks::values(formula.program(), points, threads_or_cores(*threads))),
            Self::Adapter(backend) => {
                let mut values = Vec::with_capacity(rows);
                on_adapter(*backend, formula, points, None, |row| values.push(f64::from(row[0])))?;
                Ok(values)
            }
        }
    }

    /// The values and gradients at points `[N, V]`, row-major.
    ///
    /// # Errors
    /// As [`FormulaDevice::values`], and [`Error::Config`] if the step is not a positive number of the device's precision.
    pub fn gradients(&mut self, formula: &Formula, points: &[f64], options: &PointOptions) -> Result<PointGradients> {
        let rows = rows(formula, points)?;
        let h = match self {
            Self::Cpu { .. } => options.step_size,
            Self::Adapter(_) => f64::from(options.step_size as f32),
        };
        if !(h.is_normal() && h > 0.0) {
            return Err(Error::config(format!("a step size of {}: it must be a positive number", options.step_size)));
        }
        let mut found = PointGradients::default();
        match self {
            Self::Cpu { threads } => {
                let (program, stencil) = (formula.program(), options.difference.points());
                let threads = threads_or_cores(*threads);
                (found.values, found.gradients) = formula_blocks::quotients(program, points, stencil, h, threads);
            }
            Self::Adapter(backend) => {
                found.values.reserve(rows);
                found.gradients.reserve(points.len());
                on_adapter(*backend, formula, points, Some(options), |row| {
                    found.values.push(row[0].into());
                    found.gradients.extend(row[1..].iter().copied().map(f64::from));
                })?;
            }
        }
        Ok(found)
    }
}

/// A device made ready for one point after the other.
pub(super) struct PointByPoint<'a> {
    formula: &'a Formula,
    options: PointOptions,
    /// Without one it is the CPU.
    adapter: Option<(&'a mut dyn Backend, Kernel)>,
}

impl<'a> PointByPoint<'a> {
    pub(super) fn new(device: &'a mut FormulaDevice<'_>, formula: &'a Formula, options: &PointOptions) -> Result<Self> {
        // Checks the step.
        device.gradients(formula, &[], options)?;
        let adapter = match device {
            FormulaDevice::Cpu { .. } => None,
            FormulaDevice::Adapter(backend) => {
                let kernel = Kernel::new(*backend, formula, 1, Some(options))?;
                Some((&mut **backend as &mut dyn Backend, kernel))
            }
        };
        Ok(Self { formula, options: *options, adapter })
    }

    /// The value and the gradient there.
    pub(super) fn at(&mut self, point: &[f64]) -> Result<(f64, Vec<f64>)> {
        match &mut self.adapter {
            None => {
                let found = FormulaDevice::Cpu { threads: Some(1) }.gradients(self.formula, point, &self.options)?;
                Ok((found.values[0], found.gradients))
            }
            Some((backend, kernel)) => {
                let found = kernel.run(*backend, point)?;
                Ok((found[0].into(), found[1..].iter().copied().map(f64::from).collect()))
            }
        }
    }
}

impl Drop for PointByPoint<'_> {
    fn drop(&mut self) {
        if let Some((backend, kernel)) = self.adapter.take() {
            kernel.release(backend);
        }
    }
}

fn threads_or_cores(threads: Option<usize>) -> usize {
    threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get)).clamp(1, 256)
}

/// How many points these are.
fn rows(formula: &Formula, points: &[f64]) -> Result<usize> {
    let variables = formula.variables().len();
    if variables == 0 {
        return Err(Error::config_hint("the formula has no variable", "any name is one: x^2"));
    }
    if !points.len().is_multiple_of(variables) {
        let problem = format!("{} numbers are no whole number of points of {variables} variables", points.len());
        return Err(Error::config(problem));
    }
    Ok(points.len() / variables)
}

/// The moves of a quotient in pairs, up and down.
fn pairs(difference: Difference) -> Vec<QuotientPair> {
    let points = difference.points();
    let weight = |offset: f64| points.iter().find(|point| point.0 == offset).map_or(0.0, |point| point.1 as f32);
    let up = points.iter().filter(|(offset, _)| *offset > 0.0);
    up.map(|&(offset, plus)| QuotientPair { multiple: offset as f32, plus: plus as f32, minus: weight(-offset) })
        .collect()
}

/// A formula made ready for so many points.
struct Kernel {
    x: Tensor,
    out: Tensor,
    program: ProgramId,
}

impl Kernel {
    fn new(backend: &mut dyn Backend, formula: &Formula, rows: usize, options: Option<&PointOptions>) -> Result<Self> {
        let variables = formula.variables().len();
        let columns = if options.is_some() { 1 + variables } else { 1 };
        let x = backend.tensor(rows, variables, "points")?;
        let out = backend.tensor(rows, columns, "values and quotients")?;
        let options = options.copied().unwrap_or_default();
        let mut recording = Recording::new();
        recording.push(FormulaOp {
            program: Arc::clone(formula.program()),
            x,
            step_size: options.step_size as f32,
            pairs: pairs(options.difference),
            out,
        })?;
        Ok(Self { x, out, program: backend.prepare(&recording)? })
    }

    fn run(&self, backend: &mut dyn Backend, points: &[f64]) -> Result<Vec<f32>> {
        let points: Vec<f32> = points.iter().map(|&x| x as f32).collect();
        backend.write_tensor(self.x, &points)?;
        backend.run(self.program, 1)?;
        backend.read_tensor(self.out)
    }

    fn release(self, backend: &mut dyn Backend) {
        backend.discard(self.program);
        backend.free(self.x.buffer);
        backend.free(self.out.buffer);
    }
}

/// Points of a dispatch: enough to keep a device busy, few enough to lie beside everything else.
const MOST_ROWS: usize = 1 << 18;

/// Evaluates in pieces that the backend can take, and hands every point's results on.
fn on_adapter(
    backend: &mut dyn Backend,
    formula: &Formula,
    points: &[f64],
    options: Option<&PointOptions>,
    mut take: impl FnMut(&[f32]),
) -> Result<()> {
    let variables = formula.variables().len();
    let row_bytes = 4 * (1 + variables) as u64;
    let most = usize::try_from(backend.max_buffer_bytes() / row_bytes).unwrap_or(usize::MAX).clamp(1, MOST_ROWS);
    let mut kernel: Option<(usize, Kernel)> = None;
    for piece in points.chunks(most * variables) {
        let rows = piece.len() / variables;
        let ready = match kernel.take() {
            Some((size, ready)) if size == rows => ready,
            Some((_, other)) => {
                other.release(backend);
                Kernel::new(backend, formula, rows, options)?
            }
            None => Kernel::new(backend, formula, rows, options)?,
        };
        let found = ready.run(backend, piece)?;
        found.chunks_exact(ready.out.columns).for_each(&mut take);
        kernel = Some((rows, ready));
    }
    if let Some((_, ready)) = kernel {
        ready.release(backend);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_the_points_of_the_quotient() {
        for difference in [Difference::Central, Difference::Forward, Difference::FivePoint, Difference::Richardson] {
            let cube = |x: f64| (1.0 + x).powi(3) - 1.0;
            let by_pairs: f64 = pairs(difference)
                .iter()
                .map(|pair| {
                    let s = f64::from(pair.multiple) * 0.25;
                    f64::from(pair.plus) * cube(s) + f64::from(pair.minus) * cube(-s)
                })
                .sum();
            let by_points: f64 = difference.points().iter().map(|(offset, weight)| weight * cube(offset * 0.25)).sum();
            assert!((by_pairs - by_points).abs() < 1e-6, "{}: {by_pairs}, {by_points}", difference.name());
        }
    }

    #[test]
    fn points_must_be_whole() {
        let f = Formula::parse("x + y").unwrap();
        let mut cpu = FormulaDevice::Cpu { threads: Some(1) };
        assert!(cpu.values(&f, &[1.0, 2.0, 3.0]).is_err());
        assert!(cpu.values(&Formula::parse("1").unwrap(), &[]).is_err());
        assert!(cpu.gradients(&f, &[1.0, 2.0], &PointOptions { step_size: 0.0, ..Default::default() }).is_err());
        assert_eq!(cpu.values(&f, &[]).unwrap(), [0.0; 0]);
    }
}
