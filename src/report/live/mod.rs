//! A run on a screen of its own in the terminal: loss curve, accuracies, rate, and the samples being learnt.
//!
//! The terminal is left as it was, however the run ends. Keys are neither read nor shown: Ctrl-C stays the signal that
//! it is.

mod keys;
mod screen;
mod trace;

use std::io::{self, IsTerminal, Stderr, Write, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use crate::data::{Sampler, Split};
use crate::train::{Evaluation, Settings};
use crate::{Error, Result};
use screen::Screen;

/// The screen is drawn no more often than this.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(50);
/// What somebody typed over it is gone after this.
const BETWEEN_CLEARINGS: Duration = Duration::from_secs(5);
/// Samples that are shown.
const MOST_SAMPLES: usize = 8;

/// Whether the terminal shows the screen.
static ON_SCREEN: AtomicBool = AtomicBool::new(false);

/// The screen of a run.
pub struct Live {
    screen: Screen,
    terminal: Terminal<CrosstermBackend<Stderr>>,
    batches: Batches,
    drawn: Option<Instant>,
    cleared: Instant,
}

impl Live {
    /// Opens the screen on stderr; `None` where that is no terminal, or one that can only add lines, or another
    /// program's at the moment (a run in a shell's background).
    ///
    /// `about` says what runs, in a line or two; `train` is what its mini-batches are drawn from.
    ///
    /// # Errors
    /// [`Error::Io`] when the terminal refuses.
    pub fn open(about: Vec<String>, train: &Split, settings: &Settings) -> Result<Option<Self>> {
        if !stderr().is_terminal() || std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            return Ok(None);
        }
        if !keys::in_foreground() {
            return Ok(None);
        }
        let refuse = |error| Error::io("draw on", "the terminal", error);
        let batches = Batches::new(train, settings)?;
        restore_on_panic();
        ON_SCREEN.store(true, Ordering::SeqCst);
        keys::quiet_keys();
        let opened = execute!(stderr(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stderr())));
        let terminal = opened.inspect_err(|_| restore_terminal()).map_err(refuse)?;
        let screen = Screen::new(about, settings.steps, [train.columns(), train.rows()]);
        Ok(Some(Self { screen, terminal, batches, drawn: None, cleared: Instant::now() }))
    }

    /// The losses of steps `first..`, counted from 1, `seconds` after the start.
    pub fn losses(&mut self, first: u64, losses: &[f32], seconds: f64) {
        self.screen.losses(first, losses, seconds);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= BETWEEN_DRAWINGS) {
            self.screen.samples = self.batches.at((first + losses.len() as u64).saturating_sub(1));
            self.draw();
        }
    }

    /// Both splits were evaluated.
    pub fn evaluation(&mut self, evaluation: &Evaluation) {
        self.screen.evaluation(evaluation);
        self.draw();
    }

    /// A terminal that went away is no reason to end a run.
    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        if self.cleared.elapsed() >= BETWEEN_CLEARINGS {
            self.cleared = Instant::now();
            let _ = self.terminal.clear();
        }
        let _ = self.terminal.draw(|frame| self.screen.draw(frame));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Gives the terminal back where it shows the screen. May be called from anywhere, any number of times.
pub fn restore_terminal() {
    if ON_SCREEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
        let _ = io::stderr().flush();
        keys::usual_keys();
    }
}

/// From now on a panic gives the terminal back before it says what it is.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore_terminal();
            before(panic);
        }));
    });
}

/// The mini-batches of the run, drawn once more: the same seed gives the same.
struct Batches {
    train: Split,
    sampler: Sampler,
    /// The batch that was drawn last, and how many were drawn.
    indices: Vec<u32>,
    drawn: u64,
}

impl Batches {
    fn new(train: &Split, settings: &Settings) -> Result<Self> {
        let sampler = Sampler::new(settings.sampling, train.len(), settings.batch_size, settings.seed)?;
        Ok(Self { train: train.clone(), sampler, indices: vec![0; settings.batch_size], drawn: 0 })
    }

    /// The first samples of the batch of this step: pixels and label. Steps only go forward.
    fn at(&mut self, step: u64) -> Vec<(Vec<u8>, u8)> {
        while self.drawn < step {
            self.sampler.fill(&mut self.indices);
            self.drawn += 1;
        }
        let shown = self.indices.iter().take(MOST_SAMPLES).map(|&index| index as usize);
        shown.map(|index| (self.train.image(index).to_vec(), self.train.labels()[index])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_those_of_the_runs_own_batches() {
        let split = Split::new((0..40).collect::<Vec<u8>>(), (0..10).collect(), 2, 2).unwrap();
        let settings = Settings { batch_size: 3, seed: 9, ..Settings::default() };
        let mut batches = Batches::new(&split, &settings).unwrap();
        let mut sampler = Sampler::new(settings.sampling, 10, 3, 9).unwrap();
        let mut indices = [0; 3 * 7];
        sampler.fill(&mut indices);
        for step in [1, 2, 7] {
            let labels: Vec<u32> = batches.at(step).iter().map(|(_, label)| u32::from(*label)).collect();
            assert_eq!(labels, indices[3 * (step as usize - 1)..][..3], "step {step}");
        }
    }

    /// One test, since there is one terminal.
    #[test]
    fn without_a_terminal_there_is_no_screen_and_a_panic_ends_it() {
        let split = Split::new(vec![0; 4], vec![0], 2, 2).unwrap();
        if !stderr().is_terminal() {
            assert!(Live::open(Vec::new(), &split, &Settings::default()).unwrap().is_none());
        }
        assert!(!ON_SCREEN.load(Ordering::SeqCst));
        restore_on_panic();
        ON_SCREEN.store(true, Ordering::SeqCst);
        assert!(std::panic::catch_unwind(|| panic!("a test's own panic")).is_err());
        assert!(!ON_SCREEN.load(Ordering::SeqCst), "it was given back before the message");
    }
}
