//! What a landscape tells, as JSON and as text.

use serde::Serialize;

use crate::cli::options::number;
use crate::cli::record::DeviceRecord;
use crate::landscape::{CurvePoint, Shares};
use crate::report::{count, pairs, percent, significant, table};

#[derive(Serialize)]
pub(super) struct Document {
    pub(super) command: &'static str,
    pub(super) dataset: String,
    pub(super) split: &'static str,
    pub(super) samples: usize,
    pub(super) device: DeviceRecord,
    pub(super) step_size: f32,
    pub(super) weights: usize,
    pub(super) zero_accuracy_derivative_share: f64,
    pub(super) zero_loss_derivative_share: f64,
    /// Of the weights, those whose input is 0 in every sample.
    pub(super) zero_input_share: f64,
    /// Weights whose loss derivative is 0 although their input is not always 0.
    pub(super) zero_loss_derivatives_with_input: usize,
    pub(super) tensor: String,
    pub(super) index: Vec<usize>,
    pub(super) curve: Vec<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plane: Option<Plane>,
    pub(super) seconds: f64,
    pub(super) seed: u64,
}

#[derive(Serialize)]
pub(super) struct Point {
    pub(super) shift: f64,
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) loss_derivative: f64,
    pub(super) accuracy_derivative: f64,
}

#[derive(Serialize)]
pub(super) struct Plane {
    pub(super) kind: String,
    pub(super) samples: usize,
    pub(super) grid: usize,
    pub(super) x: [f64; 2],
    pub(super) y: [f64; 2],
    /// Rows from the smallest y, in each from the smallest x.
    pub(super) loss: Vec<Vec<f64>>,
    pub(super) accuracy: Vec<Vec<f64>>,
    /// Where the models of the path are, this one last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Vec<[f64; 2]>>,
    /// What share of the path's squared distances to the model each direction holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explained: Option<[f64; 2]>,
    pub(super) evaluations: usize,
    pub(super) seconds: f64,
}

impl From<&CurvePoint> for Point {
    fn from(point: &CurvePoint) -> Self {
        let CurvePoint { shift, loss, accuracy, loss_derivative, accuracy_derivative } = *point;
        Self { shift, loss, accuracy, loss_derivative, accuracy_derivative }
    }
}

impl Document {
    /// The same for people; the weight by its name.
    pub(super) fn text(&self, name: &str, shares: &Shares) -> String {
        let of = |some: usize| {
            let share = percent(some as f64 / shares.weights as f64);
            format!("exactly 0 for {} of {} weights ({share})", count(some as u64), count(shares.weights as u64))
        };
        let input = match (shares.zero_loss, shares.zero_loss_with_input) {
            (0, _) => String::new(),
            (all, 0) => format!("; the input of all {} is 0 in every sample", count(all as u64)),
            (_, some) => format!("; {} of them have an input that is not always 0", count(some as u64)),
        };
        let moving = self.curve.iter().filter(|point| point.accuracy_derivative == 0.0).count();
        let mut rows = vec![
            ("samples", format!("{} of the {} split of {}", count(self.samples as u64), self.split, self.dataset)),
            ("quotients", format!("central, h = {}", number(self.step_size))),
            ("accuracy's", of(shares.zero_accuracy)),
            ("loss's", format!("{}{input}", of(shares.zero_loss))),
            ("curve", format!("along {name}; the accuracy's is 0 at {moving} of {} points", self.curve.len())),
        ];
        if let Some(plane) = &self.plane {
            let (low, high) = plane
                .loss
                .iter()
                .flatten()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &loss| (ends.0.min(loss), ends.1.max(loss)));
            let rate = significant(plane.evaluations as f64 / plane.seconds);
            let text = format!(
                "{}, {} x {} points of {} samples: loss {} to {}; {rate} evaluations/s",
                plane.kind,
                plane.grid,
                plane.grid,
                count(plane.samples as u64),
                significant(low),
                significant(high)
            );
            rows.push(("plane", text));
            if let Some([first, second]) = plane.explained {
                let both = format!("{} and {}", percent(first), percent(second));
                rows.push(("path", format!("its two directions hold {both} of the squared distances")));
            }
        }
        format!("{}\n{}", pairs(&rows), self.curve_table())
    }

    /// A few points of the curve.
    fn curve_table(&self) -> String {
        const ROWS: usize = 10;
        let last = self.curve.len() - 1;
        let mut places: Vec<_> = (0..=ROWS).map(|row| row * last / ROWS).collect();
        places.dedup();
        let row = |at: usize| {
            let point = &self.curve[at];
            let shift =
                if point.shift.abs() < 1e4 { format!("{:+.4}", point.shift) } else { format!("{:+.4e}", point.shift) };
            [
                shift,
                significant(point.loss),
                percent(point.accuracy),
                significant(point.loss_derivative),
                significant(point.accuracy_derivative),
            ]
        };
        let rows: Vec<_> = places.into_iter().map(row).collect();
        table(["shift", "loss", "accuracy", "loss's quotient", "accuracy's quotient"], &rows)
    }
}
