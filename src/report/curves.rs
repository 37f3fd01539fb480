//! The curves of a run, in bounded memory however long it is, and their picture.

use super::count;
use super::plot::{Axis, Figure, Lines, Panel, Series, Stroke};
use crate::train::Evaluation;

/// Groups of steps that are kept apart: more than a picture has columns of pixels.
const GROUPS: usize = 4096;
/// The share of a run that its running mean is taken over.
const WINDOW: usize = 50;

/// Successive steps' losses.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: u64,
    last: u64,
    lowest: f32,
    highest: f32,
    /// Of those that are finite.
    sum: f64,
    finite: u64,
}

impl Group {
    fn of(step: u64, loss: f32) -> Self {
        let (sum, finite) = if loss.is_finite() { (loss.into(), 1) } else { (0.0, 0) };
        Self { first: step, last: step, lowest: loss, highest: loss, sum, finite }
    }

    /// This and what follows it.
    fn and(self, next: Self) -> Self {
        Self {
            last: next.last,
            // A value that is not finite is not hidden by its neighbours.
            lowest: if next.lowest < self.lowest || next.lowest.is_nan() { next.lowest } else { self.lowest },
            highest: if next.highest > self.highest || next.highest.is_nan() { next.highest } else { self.highest },
            sum: self.sum + next.sum,
            finite: self.finite + next.finite,
            ..self
        }
    }
}

/// Each step's loss, or where there are too many of them the lowest and the highest of each few.
#[derive(Debug, Clone)]
pub struct LossCurve {
    groups: Vec<Group>,
    /// Steps of a group.
    size: u64,
    /// Steps in the last of them.
    filled: u64,
}

impl Default for LossCurve {
    fn default() -> Self {
        Self { groups: Vec::new(), size: 1, filled: 0 }
    }
}

impl LossCurve {
    /// Adds a step's loss.
    pub fn push(&mut self, step: u64, loss: f32) {
        let group = Group::of(step, loss);
        match self.groups.last_mut() {
            Some(last) if self.filled < self.size => {
                *last = last.and(group);
                self.filled += 1;
            }
            _ => {
                if self.groups.len() == GROUPS {
                    self.groups = self.groups.chunks(2).map(|pair| pair[0].and(pair[1])).collect();
                    self.size *= 2;
                }
                self.groups.push(group);
                self.filled = 1;
            }
        }
    }

    /// How many steps the running mean is taken over.
    fn window(&self) -> (usize, u64) {
        let groups = (self.groups.len() / WINDOW).max(1);
        (groups, groups as u64 * self.size)
    }

    /// Every loss, or the ends of every group.
    fn each(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::with_capacity(2 * self.groups.len());
        for group in &self.groups {
            points.push((group.first as f64, f64::from(group.lowest)));
            if group.last > group.first {
                points.push((group.last as f64, f64::from(group.highest)));
            }
        }
        points
    }

    /// The mean over the window, in the window's middle: behind it, it would lag where the loss falls.
    fn mean(&self) -> Vec<(f64, f64)> {
        let (window, _) = self.window();
        let (mut sum, mut finite) = (0.0, 0);
        let mut points = Vec::with_capacity(self.groups.len());
        for (index, group) in self.groups.iter().enumerate() {
            (sum, finite) = (sum + group.sum, finite + group.finite);
            if let Some(past) = index.checked_sub(window).map(|past| &self.groups[past]) {
                (sum, finite) = (sum - past.sum, finite - past.finite);
            }
            if index + 1 >= window {
                let first = self.groups[index + 1 - window].first;
                points.push((f64::midpoint(first as f64, group.last as f64), sum / finite as f64));
            }
        }
        points
    }

    /// The curve and its running mean; `name` tells them from those of other runs.
    #[must_use]
    pub fn series(&self, name: &str) -> Vec<Series> {
        let named = |what: String| if name.is_empty() { what } else { format!("{name}, {what}") };
        let (groups, steps) = self.window();
        let each = Series { name: named("each step".into()), points: self.each(), stroke: Stroke::Faint };
        let mean = Series {
            name: named(format!("mean of {} steps", count(steps))),
            points: self.mean(),
            stroke: Stroke::Solid,
        };
        if groups == 1 && self.size == 1 {
            // Few steps are their own mean.
            return vec![Series { stroke: Stroke::Solid, ..each }];
        }
        vec![each, mean]
    }
}

/// What a run is watched by: its losses and its evaluations.
#[derive(Debug, Clone, Default)]
pub struct TrainingCurves {
    /// Of the batches.
    pub losses: LossCurve,
    /// Of both splits, in the order of their steps.
    pub evaluations: Vec<Evaluation>,
}

impl TrainingCurves {
    /// A series of the evaluations.
    #[must_use]
    pub fn evaluated(&self, name: &str, stroke: Stroke, value: impl Fn(&Evaluation) -> f64) -> Series {
        let points = self.evaluations.iter().map(|evaluation| (evaluation.epoch, value(evaluation))).collect();
        Series { name: name.into(), points, stroke }
    }

    /// Loss a step with its running mean; accuracy and loss of both splits an epoch, where over-fitting shows.
    #[must_use]
    pub fn figure(&self, title: String) -> Figure {
        let axis = |label: &str| Axis { label: label.into(), logarithmic: false, range: None };
        let losses = Lines { x: axis("step"), y: axis("loss of the batch"), series: self.losses.series("") };
        let accuracies = vec![
            self.evaluated("training split", Stroke::Solid, |evaluation| evaluation.train.accuracy),
            self.evaluated("test split", Stroke::Solid, |evaluation| evaluation.test.accuracy),
        ];
        let accuracy = Lines {
            x: axis("epoch"),
            y: Axis { range: share_range(&accuracies), ..axis("accuracy") },
            series: accuracies,
        };
        let whole = Lines {
            x: axis("epoch"),
            y: axis("loss of the split"),
            series: vec![
                self.evaluated("training split", Stroke::Solid, |evaluation| evaluation.train.loss),
                self.evaluated("test split", Stroke::Solid, |evaluation| evaluation.test.loss),
            ],
        };
        Figure { title, panels: vec![Panel::Lines(losses), Panel::Lines(accuracy), Panel::Lines(whole)] }
    }
}

/// The ends of an axis for shares: those of the values with some room, but neither below 0 nor above 1.
#[must_use]
pub fn share_range(series: &[Series]) -> Option<(f64, f64)> {
    let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1).filter(|y| y.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let room = (0.06 * (high - low)).max(0.005);
    (low <= high).then(|| ((low - room).max(0.0), (high + room).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::SplitScore;

    #[test]
    fn few_losses_are_all_kept() {
        let mut curve = LossCurve::default();
        (1..=200).for_each(|step| curve.push(step, 1.0 / step as f32));
        let [each, mean] = curve.series("").try_into().unwrap();
        assert_eq!(each.points.len(), 200);
        assert_eq!((each.stroke, mean.name.as_str()), (Stroke::Faint, "mean of 4 steps"));
        let expected = (1.0 + 1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 4.0;
        // Sums of float32 values in float64: the rounding is that of the losses.
        assert!(mean.points[0].0 == 2.5 && (mean.points[0].1 - expected).abs() < 1e-7, "{:?}", mean.points[0]);
        let last = (1.0 / 197.0 + 1.0 / 198.0 + 1.0 / 199.0 + 1.0 / 200.0) / 4.0;
        assert!((mean.points[196].1 - last).abs() < 1e-7, "{:?} for {last}", mean.points[196]);
    }

    #[test]
    fn many_losses_keep_their_peaks_and_their_mean() {
        let mut curve = LossCurve::default();
        for step in 1..=1_000_000_u64 {
            let loss = if step == 654_321 { 9.0 } else { (step % 2) as f32 };
            curve.push(step, loss);
        }
        let [each, mean] = curve.series("first").try_into().unwrap();
        assert!(each.points.len() <= 2 * GROUPS, "{}", each.points.len());
        assert_eq!(each.points.iter().filter(|point| point.1 == 9.0).count(), 1);
        assert!(each.points.iter().all(|point| point.1 != 0.5));
        assert_eq!(each.points.last().unwrap().0, 1e6);
        assert!(mean.points.iter().all(|point| (point.1 - 0.5).abs() < 1e-3));
        assert!(each.name.starts_with("first, "));
    }

    #[test]
    fn what_is_not_finite_is_not_lost() {
        let mut curve = LossCurve::default();
        for step in 1..=20_000 {
            curve.push(step, if step == 7_777 { f32::NAN } else { 1.0 });
        }
        let series = curve.series("");
        assert_eq!(series[0].points.iter().filter(|point| point.1.is_nan()).count(), 2, "both ends of a group");
        assert!(series[1].points.iter().all(|point| (point.1 - 1.0).abs() < 1e-9), "the mean is of the others");
    }

    #[test]
    fn a_figure_has_both_splits_and_a_range_that_shares_can_have() {
        let score = |accuracy| SplitScore { loss: 0.3, accuracy };
        let evaluation =
            |step, train, test| Evaluation { step, epoch: step as f64 / 10.0, train: score(train), test: score(test) };
        let evaluations = vec![evaluation(10, 0.9, 0.8), evaluation(20, 1.0, 0.85)];
        let curves = TrainingCurves { evaluations, ..TrainingCurves::default() };
        let figure = curves.figure("title".into());
        let Panel::Lines(accuracy) = &figure.panels[1] else { panic!("{figure:?}") };
        assert_eq!(accuracy.series[1].points, [(1.0, 0.8), (2.0, 0.85)]);
        let (low, high) = accuracy.y.range.unwrap();
        assert!(low < 0.8 && low > 0.7 && high == 1.0, "{low} to {high}");
        assert_eq!(share_range(&[]), None);
        let same = curves.evaluated("", Stroke::Solid, |_| 1.0);
        assert!(share_range(&[same]).unwrap().0 < 1.0);
    }
}
