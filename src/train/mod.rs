//! Training: mini-batches, steps, evaluation, and the files that keep what was learnt.

mod auto_step;
mod blocks;
pub mod checkpoint;
mod evaluate;
mod predict;
mod settings;
mod source;
mod trainer;

pub use auto_step::balanced_step;
pub use evaluate::{SplitEvaluation, evaluate};
pub use predict::predict;
pub use settings::{Evaluation, Observer, Optimizer, Settings, SplitScore, Summary};
pub use trainer::train;
