//! How far a run is: a bar on a terminal, now and then a line anywhere else.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::numbers::{count, duration, percent, significant};
use super::output::note;
use crate::train::Evaluation;

/// Evaluations that follow each other faster than this are not all shown.
const BETWEEN_EVALUATIONS: Duration = Duration::from_secs(1);
/// Without a terminal, losses are shown this often.
const BETWEEN_LOSSES: Duration = Duration::from_secs(10);

/// The progress of a run on stderr.
pub struct Progress {
    steps: u64,
    /// On a terminal.
    bar: Option<ProgressBar>,
    /// Where the rate is measured from: what the first steps took says little about the others.
    since: Option<(u64, f64)>,
    shown: Option<Instant>,
}

impl Progress {
    /// The progress of a run of so many steps.
    #[must_use]
    pub fn new(steps: u64) -> Self {
        let plain = !std::io::stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (!plain).then(|| {
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            match ProgressStyle::with_template("{wide_bar} {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { steps, bar, since: None, shown: None }
    }

    /// The losses of steps up to `step`, the last of which is `loss`, `seconds` after the start.
    pub fn step(&mut self, step: u64, loss: f32, seconds: f64) {
        let (first, begun) = *self.since.get_or_insert((step, seconds));
        let rate = (step - first) as f64 / (seconds - begun);
        let timing = if rate.is_finite() && rate > 0.0 {
            let left = duration((self.steps - step.min(self.steps)) as f64 / rate);
            format!("  {} steps/s  {left} left", significant(rate))
        } else {
            String::new()
        };
        let text = format!("step {}/{}  loss {loss:.4}{timing}", count(step), count(self.steps));
        match &self.bar {
            Some(bar) => {
                bar.set_position(step);
                bar.set_message(text);
            }
            None if self.due(BETWEEN_LOSSES) => self.line(&text),
            None => {}
        }
    }

    /// Both splits were evaluated.
    pub fn evaluation(&mut self, evaluation: &Evaluation) {
        if evaluation.step < self.steps && !self.due(BETWEEN_EVALUATIONS) {
            return;
        }
        self.line(&format!(
            "epoch {:<7.2} step {:<9} train loss {:.4} accuracy {:>7}   test loss {:.4} accuracy {:>7}",
            evaluation.epoch,
            count(evaluation.step),
            evaluation.train.loss,
            percent(evaluation.train.accuracy),
            evaluation.test.loss,
            percent(evaluation.test.accuracy),
        ));
    }

    /// Whether the last line is old enough for another one.
    fn due(&self, between: Duration) -> bool {
        self.shown.is_none_or(|shown| shown.elapsed() >= between)
    }

    fn line(&mut self, text: &str) {
        self.shown = Some(Instant::now());
        match &self.bar {
            Some(bar) => bar.println(text),
            None => note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
