//! How far work is that counts items: a bar on a terminal, now and then a line anywhere else.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::numbers::{count, duration};
use super::output::note;

/// Without a terminal, the count is shown this often.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// The progress of work on stderr; any thread may tell it.
pub struct Counter {
    what: &'static str,
    total: u64,
    begun: Instant,
    shown: Mutex<Instant>,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl Counter {
    /// The progress of so many items, called `what`.
    #[must_use]
    pub fn new(what: &'static str, total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (!plain).then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            match ProgressStyle::with_template("{wide_bar} {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        let now = Instant::now();
        Self { what, total, begun: now, shown: Mutex::new(now), bar }
    }

    /// Number `number` begins, which has a name.
    pub fn begins(&self, number: u64, name: &str) {
        let text = format!("{} {}/{}  {name}", self.what, count(number), count(self.total));
        match &self.bar {
            Some(bar) => {
                bar.set_position(number.saturating_sub(1));
                bar.set_message(text);
                // The bar moves when rows begin, which may be seconds apart: it is drawn at once.
                bar.tick();
            }
            None => note(&text),
        }
    }

    /// So many are done.
    pub fn at(&self, done: u64) {
        let text = || {
            let rate = done as f64 / self.begun.elapsed().as_secs_f64();
            let left = self.total.saturating_sub(done) as f64 / rate;
            let left = if left.is_finite() { format!("  {} left", duration(left)) } else { String::new() };
            format!("{} {}/{}{left}", self.what, count(done), count(self.total))
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(text());
            }
            None => {
                // Whoever finds another thread telling it has nothing to add.
                let Ok(mut shown) = self.shown.try_lock() else { return };
                if shown.elapsed() >= BETWEEN_LINES {
                    *shown = Instant::now();
                    note(&text());
                }
            }
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
