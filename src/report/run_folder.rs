//! The folder of a run: its settings, its log, its model, what it came to and the networks on the way, as
//! `gpu-train report` and `gpu-train landscape` read them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Error, Result, files};

/// Where the files of a run are.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder at `path`, be it there or not.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was to be done, as one JSON object: the same as the log's first line.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.path.join("settings.json")
    }

    /// Every loss and every evaluation, a JSON object a line.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    /// The network as it was at the end.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// What it came to, as `gpu-train train --json` prints it. Missing where a run failed.
    #[must_use]
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The folder of the networks on the way to the model.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The network after so many steps.
    #[must_use]
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:06}.safetensors"))
    }

    /// All that a run puts there, less the single checkpoints.
    #[must_use]
    pub fn files(&self) -> [PathBuf; 5] {
        [self.settings(), self.log(), self.model(), self.summary(), self.checkpoints()]
    }

    /// Whether no run is there yet.
    ///
    /// # Errors
    /// [`Error::Config`] that names what is there.
    pub fn check_free(&self) -> Result<()> {
        let there = self.files().into_iter().find(|file| file.symlink_metadata().is_ok());
        there.map_or(Ok(()), |file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Err(Error::config_hint(
                format!("{} holds a run already: {name} is there", self.path.display()),
                "name a new folder, or remove that one",
            ))
        })
    }

    /// Makes the folder and the one of its checkpoints, and puts the settings there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(&self, settings: &impl Serialize) -> Result<()> {
        let checkpoints = self.checkpoints();
        std::fs::create_dir_all(&checkpoints).map_err(|error| Error::io("create", &checkpoints, error))?;
        write(&self.settings(), settings)
    }

    /// Puts there what the run came to.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(&self, summary: &impl Serialize) -> Result<()> {
        write(&self.summary(), summary)
    }
}

fn write(path: &Path, document: &impl Serialize) -> Result<()> {
    let written = files::write_whole(path, |out| {
        serde_json::to_writer_pretty(&mut *out, document)?;
        out.write_all(b"\n")
    });
    written.map_err(|error| Error::io("write", path, error))
}
