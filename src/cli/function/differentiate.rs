//! `gpu-train function differentiate`: a derivative by differences, the analytic one, and the error as the step shrinks.

use clap::Args;
use serde::Serialize;

use super::values::{Point, shown, size};
use super::{FormulaOptions, Kink, check_plot, checked_point, finite_at, place};
use crate::cli::options::{OutputOptions, PlotOptions};
use crate::cli::record::DeviceRecord;
use crate::cli::{Failure, Outcome};
use crate::formula::Formula;
use crate::gradient::formula::{STEPS_A_DECADE, SweepRow, best_step, sweep};
use crate::report::{self, formula_figures, pairs, table};
use crate::{Error, Result};

/// The options of `gpu-train function differentiate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Differentiate {
    #[command(flatten)]
    function: FormulaOptions,
    /// Where: a number, or such as pi/2
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    at: Point,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    of: String,
    variable: String,
    at: f64,
    device: DeviceRecord,
    difference: &'static str,
    step_size: f64,
    value: f64,
    derivative: f64,
    /// Without one at a kink.
    analytic: Option<f64>,
    error: Option<f64>,
    kink: Option<Kink>,
    best_step_size: Best,
    /// Empty at a kink: there is nothing to be off from.
    sweep: Vec<Row>,
}

/// The steps of the least error.
#[derive(Serialize)]
struct Best {
    float32: Option<f64>,
    float64: Option<f64>,
}

#[derive(Serialize)]
struct Row {
    step_size: f64,
    float32_error: Option<f64>,
    float64_error: Option<f64>,
    truncation_error: Option<f64>,
    float32_rounding: Option<f64>,
    float64_rounding: Option<f64>,
}

impl From<&SweepRow> for Row {
    fn from(row: &SweepRow) -> Self {
        let SweepRow { step_size, float32_error, float64_error, truncation_error, float32_rounding, float64_rounding } =
            *row;
        Self { step_size, float32_error, float64_error, truncation_error, float32_rounding, float64_rounding }
    }
}

impl Differentiate {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let formula = self.function.formula()?;
        check_plot(&self.plot)?;
        if formula.variables().len() > 1 {
            let names = formula.variables().join(", ");
            let problem = format!("{} is of {names}; a derivative is by one variable", formula.text());
            return Err(Failure::Usage(Error::config_hint(problem, "gpu-train function gradient takes them all")));
        }
        let x = checked_point(&formula, "--at", &self.at.0)?[0];
        let mut device = self.function.open(self.output.quiet)?;
        let found = device.formulas().gradients(&formula, &[x], &self.function.points())?;
        finite_at(&formula, &[x], &found)?;
        let kink = Kink::of(&formula, &[x], 0);
        let analytic = formula.derivative(&[x], 0);
        if kink.is_none() && !analytic.is_finite() {
            let place = format!("as a derivative at {}", place(&formula, &[x]));
            return Err(Error::FunctionValue { value: analytic, place, variable: None }.into());
        }
        let analytic = Some(analytic).filter(|_| kink.is_none());
        let rows = if analytic.is_some() { sweep(&formula, x, self.function.difference)? } else { Vec::new() };
        let derivative = found.gradients[0];
        let document = Document {
            command: "function differentiate",
            of: formula.text().into(),
            variable: formula.variables()[0].clone(),
            at: x,
            device: device.record,
            difference: self.function.difference.name(),
            step_size: self.function.step_size,
            value: found.values[0],
            derivative,
            analytic,
            error: analytic.map(|analytic| (derivative - analytic).abs()),
            kink,
            best_step_size: Best {
                float32: best_step(&rows, |row| row.float32_error),
                float64: best_step(&rows, |row| row.float64_error),
            },
            sweep: rows.iter().map(Row::from).collect(),
        };
        let drawn = self.plot.save(|| formula_figures::derivative(&formula, x, &document.slopes(), &rows));
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text(&formula))?;
        }
        drawn?;
        Ok(Outcome::Done)
    }
}

impl Document {
    /// Of the tangent; of a kink both sides'.
    fn slopes(&self) -> Vec<(&'static str, f64)> {
        match &self.kink {
            None => vec![("tangent", self.derivative)],
            Some(Kink { left, right, .. }) => vec![("on the left", *left), ("on the right", *right)],
        }
    }

    fn text(&self, formula: &Formula) -> String {
        let known = |error: Option<f64>| error.map_or_else(|| "-".into(), size);
        let rows = self.sweep.iter().step_by(STEPS_A_DECADE as usize).map(|row| {
            let errors = [
                row.truncation_error,
                row.float32_rounding,
                row.float32_error,
                row.float64_rounding,
                row.float64_error,
            ];
            let [a, b, c, d, e] = errors.map(known);
            [format!("{:.0e}", row.step_size), a, b, c, d, e]
        });
        let headings =
            ["h", "truncation", "rounding, float32", "error, float32", "rounding, float64", "error, float64"];
        let rows = table(headings, &rows.collect::<Vec<_>>());
        let best =
            |step: Option<f64>| step.map_or_else(|| "none".into(), |step| format!("{step:.1e}").replace(".0e", "e"));
        let mut about = vec![
            ("function", format!("{} = {} at {}", self.of, shown(self.value), place(formula, &[self.at]))),
            (
                "derivative",
                format!("{}, {} difference, h = {}", shown(self.derivative), self.difference, shown(self.step_size)),
            ),
        ];
        if let Some(kink) = &self.kink {
            about.push(("analytic", kink.text()));
            return pairs(&about);
        }
        about.extend(self.analytic.map(|analytic| ("analytic", shown(analytic))));
        about.extend(self.error.map(|error| ("error", size(error))));
        let about = pairs(&about);
        format!(
            "{about}\n{rows}\nleast error at h = {} in float32, {} in float64\n",
            best(self.best_step_size.float32),
            best(self.best_step_size.float64)
        )
    }
}
