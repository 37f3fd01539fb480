//! What people look at: progress while a run lasts, its log, tables and JSON when it is done.

mod counter;
pub mod formula_figures;
mod log;
mod numbers;
mod output;
pub mod plot;
mod progress;
mod table;

pub use counter::Counter;
pub use log::RunLog;
pub use numbers::{count, duration, percent, significant};
pub use output::{json, note, print, warning};
pub use progress::Progress;
pub use table::{confusion, pairs, table};
