//! A run as it was recorded: read back from its folder, or from its log alone.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{RunFolder, TrainingCurves};
use crate::train::{Evaluation, SplitScore};
use crate::{Error, Result};

/// What is known of a run.
#[derive(Debug)]
pub struct RecordedRun {
    /// The folder's or the log's name.
    pub name: String,
    /// What was to be done: the log's first line.
    pub settings: Value,
    /// What it came to, where the run got so far and its folder is there.
    pub summary: Option<Value>,
    /// Losses and evaluations.
    pub curves: TrainingCurves,
    /// The last step in the log.
    pub steps: u64,
    /// The network, where it was kept.
    pub model: Option<PathBuf>,
}

/// A line of the log, whatever it is.
#[derive(Deserialize)]
struct Line {
    run: Option<Value>,
    step: Option<u64>,
    loss: Option<f32>,
    epoch: Option<f64>,
    train_accuracy: Option<f64>,
    test_accuracy: Option<f64>,
    train_loss: Option<f64>,
    test_loss: Option<f64>,
}

impl RecordedRun {
    /// Reads a run's folder, or a log file.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be read; [`Error::Format`] with the place where a log is none. A last line that
    /// was cut off is left out: a run that was killed ends so.
    pub fn read(path: &Path) -> Result<Self> {
        let is_folder = path.metadata().map_err(|error| Error::io("read", path, error))?.is_dir();
        let name = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = name.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let folder = RunFolder::new(path);
        let log = if is_folder { folder.log() } else { path.to_path_buf() };
        let mut run = Self::from_log(name, &log)?;
        if is_folder {
            run.model = Some(folder.model()).filter(|model| model.exists());
            run.summary = match std::fs::read(folder.summary()) {
                Ok(bytes) => Some(parse(&folder.summary(), 0, &bytes, "a run's summary as JSON")?),
                Err(_) => None,
            };
        }
        Ok(run)
    }

    fn from_log(name: String, path: &Path) -> Result<Self> {
        let refuse = |error| Error::io("read", path, error);
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(refuse)?);
        let mut run = Self {
            name,
            settings: Value::Null,
            summary: None,
            curves: TrainingCurves::default(),
            steps: 0,
            model: None,
        };
        let (mut offset, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(refuse)?;
            if length == 0 {
                break;
            }
            let whole = line.ends_with(b"\n");
            let expected = if offset == 0 { "{\"run\":{...}}" } else { "a step or an evaluation as JSON" };
            match parse::<Line>(path, offset, &line, expected) {
                Ok(parsed) => {
                    if !run.take(offset == 0, parsed) {
                        return Err(unexpected(path, offset, &line, expected));
                    }
                }
                Err(_) if !whole && offset > 0 => break,
                Err(error) => return Err(error),
            }
            offset += length as u64;
        }
        if offset == 0 {
            return Err(unexpected(path, 0, b"an empty file", "{\"run\":{...}}"));
        }
        Ok(run)
    }

    /// Takes a line in; `false` for one that does not belong here.
    fn take(&mut self, first: bool, line: Line) -> bool {
        if let (true, Some(Value::Object(settings))) = (first, &line.run) {
            self.settings = Value::Object(settings.clone());
            return true;
        }
        let Some(step) = line.step.filter(|_| !first) else { return false };
        if let Some(epoch) = line.epoch {
            // What is not finite stands as null.
            let score = |loss: Option<f64>, accuracy: Option<f64>| SplitScore {
                loss: loss.unwrap_or(f64::NAN),
                accuracy: accuracy.unwrap_or(f64::NAN),
            };
            let train = score(line.train_loss, line.train_accuracy);
            let test = score(line.test_loss, line.test_accuracy);
            self.curves.evaluations.push(Evaluation { step, epoch, train, test });
        } else {
            self.curves.losses.push(step, line.loss.unwrap_or(f32::NAN));
            self.steps = step;
        }
        true
    }

    /// A setting as text, where it was set.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<String> {
        shown(self.settings.get(key)?)
    }
}

/// A JSON value as people read it; `None` for what says nothing.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => Some(values.iter().filter_map(shown).collect::<Vec<_>>().join("-")),
        Value::Object(object) => object.get("name").and_then(shown),
        other => Some(other.to_string()),
    }
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, offset: u64, bytes: &'a [u8], expected: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|_| unexpected(path, offset, bytes, expected))
}

fn unexpected(path: &Path, offset: u64, found: &[u8], expected: &str) -> Error {
    let found: String = String::from_utf8_lossy(found).trim_end().chars().take(40).collect();
    Error::Format { path: path.to_path_buf(), offset, found: format!("{found:?}"), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Result<RecordedRun> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, log).unwrap();
        RecordedRun::read(&path)
    }

    const HEAD: &str = "{\"run\":{\"network\":[784,50,10],\"dataset\":\"digits\",\"epsilon\":null}}\n";

    #[test]
    fn a_log_is_read_back_up_to_where_it_was_cut_off() {
        let evaluation = "{\"step\":2,\"epoch\":0.1,\"train_accuracy\":0.5,\"test_accuracy\":0.4,\"train_loss\":2.0,\"test_loss\":null}\n";
        let run = read(&format!("{HEAD}{{\"step\":1,\"loss\":2.5}}\n{{\"step\":2,\"loss\":null}}\n{evaluation}{{\"st"))
            .unwrap();
        assert_eq!((run.name.as_str(), run.steps), ("log.jsonl", 2));
        assert_eq!(run.setting("network").as_deref(), Some("784-50-10"));
        assert_eq!(run.setting("epsilon"), None);
        assert_eq!(run.curves.evaluations[0].test.accuracy, 0.4);
        assert!(run.curves.evaluations[0].test.loss.is_nan());
        let losses = &run.curves.losses.series("")[0].points;
        assert!(losses[0] == (1.0, 2.5) && losses[1].1.is_nan(), "{losses:?}");
    }

    #[test]
    fn what_is_no_log_is_refused_with_its_place() {
        let cut = format!("{HEAD}{{\"step\":1,\"lo\n{{\"step\":2,\"loss\":1.0}}\n");
        for (log, place) in [
            ("", 0),
            ("not a log\n", 0),
            ("{\"step\":1,\"loss\":1}\n", 0),
            (cut.as_str(), HEAD.len() as u64),
            (&format!("{HEAD}{{\"other\":1}}\n"), HEAD.len() as u64),
            ("\u{0}\u{1}", 0),
        ] {
            match read(log) {
                Err(Error::Format { offset, .. }) => assert_eq!(offset, place, "{log:?}"),
                other => panic!("{log:?}: {other:?}"),
            }
        }
    }
}
