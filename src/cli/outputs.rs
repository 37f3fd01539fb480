//! The files that a run writes: looked at before it begins.

use std::path::{Path, PathBuf};

use clap::Args;

use super::paths;
use crate::report::RunFolder;
use crate::{Error, Result};

/// Where what was learnt goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(super) struct FileOptions {
    /// Write the trained network here, as safetensors in PyTorch's layout
    #[arg(long, value_name = "MODEL")]
    pub(super) save: Option<PathBuf>,
    /// Write settings, every loss and every evaluation here, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Keep settings, log, model and some networks on the way in this folder, which is made: what `gpu-train report`
    /// and `landscape --plane path` read
    #[arg(long, value_name = "FOLDER")]
    pub(super) run: Option<PathBuf>,
}

impl FileOptions {
    /// The run's folder.
    pub(super) fn folder(&self) -> Option<RunFolder> {
        self.run.as_deref().map(RunFolder::new)
    }

    /// Whether no file is named for two things. To save a model where it was read from is no such thing.
    ///
    /// # Errors
    /// [`Error::Config`] with both names.
    pub(super) fn check_names(&self, plot: Option<&Path>, start_from: Option<&Path>) -> Result<()> {
        let named = [("--log", self.log.as_deref()), ("--save", self.save.as_deref()), ("--plot", plot)];
        let mut written: Vec<_> =
            named.into_iter().filter_map(|(option, path)| Some((option, path?.to_path_buf()))).collect();
        let in_folder = self.folder().map(|folder| folder.files());
        written.extend(in_folder.into_iter().flatten().map(|path| ("--run", path)));
        let read = start_from.map(|path| ("--start-from", path.to_path_buf()));
        let all: Vec<_> = written.iter().cloned().chain(read).collect();
        for (index, (option, path)) in written.iter().enumerate() {
            let twice = all[index + 1..].iter().find(|(other, there)| {
                (*option, *other) != ("--save", "--start-from") && option != other && paths::same(path, there)
            });
            if let Some((other, _)) = twice {
                return Err(Error::config(format!("{option} and {other} name the same file, {}", path.display())));
            }
        }
        Ok(())
    }

    /// Whether all of it can be written, the picture too. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Io`] with what stands in the way, [`Error::Config`] where a run is in the folder already.
    pub(super) fn check_writable(&self, plot: Option<&Path>) -> Result<()> {
        for path in [self.save.as_deref(), plot].into_iter().flatten() {
            paths::check_replaceable(path)?;
        }
        self.log.as_deref().map_or(Ok(()), paths::check_writable)?;
        self.folder().map_or(Ok(()), |folder| {
            paths::check_folder_possible(folder.path())?;
            folder.check_free()
        })
    }
}
