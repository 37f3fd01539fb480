//! `gpu-train function`: derivatives, gradients and descents of a formula.

mod descend;
mod differentiate;
mod field;
mod gradient;
mod values;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::values::{positive, shown};
use super::options::PlotOptions;
use super::record::DeviceRecord;
use super::{Failure, Outcome, paths};
use crate::backend::{self, Backend, OpenOptions};
use crate::device::{DeviceKind, Selector};
use crate::formula::{Builtin, Formula};
use crate::gradient::Difference;
use crate::gradient::formula::{FormulaDevice, PointGradients, PointOptions};
use crate::{Error, Result, report};

/// Below the help of each subcommand.
pub(super) const FORMULAS: &str = "\
Formulas: + - * / ^, brackets, sin cos tan exp ln sqrt tanh abs min max, pi, e, and variables of any other name.
  -x^2 is -(x^2). By name: bowl, saddle, himmelblau, rosenbrock, plateau, rastrigin, of x0 and x1

Examples:
  gpu-train function differentiate --of '0.01*x^2 + 0.1*x' --at 5 --plot tangent.svg
  gpu-train function gradient --of 'x0^2 + x1^2' --at 3,4
  gpu-train function field --of 'x0^2 + x1^2' --range -2:2 --negative --plot field.svg
  gpu-train function descend --of bowl --from -3,4 --learning-rate 0.1,0.9 --plot descent.svg";

/// The subcommands of `gpu-train function`.
#[derive(Debug, Subcommand)]
pub(super) enum Function {
    /// The derivative at a point, beside the analytic one, and its error over steps from 1e-16 to 1
    #[command(after_help = FORMULAS)]
    Differentiate(differentiate::Differentiate),
    /// Every partial derivative at a point, or at each point of a file
    #[command(after_help = FORMULAS)]
    Gradient(gradient::Gradient),
    /// The gradients over a range of two variables
    #[command(after_help = FORMULAS)]
    Field(field::Field),
    /// Gradient descent from a point, and what became of it; exit code 1 where it diverges
    #[command(after_help = FORMULAS)]
    Descend(descend::Descend),
}

impl Function {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        match self {
            Self::Differentiate(options) => options.run(),
            Self::Gradient(options) => options.run(),
            Self::Field(options) => options.run(),
            Self::Descend(options) => options.run(),
        }
    }
}

/// Which function, its derivatives how, and where.
#[derive(Debug, Clone, Args)]
struct FormulaOptions {
    /// A formula, such as 'x0^2 + x1^2', or the name of a built-in function
    #[arg(long = "of", value_name = "FORMULA", allow_hyphen_values = true)]
    of: String,
    /// central; forward, whose error grows as h; five-point and richardson, as h^4 at twice the price
    #[arg(long, default_value = "central", help_heading = "Gradient")]
    difference: Difference,
    /// The h of the difference, for every variable
    #[arg(long, value_name = "H", default_value = "1e-4", help_heading = "Gradient")]
    #[arg(allow_negative_numbers = true, value_parser = positive)]
    step_size: f64,
    #[command(flatten)]
    device: FloatOptions,
    /// Threads of the CPU path; they change no bit of a result [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Device", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

impl FormulaOptions {
    /// The formula, with a variable at least.
    fn formula(&self) -> Result<Formula, Failure> {
        let formula = Formula::parse(&self.of).map_err(Failure::Usage)?;
        if formula.variables().is_empty() {
            let problem = format!("{} has no variable", formula.text());
            return Err(Failure::Usage(Error::config_hint(problem, "any name is one: x^2")));
        }
        Ok(formula)
    }

    /// The built-in function of that name, if it is one.
    fn builtin(&self) -> Option<&'static Builtin> {
        Builtin::named(&self.of)
    }

    fn points(&self) -> PointOptions {
        PointOptions { difference: self.difference, step_size: self.step_size }
    }

    fn open(&self, quiet: bool) -> Result<Device> {
        Device::open(&self.device, self.threads.map(usize::from), quiet)
    }
}

/// Where numbers are worked out that are to be known to more digits than an adapter has.
#[derive(Debug, Clone, Args)]
pub(super) struct FloatOptions {
    /// An adapter, in float32: auto (the best GPU, else the CPU), gpu, software, or an index or part of a name from
    /// `gpu-train devices`; or cpu, in float64 [default: cpu, since adapters know seven digits at most]
    #[arg(long, help_heading = "Device")]
    device: Option<String>,
}

/// Why the CPU is taken where nothing is said.
const UNASKED: &str = "the native CPU path, in float64, which adapters lack";

/// Where formulas are evaluated, opened.
pub(super) struct Device {
    /// In JSON.
    pub(super) record: DeviceRecord,
    /// An adapter; without one it is the CPU.
    pub(super) adapter: Option<Box<dyn Backend>>,
    threads: Option<usize>,
}

impl Device {
    pub(super) fn open(options: &FloatOptions, threads: Option<usize>, quiet: bool) -> Result<Self> {
        let Ok(selector) = options.device.as_deref().unwrap_or("cpu").parse::<Selector>();
        let mut opened = backend::open(&selector, OpenOptions { threads, ..OpenOptions::default() })?;
        if options.device.is_none() {
            opened.reason = UNASKED.into();
        }
        for warning in &opened.warnings {
            report::warning(warning);
        }
        let info = opened.backend.info();
        let record = DeviceRecord::new(info, &opened.reason);
        if !quiet {
            report::note(&format!("device  {record}"));
        }
        let is_adapter = info.kind != DeviceKind::Cpu;
        Ok(Self { record, adapter: is_adapter.then_some(opened.backend), threads })
    }

    fn formulas(&mut self) -> FormulaDevice<'_> {
        match &mut self.adapter {
            Some(backend) => FormulaDevice::Adapter(backend.as_mut()),
            None => FormulaDevice::Cpu { threads: self.threads },
        }
    }
}

/// Whether the picture that is asked for can be written.
fn check_plot(plot: &PlotOptions) -> Result<(), Failure> {
    plot.checked().map_err(Failure::Usage)?;
    plot.file.as_deref().map_or(Ok(()), |file| Ok(paths::check_replaceable(file)?))
}

/// What was found at a single point, all of it finite.
fn finite_at(formula: &Formula, point: &[f64], found: &PointGradients) -> Result<()> {
    let value = found.values.first().copied().unwrap_or(f64::NAN);
    if !value.is_finite() {
        return Err(Error::FunctionValue { value, place: format!("at {}", place(formula, point)), variable: None });
    }
    let slopes = found.gradients.iter().zip(formula.variables());
    match slopes.into_iter().find(|(slope, _)| !slope.is_finite()) {
        None => Ok(()),
        Some((&slope, variable)) => {
            let place = format!("a step of {variable} away from {}, or no step is left there", place(formula, point));
            Err(Error::FunctionValue { value: slope, place, variable: None })
        }
    }
}

/// A place where a function has a kink.
#[derive(Debug, Clone, Serialize)]
struct Kink {
    variable: String,
    /// The derivative on the left; null where it is infinite.
    left: f64,
    /// The derivative on the right.
    right: f64,
}

impl Kink {
    fn of(formula: &Formula, point: &[f64], variable: usize) -> Option<Self> {
        let (left, right) = formula.kink(point, variable)?;
        // Not -0, which nobody wants to read.
        Some(Self { variable: formula.variables()[variable].clone(), left: left + 0.0, right: right + 0.0 })
    }

    fn text(&self) -> String {
        format!("none: a kink, {} on the left and {} on the right", shown(self.left), shown(self.right))
    }
}

/// `x0 = 3, x1 = 4`
fn place(formula: &Formula, point: &[f64]) -> String {
    let pairs = formula.variables().iter().zip(point).map(|(name, x)| format!("{name} = {}", shown(*x)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// A point with a number for each variable.
///
/// # Errors
/// [`Error::Config`] for another number of them.
fn checked_point<'a>(formula: &Formula, option: &str, point: &'a [f64]) -> Result<&'a [f64], Failure> {
    if point.len() == formula.variables().len() {
        return Ok(point);
    }
    let names = formula.variables().join(",");
    let (numbers, variables) = (plural(point.len(), "number"), plural(formula.variables().len(), "variable"));
    let problem = format!("{option} has {numbers}, {} has {variables}", formula.text());
    Err(Failure::Usage(Error::config_hint(problem, format!("{option} {names}, in this order"))))
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
