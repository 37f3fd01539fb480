//! Pictures of loss and accuracy around a network.

use super::plot::{Axis, Contours, Figure, Lines, Panel, Series, Stroke};
use crate::landscape::{CurvePoint, Grid, Score};

/// The curve along one parameter: the accuracy's staircase and the loss, and the derivatives of both under them.
#[must_use]
pub fn curve_figure(parameter: &str, curve: &[CurvePoint]) -> Figure {
    let panel = |label: &str, name: &str, stroke: Stroke, value: &dyn Fn(&CurvePoint) -> f64| {
        let points = curve.iter().map(|point| (point.shift, value(point))).collect();
        Panel::Lines(Lines {
            x: axis(format!("shift of {parameter}")),
            y: axis(label),
            series: vec![Series { name: name.into(), points, stroke }],
        })
    };
    Figure {
        title: format!("Loss and accuracy along {parameter}"),
        panels: vec![
            panel("accuracy", "accuracy", Stroke::Steps, &|point| point.accuracy),
            panel("loss", "loss", Stroke::Solid, &|point| point.loss),
            panel("accuracy's derivative", "accuracy's quotient", Stroke::Points, &|point| point.accuracy_derivative),
            panel("loss's derivative", "loss's quotient", Stroke::Solid, &|point| point.loss_derivative),
        ],
    }
}

/// Loss (as contours and as a surface) and accuracy over a plane, with the path of training where there is one; the network is at (0, 0).
#[must_use]
pub fn plane_figure(labels: [&str; 2], grid: &Grid, scores: &[Score], path: &[(f64, f64)]) -> Figure {
    let map = |label: &str, value: &dyn Fn(&Score) -> f64| {
        let values: Vec<f64> = scores.iter().map(value).collect();
        let (name, points) = if path.is_empty() { ("the model", &[(0.0, 0.0)][..]) } else { ("training", path) };
        let stroke = if path.is_empty() { Stroke::Points } else { Stroke::Solid };
        Contours {
            x: Axis { range: Some(grid.x), ..axis(labels[0]) },
            y: Axis { range: Some(grid.y), ..axis(labels[1]) },
            label: label.into(),
            columns: grid.points,
            rows: grid.points,
            logarithmic: Contours::peaked(&values),
            values,
            arrows: Vec::new(),
            paths: vec![Series { name: name.into(), points: points.to_vec(), stroke }],
        }
    };
    let loss = map("loss", &|score| score.loss);
    let accuracy = map("accuracy", &|score| score.accuracy);
    Figure {
        title: "Loss and accuracy around the model".into(),
        panels: vec![Panel::Contours(loss.clone()), Panel::Surface(loss), Panel::Contours(accuracy)],
    }
}

fn axis(label: impl Into<String>) -> Axis {
    Axis { label: label.into(), logarithmic: false, range: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staircase_is_over_the_curve_and_the_derivatives_are_under_them() {
        let at = |shift: f64| CurvePoint {
            shift,
            loss: shift * shift,
            accuracy: 0.5,
            loss_derivative: 2.0 * shift,
            accuracy_derivative: 0.0,
        };
        let figure = curve_figure("layers.0.weight[1, 2]", &[at(-1.0), at(0.5)]);
        let lines: Vec<_> = figure
            .panels
            .iter()
            .map(|panel| match panel {
                Panel::Lines(lines) => (lines.series[0].stroke, lines.series[0].points.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lines[0], (Stroke::Steps, vec![(-1.0, 0.5), (0.5, 0.5)]));
        assert_eq!(lines[1], (Stroke::Solid, vec![(-1.0, 1.0), (0.5, 0.25)]));
        assert_eq!(lines[2].1, [(-1.0, 0.0), (0.5, 0.0)]);
        assert_eq!(lines[3].1, [(-1.0, -2.0), (0.5, 1.0)]);
    }

    #[test]
    fn a_plane_has_the_path_on_it_or_the_model() {
        let grid = Grid { points: 2, x: (-1.0, 1.0), y: (0.0, 3.0) };
        assert!(Contours::peaked(&[0.0, 1.0, 2.0, 90.0]) && !Contours::peaked(&[f64::NAN, 1.0, 2.0, 3.0]));
        let scores = [1.0, 2.0, 3.0, 4.0].map(|loss| Score { loss, accuracy: loss / 4.0 });
        for path in [vec![], vec![(0.5, 2.0), (0.0, 0.0)]] {
            let figure = plane_figure(["first", "second"], &grid, &scores, &path);
            let [Panel::Contours(loss), Panel::Surface(surface), Panel::Contours(accuracy)] = &figure.panels[..] else {
                panic!("{figure:?}")
            };
            assert_eq!(surface, loss);
            assert_eq!((&loss.values, loss.logarithmic), (&vec![1.0, 2.0, 3.0, 4.0], false));
            assert_eq!((&accuracy.values, accuracy.logarithmic), (&vec![0.25, 0.5, 0.75, 1.0], false));
            assert_eq!((loss.columns, loss.rows, loss.y.range), (2, 2, Some((0.0, 3.0))));
            let expected = if path.is_empty() { vec![(0.0, 0.0)] } else { path };
            assert_eq!(loss.paths[0].points, expected);
        }
    }
}
