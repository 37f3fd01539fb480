//! The log of a run: one JSON object a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::train::{Evaluation, SplitScore};
use crate::{Error, Result};

/// A log file being written: first the run's settings, then every step's loss and each evaluation.
pub struct RunLog {
    path: PathBuf,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct Settings<'a, T> {
    run: &'a T,
}

#[derive(Serialize)]
struct Step {
    step: u64,
    loss: f32,
}

#[derive(Serialize)]
struct Scores {
    step: u64,
    epoch: f64,
    train_accuracy: f64,
    test_accuracy: f64,
    train_loss: f64,
    test_loss: f64,
}

impl RunLog {
    /// Begins a log at `path`, in place of what is there, with the settings of the run.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path, run: &impl Serialize) -> Result<Self> {
        let file = File::create(path).map_err(|error| Error::io("create", path, error))?;
        let mut log = Self { path: path.to_path_buf(), file: BufWriter::new(file) };
        log.line(&Settings { run })?;
        log.flush()?;
        Ok(log)
    }

    /// Adds the losses of steps `first..`, counted from 1, and hands them to the system, so that who follows the
    /// file sees them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn losses(&mut self, first: u64, losses: &[f32]) -> Result<()> {
        for (step, &loss) in (first..).zip(losses) {
            self.line(&Step { step, loss })?;
        }
        self.flush()
    }

    /// Adds an evaluation.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        let SplitScore { loss: train_loss, accuracy: train_accuracy } = evaluation.train;
        let SplitScore { loss: test_loss, accuracy: test_accuracy } = evaluation.test;
        let (step, epoch) = (evaluation.step, evaluation.epoch);
        self.line(&Scores { step, epoch, train_accuracy, test_accuracy, train_loss, test_loss })?;
        self.flush()
    }

    fn line(&mut self, object: &impl Serialize) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, object).map_err(std::io::Error::from);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(|error| Error::io("write", &self.path, error))
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::io("write", &self.path, error))
    }
}
