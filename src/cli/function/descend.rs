//! `gpu-train function descend`: gradient descent from a point, with one learning rate or several, and what became of it.

use clap::Args;
use serde::Serialize;

use super::field::ranges;
use super::values::{Point, Ranges, Rates, share, shown};
use super::{FormulaOptions, check_plot, checked_point, place};
use crate::cli::interrupt::Interrupt;
use crate::cli::options::{OutputOptions, PlotOptions};
use crate::cli::record::DeviceRecord;
use crate::cli::{Failure, Outcome};
use crate::formula::Formula;
use crate::gradient::formula::{Descent, DescentOptions, Verdict, descend};
use crate::report::{self, count, formula_figures, pairs};
use crate::{Error, Result};

/// The options of `gpu-train function descend`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Descend {
    #[command(flatten)]
    function: FormulaOptions,
    /// The start: a number for each variable, in the order of their names
    #[arg(long, value_name = "X,...", allow_hyphen_values = true)]
    from: Point,
    /// Factor of the gradient; several, as 0.1,0.9, are several descents [alias: --lr]
    #[arg(long, alias = "lr", value_name = "RATE,...", default_value = "0.1", allow_hyphen_values = true)]
    learning_rate: Rates,
    /// The share of a step that the next one begins with
    #[arg(long, value_name = "SHARE", default_value = "0", allow_negative_numbers = true, value_parser = share)]
    momentum: f64,
    /// Steps of the descent
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    steps: u64,
    /// The ends of the picture: -2:2, or one range a variable [default: what the way takes]
    #[arg(long, value_name = "FROM:TO", allow_hyphen_values = true, help_heading = "Output")]
    range: Option<Ranges>,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document<'a> {
    command: &'static str,
    of: &'a str,
    variables: &'a [String],
    device: DeviceRecord,
    from: &'a [f64],
    momentum: f64,
    /// The one descent's keys stand here.
    #[serde(flatten)]
    only: Option<Row<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    descents: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    learning_rate: f64,
    verdict: &'static str,
    x: &'a [f64],
    value: f64,
    steps: u64,
    gradient: &'a [f64],
    eigenvalues: &'a [f64],
}

impl Descend {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let formula = self.function.formula()?;
        check_plot(&self.plot)?;
        let from = checked_point(&formula, "--from", &self.from.0)?;
        let range = ranges(&formula, self.range.as_ref(), self.function.builtin())?;
        let interrupt = Interrupt::listen();
        let mut device = self.function.open(self.output.quiet)?;
        let mut descents = Vec::new();
        for &learning_rate in &self.learning_rate.0 {
            let points = self.function.points();
            let options = DescentOptions { learning_rate, momentum: self.momentum, steps: self.steps, points };
            descents.push((
                learning_rate,
                descend(&mut device.formulas(), &formula, from, &options, &|| !interrupt.asked())?,
            ));
        }
        let drawn = self.plot.save(|| formula_figures::descent(&formula, range.as_deref(), &descents));
        if self.output.json {
            let row = |(learning_rate, descent)| row(learning_rate, descent);
            let mut rows: Vec<_> = descents.iter().map(|(rate, descent)| row((*rate, descent))).collect();
            report::json(&Document {
                command: "function descend",
                of: formula.text(),
                variables: formula.variables(),
                device: device.record,
                from,
                momentum: self.momentum,
                only: if rows.len() == 1 { rows.pop() } else { None },
                descents: rows,
            })?;
        } else {
            let texts: Vec<_> = descents.iter().map(|(rate, descent)| text(&formula, from, *rate, descent)).collect();
            report::print(&texts.join("\n"))?;
        }
        drawn?;
        match descents.iter().find(|(_, descent)| descent.verdict == Verdict::Diverged) {
            None => Ok(Outcome::Done),
            Some((rate, descent)) => {
                let problem =
                    format!("the descent diverges at step {} (learning rate {})", descent.steps + 1, shown(*rate));
                let falls = descent.values.last() < descent.values.first();
                let hint = if descent.left_domain {
                    "the function has no value where that step leads; a smaller --learning-rate, or start elsewhere"
                } else if falls {
                    "the function falls without end that way; start elsewhere"
                } else {
                    "a smaller --learning-rate"
                };
                Err(Failure::Failed(Error::config_hint(problem, hint)))
            }
        }
    }
}

fn row(learning_rate: f64, descent: &Descent) -> Row<'_> {
    Row {
        learning_rate,
        verdict: descent.verdict.name(),
        x: &descent.x,
        value: descent.value,
        steps: descent.steps,
        gradient: &descent.gradient,
        eigenvalues: &descent.eigenvalues,
    }
}

fn text(formula: &Formula, from: &[f64], learning_rate: f64, descent: &Descent) -> String {
    let list = |numbers: &[f64]| numbers.iter().map(|x| shown(*x)).collect::<Vec<_>>().join(", ");
    let verdict = match descent.verdict {
        Verdict::Minimum => "minimum: the gradient is all but 0 there, and the function falls in no direction",
        Verdict::Saddle if descent.eigenvalues.iter().all(|curve| *curve < 0.0) => {
            "saddle: the gradient is all but 0 there, but the function falls in every direction: it is a maximum"
        }
        Verdict::Saddle => "saddle: the gradient is all but 0 there, but the function falls in a direction",
        Verdict::Plateau => "plateau: the function is all but level there",
        Verdict::HardlyMoved => "hardly moved: the steps are too small; a larger --learning-rate, or more --steps",
        Verdict::NotConverged if descent.is_stuck() => {
            "not converged: it goes to and fro and comes no lower; a smaller --learning-rate"
        }
        Verdict::NotConverged => "not converged: still on its way; more --steps",
        Verdict::Diverged if descent.left_domain => {
            "diverged: out of the function's domain; the point is the last one within"
        }
        Verdict::Diverged => "diverged: away beyond every bound; the point is the last one within",
    };
    let mut rows = vec![
        ("function", formula.text().to_string()),
        (
            "descent",
            format!(
                "from {}, learning rate {}, {} steps",
                place(formula, from),
                shown(learning_rate),
                count(descent.steps)
            ),
        ),
        ("verdict", verdict.into()),
        ("x", place(formula, &descent.x)),
        ("value", shown(descent.value)),
        ("gradient", list(&descent.gradient)),
    ];
    if !descent.eigenvalues.is_empty() {
        rows.push(("curvatures", format!("{} (eigenvalues of the numerical Hessian)", list(&descent.eigenvalues))));
    }
    pairs(&rows)
}
