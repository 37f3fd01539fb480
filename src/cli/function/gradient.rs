//! `gpu-train function gradient`: every partial derivative at a point, or at all points of a file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::values::{Point, shown, size};
use super::{FormulaOptions, Kink, check_plot, checked_point, finite_at, place};
use crate::cli::options::{OutputOptions, PlotOptions};
use crate::cli::record::DeviceRecord;
use crate::cli::{Failure, Outcome, paths};
use crate::data::npy;
use crate::formula::Formula;
use crate::gradient::formula::PointGradients;
use crate::report::{self, count, duration, formula_figures, pairs, table};
use crate::{Error, Result};

/// Points of a file that are shown as text.
const SHOWN: usize = 10;

/// The options of `gpu-train function gradient`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("where").required(true).args(["at", "at_file"]))]
pub(in crate::cli) struct Gradient {
    #[command(flatten)]
    function: FormulaOptions,
    /// Where: a number for each variable, in the order of their names
    #[arg(long, value_name = "X,...", allow_hyphen_values = true)]
    at: Option<Point>,
    /// Where: NumPy's .npy of float64 or float32, a row a point
    #[arg(long, value_name = "POINTS.npy")]
    at_file: Option<PathBuf>,
    /// Write the gradients here, as .npy of float64, a row a point
    #[arg(long, value_name = "FILE.npy", help_heading = "Files")]
    out: Option<PathBuf>,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// The keys that both documents begin with.
#[derive(Serialize)]
struct Head {
    command: &'static str,
    of: String,
    variables: Vec<String>,
    device: DeviceRecord,
    difference: &'static str,
    step_size: f64,
}

#[derive(Serialize)]
struct OnePoint<'a> {
    #[serde(flatten)]
    head: Head,
    at: &'a [f64],
    value: f64,
    gradient: &'a [f64],
    /// Null at a kink.
    analytic: Vec<Option<f64>>,
    error: f64,
    kinks: Vec<Kink>,
}

#[derive(Serialize)]
struct ManyPoints<'a> {
    #[serde(flatten)]
    head: Head,
    points: usize,
    not_finite: usize,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<PointResult<'a>>>,
}

/// What is not finite is null.
#[derive(Serialize)]
struct PointResult<'a> {
    at: &'a [f64],
    value: f64,
    gradient: &'a [f64],
}

impl Gradient {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let formula = self.function.formula()?;
        check_plot(&self.plot)?;
        if let Some(out) = &self.out {
            if self.at_file.is_none() {
                let problem = "--out writes the gradients at the points of a file";
                return Err(Failure::Usage(Error::config_hint(
                    problem,
                    "--at-file POINTS.npy; --json prints one point's",
                )));
            }
            paths::check_writable(out)?;
        }
        match (&self.at, &self.at_file) {
            (Some(at), _) => self.at_point(&formula, checked_point(&formula, "--at", &at.0)?),
            (None, Some(file)) => self.at_points(&formula, file),
            // clap demands one of them.
            (None, None) => Err(Failure::Usage(Error::config("--at or --at-file says where"))),
        }
    }

    fn head(&self, formula: &Formula, device: DeviceRecord) -> Head {
        Head {
            command: "function gradient",
            of: formula.text().into(),
            variables: formula.variables().to_vec(),
            device,
            difference: self.function.difference.name(),
            step_size: self.function.step_size,
        }
    }

    fn at_point(&self, formula: &Formula, point: &[f64]) -> Result<Outcome, Failure> {
        if self.plot.file.is_some() {
            formula_figures::drawable(formula).map_err(Failure::Usage)?;
        }
        let mut device = self.function.open(self.output.quiet)?;
        let found = device.formulas().gradients(formula, point, &self.function.points())?;
        finite_at(formula, point, &found)?;
        let kinks: Vec<_> = (0..point.len()).map(|variable| Kink::of(formula, point, variable)).collect();
        let smooth = formula.gradient(point).into_iter().zip(&kinks);
        let analytic: Vec<_> = smooth.map(|(slope, kink)| Some(slope).filter(|_| kink.is_none())).collect();
        let known = analytic.iter().zip(&found.gradients).filter_map(|(a, b)| Some((*a)? - b));
        let error = known.map(f64::abs).fold(0.0, f64::max);
        let drawn =
            self.plot.save(|| formula_figures::gradient(formula, self.function.builtin(), point, &found.gradients));
        if self.output.json {
            let head = self.head(formula, device.record);
            let (value, gradient) = (found.values[0], found.gradients.as_slice());
            report::json(&OnePoint {
                head,
                at: point,
                value,
                gradient,
                analytic,
                error,
                kinks: kinks.into_iter().flatten().collect(),
            })?;
        } else {
            report::print(&self.text(formula, point, &found, &analytic, &kinks))?;
        }
        drawn?;
        Ok(Outcome::Done)
    }

    /// Each partial derivative by name: who moved, and who stayed.
    fn text(
        &self,
        formula: &Formula,
        point: &[f64],
        found: &PointGradients,
        analytic: &[Option<f64>],
        kinks: &[Option<Kink>],
    ) -> String {
        let names = formula.variables();
        let row = |variable: usize| {
            let stays = (0..names.len()).filter(|&other| other != variable);
            let stays: Vec<_> = stays.map(|other| format!("{} = {}", names[other], shown(point[other]))).collect();
            let derivative = found.gradients[variable];
            let known = analytic[variable].map(|analytic| (shown(analytic), size((derivative - analytic).abs())));
            let (analytic, error) = known.unwrap_or_else(|| ("none".into(), "-".into()));
            [
                format!("df/d{}", names[variable]),
                format!("{} = {} by {}", names[variable], shown(point[variable]), shown(self.function.step_size)),
                if stays.is_empty() { "-".into() } else { stays.join(", ") },
                shown(derivative),
                analytic,
                error,
            ]
        };
        let rows: Vec<_> = (0..names.len()).map(row).collect();
        let (value, place) = (shown(found.values[0]), place(formula, point));
        let about = format!("{} = {value} at {place}", formula.text());
        let mut text =
            format!("{about}\n\n{}", table(["", "moves", "stays", "derivative", "analytic", "error"], &rows));
        for Kink { variable, left, right } in kinks.iter().flatten() {
            let (left, right) = (shown(*left), shown(*right));
            text +=
                &format!("\nkink: along {variable} the derivative is {left} on the left and {right} on the right\n");
        }
        text
    }

    fn at_points(&self, formula: &Formula, file: &Path) -> Result<Outcome, Failure> {
        if self.plot.file.is_some() {
            let problem = "--plot draws one point; a file of them has no picture";
            return Err(Failure::Usage(Error::config_hint(problem, "gpu-train function field draws many")));
        }
        let variables = formula.variables().len();
        let array = npy::read(file)?;
        let Some(points) = array.rows_of(variables) else {
            let problem = format!(
                "{} is of shape {:?}, {} has {variables} variables",
                file.display(),
                array.shape,
                formula.text()
            );
            return Err(Error::config_hint(problem, format!("an array of [points, {variables}]")).into());
        };
        let mut device = self.function.open(self.output.quiet)?;
        let started = Instant::now();
        let found = device.formulas().gradients(formula, &array.values, &self.function.points())?;
        let seconds = started.elapsed().as_secs_f64();
        if let Some(out) = &self.out {
            npy::write(out, &[points, variables], &found.gradients)?;
        }
        let results = || {
            let rows = array.values.chunks_exact(variables).zip(found.gradients.chunks_exact(variables));
            rows.zip(&found.values).map(|((at, gradient), &value)| PointResult { at, value, gradient })
        };
        let not_finite = results().filter(|row| !(row.value.is_finite() && row.gradient.iter().all(|g| g.is_finite())));
        let not_finite = not_finite.count();
        if not_finite > 0 && !self.output.quiet {
            let of = count(points as u64);
            report::warning(&format!("the function or its gradient is not finite at {not_finite} of {of} points"));
        }
        let head = self.head(formula, device.record);
        if self.output.json {
            let out = self.out.as_deref();
            let results = out.is_none().then(|| results().collect());
            report::json(&ManyPoints { head, points, not_finite, seconds, out, results })?;
            return Ok(Outcome::Done);
        }
        let list = |numbers: &[f64]| numbers.iter().map(|x| shown(*x)).collect::<Vec<_>>().join(", ");
        let rows: Vec<_> =
            results().take(SHOWN).map(|row| [list(row.at), shown(row.value), list(row.gradient)]).collect();
        let names = formula.variables().join(", ");
        let mut about = vec![
            ("function", formula.text().to_string()),
            ("points", format!("{}, in {}", count(points as u64), duration(seconds))),
        ];
        if let Some(out) = &self.out {
            about.push(("gradients", out.display().to_string()));
        }
        let more =
            if points > SHOWN { format!("... and {} more\n", count((points - SHOWN) as u64)) } else { String::new() };
        report::print(&format!("{}{more}\n{}", table([&names, "value", "gradient"], &rows), pairs(&about)))?;
        Ok(Outcome::Done)
    }
}
