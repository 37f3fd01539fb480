//! What people look at: progress while a run lasts, its log, tables and JSON when it is done.

mod blocks;
mod counter;
mod landscape;
mod live;
mod log;
mod numbers;
mod output;
pub mod plot;
mod progress;
mod table;

pub use blocks::{bar, shades};
pub use counter::Counter;
pub use landscape::{curve_figure, plane_figure};
pub use live::{Live, restore_terminal};
pub use log::RunLog;
pub use numbers::{count, duration, percent, significant};
pub use output::{json, note, print, warning};
pub use progress::Progress;
pub use table::{confusion, pairs, table};
