//! Pictures of formulas: a tangent and the error of a derivative, a gradient, a field of them, a descent.

use super::plot::{Axis, Contours, Figure, Lines, Panel, Series, Stroke, exact};
use crate::formula::{Builtin, Formula};
use crate::gradient::formula::{Descent, FormulaDevice, SweepRow, Verdict};
use crate::{Error, Result};

/// Points of a curve.
const CURVE: usize = 401;

/// Points along each side of contours.
const CONTOURS: usize = 101;

/// Whether a gradient or a descent of this formula can be drawn: it has one variable or two.
///
/// # Errors
/// [`Error::Config`] for one of more.
pub fn drawable(formula: &Formula) -> Result<()> {
    match formula.variables().len() {
        0..=2 => Ok(()),
        more => Err(Error::config(format!("--plot draws one variable or two, {} has {more}", formula.text()))),
    }
}

/// `count` x `count` points `[.., 2]` over two ranges, ends included: along the first one, row by row.
#[must_use]
pub fn grid(range: &[(f64, f64)], count: usize) -> Vec<f64> {
    let [x, y] = [range[0], range[1]].map(|range| line(range, count));
    y.iter().flat_map(|&y| x.iter().flat_map(move |&x| [x, y])).collect()
}

/// Evenly spaced points, ends included.
fn line((from, to): (f64, f64), count: usize) -> Vec<f64> {
    let last = (count - 1) as f64;
    (0..count).map(|index| from + (to - from) * (index as f64 / last)).collect()
}

/// Values on the CPU; what cannot be evaluated is left blank.
fn values(formula: &Formula, points: &[f64]) -> Vec<f64> {
    FormulaDevice::Cpu { threads: None }.values(formula, points).unwrap_or_default()
}

fn axis(label: &str, range: Option<(f64, f64)>) -> Axis {
    Axis { label: label.into(), logarithmic: false, range }
}

fn series(name: impl Into<String>, points: Vec<(f64, f64)>, stroke: Stroke) -> Series {
    Series { name: name.into(), points, stroke }
}

/// A function of one variable over a range.
fn curve(formula: &Formula, range: (f64, f64)) -> Series {
    let x = line(range, CURVE);
    let y = values(formula, &x);
    series(formula.text(), x.into_iter().zip(y).collect(), Stroke::Solid)
}

/// The curve around a point, and the lines of these slopes through it.
fn tangent(formula: &Formula, x: f64, slopes: &[(&str, f64)]) -> Panel {
    let reach = x.abs().max(1.0);
    let range = (x - reach, x + reach);
    let value = formula.value(&[x]);
    let lines = slopes.iter().filter(|(_, slope)| slope.is_finite()).map(|(name, slope)| {
        let ends = [range.0, range.1].map(|at| (at, value + slope * (at - x)));
        series(format!("{name}, slope {}", exact(*slope)), ends.to_vec(), Stroke::Dashed)
    });
    let point = series(format!("{} = {}", formula.variables()[0], exact(x)), vec![(x, value)], Stroke::Points);
    Panel::Lines(Lines {
        x: axis(&formula.variables()[0], Some(range)),
        y: axis(formula.text(), None),
        series: std::iter::once(curve(formula, range)).chain(lines).chain([point]).collect(),
    })
}

/// A derivative: function and tangent, or the named slopes of a kink, and the error over the steps of a sweep.
#[must_use]
pub fn derivative(formula: &Formula, x: f64, slopes: &[(&str, f64)], rows: &[SweepRow]) -> Figure {
    type Error = fn(&SweepRow) -> Option<f64>;
    let errors = |name: &str, error: Error, stroke: Stroke| {
        // No error at all has no place on a scale of factors.
        let shown = |row: &SweepRow| error(row).filter(|error| *error > 0.0).unwrap_or(f64::NAN);
        series(name, rows.iter().map(|row| (row.step_size, shown(row))).collect(), stroke)
    };
    let logarithmic = |label: &str| Axis { label: label.into(), logarithmic: true, range: None };
    let sweep = Panel::Lines(Lines {
        x: logarithmic("step size h"),
        y: logarithmic("error of the derivative"),
        series: vec![
            errors("float32", |row| row.float32_error, Stroke::Solid),
            errors("float64", |row| row.float64_error, Stroke::Solid),
            errors("truncation alone", |row| row.truncation_error, Stroke::Dashed),
        ],
    });
    let panels = std::iter::once(tangent(formula, x, slopes)).chain((!rows.is_empty()).then_some(sweep));
    Figure { title: format!("Derivative of {} at {}", formula.text(), exact(x)), panels: panels.collect() }
}

/// Contours of a function of two variables.
fn contours(formula: &Formula, range: &[(f64, f64)], arrows: Vec<[f64; 4]>, paths: Vec<Series>) -> Contours {
    let values = values(formula, &grid(range, CONTOURS));
    let logarithmic = Contours::peaked(&values);
    let names = formula.variables();
    Contours {
        x: axis(&names[0], Some(range[0])),
        y: axis(&names[1], Some(range[1])),
        label: formula.text().into(),
        values,
        columns: CONTOURS,
        rows: CONTOURS,
        logarithmic,
        arrows,
        paths,
    }
}

/// Arrows as long as a cell of their grid at most: the longest tenth are all drawn as one length, the others in
/// proportion.
fn scaled(arrows: &[[f64; 4]], cell: (f64, f64)) -> Vec<[f64; 4]> {
    // Measured in cells, so that both axes count.
    let size = |arrow: &[f64; 4]| (arrow[2] / cell.0).hypot(arrow[3] / cell.1);
    let mut sizes: Vec<f64> = arrows.iter().map(size).filter(|size| size.is_finite() && *size > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let Some(&longest) = sizes.get(sizes.len() * 9 / 10) else { return Vec::new() };
    let shown = arrows.iter().filter(|arrow| size(arrow).is_finite() && size(arrow) > 0.0);
    shown
        .map(|arrow| {
            let factor = 0.9 / size(arrow).max(longest);
            [arrow[0], arrow[1], arrow[2] * factor, arrow[3] * factor]
        })
        .collect()
}

/// A gradient at one point: the tangent of one variable; an arrow on the contours of two.
#[must_use]
pub fn gradient(formula: &Formula, builtin: Option<&Builtin>, point: &[f64], gradient: &[f64]) -> Figure {
    let place: Vec<_> = point.iter().map(|x| exact(*x)).collect();
    let title = format!("Gradient of {} at ({})", formula.text(), place.join(", "));
    let panel = match (point, gradient) {
        ([x, y], [dx, dy]) => {
            let around = |x: f64| (x - x.abs().max(1.0), x + x.abs().max(1.0));
            let mut range = builtin.map_or([around(*x), around(*y)], |builtin| {
                // A built-in function's own range, as far as the point is in it.
                let [a, b] = builtin.range;
                [(a.0.min(x - 1.0), a.1.max(x + 1.0)), (b.0.min(y - 1.0), b.1.max(y + 1.0))]
            });
            let cell = ((range[0].1 - range[0].0) / 5.0, (range[1].1 - range[1].0) / 5.0);
            let arrows = scaled(&[[*x, *y, *dx, *dy]], cell);
            // Where the point is near an edge, the picture grows until the arrow's head is in it.
            for [x, y, dx, dy] in &arrows {
                for (end, head, room) in [(0, x + dx, 0.3 * cell.0), (1, y + dy, 0.3 * cell.1)] {
                    range[end] = (range[end].0.min(head - room), range[end].1.max(head + room));
                }
            }
            let path = series("the point", vec![(*x, *y)], Stroke::Points);
            Panel::Contours(contours(formula, &range, arrows, vec![path]))
        }
        _ => tangent(formula, point[0], &[("tangent", gradient[0])]),
    };
    Figure { title, panels: vec![panel] }
}

/// A field of arrows `[x, y, dx, dy]` at `count` x `count` points, over contours.
#[must_use]
pub fn field(formula: &Formula, range: &[(f64, f64)], count: usize, arrows: &[[f64; 4]], is_negative: bool) -> Figure {
    // More than these would touch each other.
    const MOST: usize = 45;
    let stride = count.div_ceil(MOST);
    let thinned = |(index, _): &(usize, &[f64; 4])| {
        (index % count).is_multiple_of(stride) && (index / count).is_multiple_of(stride)
    };
    let shown: Vec<_> = arrows.iter().enumerate().filter(thinned).map(|(_, arrow)| *arrow).collect();
    let between = (count - 1) as f64 / stride as f64;
    let cell = ((range[0].1 - range[0].0) / between, (range[1].1 - range[1].0) / between);
    let what = if is_negative { "Negative gradients" } else { "Gradients" };
    let map = contours(formula, range, scaled(&shown, cell), Vec::new());
    Figure { title: format!("{what} of {}", formula.text()), panels: vec![Panel::Contours(map)] }
}

/// Descents, each with its learning rate: their ways on the contours of two variables or the curve of one, and the value
/// at each step.
#[must_use]
pub fn descent(formula: &Formula, range: Option<&[(f64, f64)]>, descents: &[(f64, Descent)]) -> Figure {
    let name = |rate: f64, descent: &Descent| {
        let verdict = descent.verdict.name().replace('-', " ");
        format!("learning rate {}: {verdict}", exact(rate))
    };
    let variables = formula.variables().len();
    let range = range.map_or_else(|| reach(descents, variables), <[(f64, f64)]>::to_vec);
    let mut panels = Vec::new();
    let way = |descent: &Descent, place: &dyn Fn(usize) -> (f64, f64), ends: &[(f64, f64)]| {
        let inside = |(x, y): (f64, f64)| {
            let within =
                |value: f64, end: Option<&(f64, f64)>| end.is_none_or(|(from, to)| (*from..=*to).contains(&value));
            if within(x, ends.first()) && within(y, ends.get(1)) { (x, y) } else { (f64::NAN, f64::NAN) }
        };
        let mut points: Vec<_> = (0..descent.path.len()).map(|index| inside(place(index))).collect();
        // What leaves the picture for good ends there.
        while points.last().is_some_and(|point| point.0.is_nan()) {
            points.pop();
        }
        points
    };
    match variables {
        1 => {
            let mut all = vec![curve(formula, range[0])];
            all.extend(descents.iter().map(|(rate, descent)| {
                let place = |index: usize| (descent.path[index][0], descent.values[index]);
                series(name(*rate, descent), way(descent, &place, &range), Stroke::Points)
            }));
            panels.push(Panel::Lines(Lines {
                x: axis(&formula.variables()[0], Some(range[0])),
                y: axis(formula.text(), None),
                series: all,
            }));
        }
        2 => {
            let paths = descents.iter().map(|(rate, descent)| {
                let place = |index: usize| (descent.path[index][0], descent.path[index][1]);
                series(name(*rate, descent), way(descent, &place, &range), Stroke::Solid)
            });
            panels.push(Panel::Contours(contours(formula, &range, Vec::new(), paths.collect())));
        }
        _ => {}
    }
    let values = descents.iter().map(|(rate, descent)| {
        // Of a long descent every so manieth point is kept.
        let stride = (descent.steps as f64 / (descent.path.len().max(2) - 1) as f64).max(1.0);
        // One that diverges is followed as far as the picture goes: beyond, it would flatten all others.
        let inside = |point: &Vec<f64>| point.iter().zip(&range).all(|(x, (from, to))| (*from..=*to).contains(x));
        let count = match descent.verdict {
            Verdict::Diverged => descent.path.iter().rposition(inside).map_or(1, |last| last + 1),
            _ => descent.values.len(),
        };
        let points =
            descent.values.iter().take(count).enumerate().map(|(index, value)| (index as f64 * stride, *value));
        series(name(*rate, descent), points.collect(), Stroke::Solid)
    });
    panels.push(Panel::Lines(Lines { x: axis("step", None), y: axis("value", None), series: values.collect() }));
    Figure { title: format!("Descent of {}", formula.text()), panels }
}

/// The range that shows where descents have been, each variable with some room around; those that diverge would leave
/// nothing else to see.
fn reach(descents: &[(f64, Descent)], variables: usize) -> Vec<(f64, f64)> {
    /// Around what is shown, as a share of its larger side.
    const ROOM: f64 = 0.25;
    let points = || {
        descents.iter().flat_map(|(_, descent)| {
            let count = if descent.verdict == Verdict::Diverged { 1 } else { descent.path.len() };
            &descent.path[..count]
        })
    };
    let ends: Vec<(f64, f64)> = (0..variables)
        .map(|variable| {
            let values = points().map(|point| point[variable]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), x| (from.min(x), to.max(x)))
        })
        .collect();
    let largest = ends.iter().map(|(from, to)| to - from).fold(0.0, f64::max);
    let size = points().flatten().fold(1.0, |most: f64, x| most.max(x.abs()));
    let room = if largest > 0.0 { ROOM * largest } else { size };
    ends.into_iter().map(|(from, to)| (from - room, to + room)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::Difference;
    use crate::gradient::formula::{DescentOptions, PointOptions, descend, sweep};

    fn formula(text: &str) -> Formula {
        Formula::parse(text).unwrap()
    }

    fn descents(formula: &Formula, from: &[f64], rates: &[f64]) -> Vec<(f64, Descent)> {
        let run = |&learning_rate: &f64| {
            let options = DescentOptions { learning_rate, momentum: 0.0, steps: 30, points: PointOptions::default() };
            (
                learning_rate,
                descend(&mut FormulaDevice::Cpu { threads: Some(1) }, formula, from, &options, &|| true).unwrap(),
            )
        };
        rates.iter().map(run).collect()
    }

    #[test]
    fn a_grid_runs_along_x_first() {
        assert_eq!(grid(&[(0.0, 1.0), (5.0, 6.0)], 2), [0.0, 5.0, 1.0, 5.0, 0.0, 6.0, 1.0, 6.0]);
    }

    #[test]
    fn a_derivative_shows_curve_tangent_and_sweep() {
        let f = formula("0.01*x^2 + 0.1*x");
        let rows = sweep(&f, 5.0, Difference::Central).unwrap();
        let figure = derivative(&f, 5.0, &[("tangent", 0.2)], &rows);
        let [Panel::Lines(first), Panel::Lines(second)] = figure.panels.as_slice() else { panic!("{figure:?}") };
        // The tangent touches the curve where the point is.
        let [curve, tangent, point] = first.series.as_slice() else { panic!("{first:?}") };
        assert_eq!((curve.points[0], curve.points[CURVE - 1]), ((0.0, 0.0), (10.0, 2.0)));
        assert_eq!((point.points[0], tangent.points[0].1), ((5.0, 0.75), 0.75 - 0.2 * 5.0));
        assert!(second.x.logarithmic && second.y.logarithmic);
        assert!(second.series.iter().all(|series| series.points.len() == rows.len()));
        assert!(second.series.iter().flat_map(|series| &series.points).all(|point| point.1.is_nan() || point.1 > 0.0));
    }

    #[test]
    fn arrows_point_along_the_gradient_and_do_not_touch() {
        let (f, range) = (formula("bowl"), [(-2.0, 2.0); 2]);
        let points = grid(&range, 21);
        let arrows: Vec<_> = points.chunks(2).map(|p| [p[0], p[1], 2.0 * p[0], 2.0 * p[1]]).collect();
        let figure = field(&f, &range, 21, &arrows, false);
        let Panel::Contours(panel) = &figure.panels[0] else { panic!("{figure:?}") };
        // All but the one at the minimum, which has no direction.
        assert_eq!((panel.arrows.len(), panel.values.len()), (440, CONTOURS * CONTOURS));
        for [x, y, dx, dy] in &panel.arrows {
            assert!((x * dy - y * dx).abs() < 1e-12 && x * dx + y * dy > 0.0);
            assert!(dx.hypot(*dy) <= 0.9 * 0.2 + 1e-12);
        }
        assert!(!panel.logarithmic);
        // Row by row from the smallest y.
        assert_eq!((panel.values[0], panel.values[CONTOURS / 2]), (8.0, 4.0));
        assert!(matches!(&field(&formula("rosenbrock"), &[(-2.0, 2.0), (-1.0, 3.0)], 2, &[], true).panels[0],
            Panel::Contours(panel) if panel.logarithmic));
    }

    #[test]
    fn descents_are_ways_from_start_to_end_and_stay_in_the_picture() {
        let f = formula("bowl");
        let all = descents(&f, &[-3.0, 4.0], &[0.1, 0.9, 10.0]);
        let figure = descent(&f, None, &all);
        let [Panel::Contours(map), Panel::Lines(values)] = figure.panels.as_slice() else { panic!("{figure:?}") };
        assert_eq!((map.paths.len(), values.series.len()), (3, 3));
        assert_eq!((map.paths[0].points[0], map.paths[0].points.len()), ((-3.0, 4.0), 31));
        assert_eq!(map.paths[2].points.len(), 1, "it leaves at once");
        assert_eq!(map.paths[2].name, "learning rate 10: diverged");
        assert_eq!(
            (values.series[1].points.len(), values.series[2].points.len()),
            (31, 1),
            "values beyond the picture"
        );
        let (Some(x), Some(y)) = (map.x.range, map.y.range) else { panic!("{map:?}") };
        for point in map.paths.iter().flat_map(|path| &path.points) {
            assert!((x.0..=x.1).contains(&point.0) && (y.0..=y.1).contains(&point.1), "{point:?}");
        }
        let f = formula("x^2");
        assert!(matches!(descent(&f, None, &descents(&f, &[2.0], &[0.1])).panels[0], Panel::Lines(_)));
        let f = formula("x^2 + y^2 + z^2");
        assert_eq!(descent(&f, None, &descents(&f, &[2.0, 1.0, 0.0], &[0.1])).panels.len(), 1);
    }

    #[test]
    fn gradients_are_drawn_for_one_variable_and_two() {
        let f = formula("bowl");
        let figure = gradient(&f, None, &[3.0, 4.0], &[6.0, 8.0]);
        let Panel::Contours(panel) = &figure.panels[0] else { panic!("{figure:?}") };
        assert_eq!(panel.arrows.len(), 1);
        // At the edge of a built-in function's own range the whole arrow is seen.
        let corner = gradient(&f, Builtin::named("bowl"), &[3.9, 4.0], &[7.8, 8.0]);
        let Panel::Contours(panel) = &corner.panels[0] else { panic!("{corner:?}") };
        let ([x, y, dx, dy], Some(across), Some(up)) = (panel.arrows[0], panel.x.range, panel.y.range) else {
            panic!("{panel:?}")
        };
        assert!(across.1 > x + dx && up.1 > y + dy, "{across:?} {up:?} {:?}", panel.arrows);
        assert!(matches!(gradient(&formula("x^2"), None, &[3.0], &[6.0]).panels[0], Panel::Lines(_)));
        assert!(drawable(&formula("x*y*z")).is_err() && drawable(&f).is_ok());
    }
}
