//! `gpu-train function field`: the gradients of a function of two variables over a range.

use clap::Args;
use serde::Serialize;

use super::values::{Ranges, shown};
use super::{FormulaOptions, check_plot, plural};
use crate::cli::options::{OutputOptions, PlotOptions};
use crate::cli::record::DeviceRecord;
use crate::cli::{Failure, Outcome};
use crate::formula::{ARROWS, Builtin, Formula};
use crate::report::{self, count, formula_figures, pairs};
use crate::{Error, Result};

/// Where nothing is said of a range.
pub(super) const RANGE: (f64, f64) = (-2.0, 2.0);

/// The options of `gpu-train function field`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Field {
    #[command(flatten)]
    function: FormulaOptions,
    /// The ends of both variables, or of each: -2:2,-1:3 [default: -2:2, or where a built-in function is interesting]
    #[arg(long, value_name = "FROM:TO", allow_hyphen_values = true)]
    range: Option<Ranges>,
    /// Gradients along each variable [default: 21, or what a built-in function needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1_001))]
    grid: Option<u16>,
    /// The negative gradients: where the function falls fastest
    #[arg(long)]
    negative: bool,
    #[command(flatten)]
    plot: PlotOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    of: String,
    variables: Vec<String>,
    device: DeviceRecord,
    range: Vec<(f64, f64)>,
    grid: u16,
    negative: bool,
    vectors: Vec<Vector>,
}

/// What is not finite is null.
#[derive(Serialize)]
struct Vector {
    at: [f64; 2],
    value: f64,
    vector: [f64; 2],
}

/// The range of each variable: as it was asked for, else a built-in function's own.
pub(super) fn ranges(
    formula: &Formula,
    asked: Option<&Ranges>,
    builtin: Option<&Builtin>,
) -> Result<Option<Vec<(f64, f64)>>, Failure> {
    let variables = formula.variables().len();
    let Some(asked) = asked else { return Ok(builtin.map(|builtin| builtin.range.to_vec())) };
    let wrong = || {
        let (ranges, variables) = (plural(asked.count(), "range"), plural(variables, "variable"));
        Failure::Usage(Error::config(format!("{ranges} for {variables}")))
    };
    asked.of(variables).map(Some).ok_or_else(wrong)
}

impl Field {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let formula = self.function.formula()?;
        check_plot(&self.plot)?;
        if formula.variables().len() != 2 {
            let problem =
                format!("{} has {}; a field is of two", formula.text(), plural(formula.variables().len(), "variable"));
            return Err(Failure::Usage(Error::config(problem)));
        }
        let range = ranges(&formula, self.range.as_ref(), self.function.builtin())?;
        let range = range.unwrap_or_else(|| vec![RANGE; 2]);
        // A range of one's own may be a small part of the function's.
        let own = self.function.builtin().filter(|_| self.range.is_none()).map_or(ARROWS, |builtin| builtin.arrows);
        let grid = self.grid.unwrap_or(own);
        let mut device = self.function.open(self.output.quiet)?;
        let points = formula_figures::grid(&range, grid.into());
        let found = device.formulas().gradients(&formula, &points, &self.function.points())?;
        let sign = if self.negative { -1.0 } else { 1.0 };
        let rows = points.chunks_exact(2).zip(found.gradients.chunks_exact(2)).zip(&found.values);
        let vectors = rows.map(|((at, slope), &value)| Vector {
            at: [at[0], at[1]],
            value,
            // Not -0, which nobody wants to read.
            vector: [sign * slope[0] + 0.0, sign * slope[1] + 0.0],
        });
        let vectors: Vec<_> = vectors.collect();
        let drawn = self.plot.save(|| {
            let arrows: Vec<_> =
                vectors.iter().map(|row| [row.at[0], row.at[1], row.vector[0], row.vector[1]]).collect();
            formula_figures::field(&formula, &range, grid.into(), &arrows, self.negative)
        });
        let document = Document {
            command: "function field",
            of: formula.text().into(),
            variables: formula.variables().to_vec(),
            device: device.record,
            range,
            grid,
            negative: self.negative,
            vectors,
        };
        if self.output.json {
            report::json(&document)?;
        } else {
            report::print(&document.text())?;
        }
        drawn?;
        Ok(Outcome::Done)
    }
}

impl Document {
    fn text(&self) -> String {
        let size = |row: &Vector| row.vector[0].hypot(row.vector[1]);
        let known = || self.vectors.iter().filter(|row| size(row).is_finite());
        let told = |row: Option<&Vector>| match row {
            None => "nowhere is it finite".into(),
            Some(row) => {
                let [x, y, u, v] = [row.at[0], row.at[1], row.vector[0], row.vector[1]].map(shown);
                format!("({u}, {v}) at ({x}, {y})")
            }
        };
        let ends = self.variables.iter().zip(&self.range);
        let ends: Vec<_> =
            ends.map(|(name, (from, to))| format!("{name} from {} to {}", shown(*from), shown(*to))).collect();
        let what = if self.negative { "negative gradients" } else { "gradients" };
        pairs(&[
            ("function", self.of.clone()),
            ("field", format!("{} {what}, {}", count(self.vectors.len() as u64), ends.join(", "))),
            ("steepest", told(known().max_by(|a, b| size(a).total_cmp(&size(b))))),
            ("most level", told(known().min_by(|a, b| size(a).total_cmp(&size(b))))),
        ])
    }
}
