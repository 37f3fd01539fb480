//! `gpu-train data info`: what a data set holds.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::options::DataOptions;
use super::{Failure, Outcome};
use crate::data::Split;
use crate::report::{self, count, percent, table};

/// The subcommands of `gpu-train data`.
#[derive(Debug, Subcommand)]
pub(super) enum Data {
    /// Counts, shapes, classes and pixels of a data set.
    Info(Info),
}

/// The options of `gpu-train data info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    #[command(flatten)]
    data: DataOptions,
    /// Results as one JSON document
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    command: &'static str,
    dataset: String,
    classes: usize,
    train: Contents,
    test: Contents,
}

/// What a split holds.
#[derive(Serialize)]
struct Contents {
    samples: usize,
    /// `[samples, rows, columns]`, a byte each.
    shape: [usize; 3],
    /// How many samples of each class.
    class_counts: Vec<usize>,
    /// Mean pixel, where 255 is 1.
    mean: f64,
    /// Share of the pixels that are 0.
    zero_share: f64,
}

impl Contents {
    fn of(split: &Split, classes: usize) -> Self {
        let images = split.images();
        // `Split` holds at least one pixel.
        let pixels = images.len() as f64;
        let sum: u64 = images.iter().map(|&pixel| u64::from(pixel)).sum();
        let zeros = images.iter().filter(|&&pixel| pixel == 0).count();
        Self {
            samples: split.len(),
            shape: [split.len(), split.rows(), split.columns()],
            class_counts: split.class_counts(classes),
            mean: sum as f64 / 255.0 / pixels,
            zero_share: zeros as f64 / pixels,
        }
    }
}

impl Data {
    /// Runs the subcommand.
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let Self::Info(info) = self;
        let dataset = info.data.open(None)?;
        let classes = dataset.classes();
        let document = Document {
            command: "data info",
            dataset: dataset.name().into(),
            classes,
            train: Contents::of(dataset.train(), classes),
            test: Contents::of(dataset.test(), classes),
        };
        if info.json {
            report::json(&document)?;
        } else {
            report::print(&document.text())?;
        }
        Ok(Outcome::Done)
    }
}

impl Document {
    fn text(&self) -> String {
        let (train, test) = (&self.train, &self.test);
        let row = |name: String, value: &dyn Fn(&Contents) -> String| [name, value(train), value(test)];
        let mut rows = vec![
            row("images".into(), &|split| count(split.samples as u64)),
            row("rows x columns".into(), &|split| format!("{} x {}", split.shape[1], split.shape[2])),
            row("mean pixel, 0 to 1".into(), &|split| format!("{:.4}", split.mean)),
            row("pixels that are 0".into(), &|split| percent(split.zero_share)),
        ];
        rows.extend(
            (0..self.classes)
                .map(|class| row(format!("class {class}"), &|split| count(split.class_counts[class] as u64))),
        );
        format!("{}: {} classes\n\n{}", self.dataset, self.classes, table(["", "train", "test"], &rows))
    }
}
