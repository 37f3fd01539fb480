//! Training: mini-batches, steps, evaluation, and the files that keep what was learnt.

mod blocks;
pub mod checkpoint;
mod evaluate;
mod settings;
mod source;
mod trainer;

pub use evaluate::{SplitEvaluation, evaluate};
pub use settings::{Evaluation, Observer, Optimizer, Settings, SplitScore, Summary};
pub use trainer::train;
