//! What people look at: progress while a run lasts, its log, tables and JSON when it is done.

mod blocks;
mod counter;
mod curves;
mod findings;
pub mod formula_figures;
mod landscape;
mod live;
mod log;
mod numbers;
mod output;
mod page;
mod page_script;
pub mod plot;
mod progress;
mod recorded;
mod roofline;
mod run_folder;
mod table;

pub use blocks::{bar, shades};
pub use counter::Counter;
pub use curves::{LossCurve, TrainingCurves, share_range};
pub use findings::{Answers, Findings, Mistake, weights_figure};
pub use landscape::{curve_figure, plane_figure};
pub use live::{Live, restore_terminal};
pub use log::RunLog;
pub use numbers::{count, duration, percent, significant};
pub use output::{json, note, print, warning};
pub use page::{RunReport, page};
pub use progress::Progress;
pub use recorded::RecordedRun;
pub use roofline::roofline_figure;
pub use run_folder::RunFolder;
pub use table::{confusion, pairs, table};
