//! Models of one run, as files or as a folder of them: kept while it trains, and found again.

use std::io;
use std::path::{Path, PathBuf};

use crate::network::Network;
use crate::report::RunFolder;
use crate::train::checkpoint;
use crate::{Error, Result};

/// A run keeps about so many at most, and so many bytes of them, but never fewer than two beside its first.
const MOST: u64 = 30;
const MOST_BYTES: u64 = 256 << 20;

/// Keeps the networks on the way of a run, at some of its evaluations.
pub(super) struct Kept {
    folder: RunFolder,
    network: Network,
    every: u64,
    /// After which the network is the run's model.
    last: u64,
}

impl Kept {
    /// Keeps the network as it is before the first of `steps` steps, which are evaluated every `interval`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub(super) fn begin(folder: &RunFolder, network: &Network, interval: u64, steps: u64) -> Result<Self> {
        let bytes = 4 * network.parameters.len().max(1) as u64;
        let every = interval.saturating_mul(stride(steps.div_ceil(interval), bytes));
        let mut kept = Self { folder: folder.clone(), network: network.clone(), every, last: steps };
        kept.save(0, network.parameters.clone())?;
        Ok(kept)
    }

    /// Whether the network is kept after this step.
    pub(super) fn wants(&self, step: u64) -> bool {
        step.is_multiple_of(self.every) && step != self.last
    }

    /// Keeps the network after this step.
    pub(super) fn save(&mut self, step: u64, parameters: Vec<f32>) -> Result<()> {
        self.network.parameters = parameters;
        checkpoint::save(&self.folder.checkpoint(step), &self.network)
    }
}

/// Of so many evaluations every how manieth is kept, of networks of so many bytes.
fn stride(evaluations: u64, bytes: u64) -> u64 {
    evaluations.div_ceil((MOST_BYTES / bytes).clamp(2, MOST)).max(1)
}

/// The folder of what was kept on the way to a run's model, where it is one.
pub(super) fn beside(model: &Path) -> Option<PathBuf> {
    let folder = model.parent().map(|folder| RunFolder::new(folder).checkpoints());
    folder.filter(|folder| folder.is_dir())
}

/// The files themselves, and the models in the folders among them by the numbers in their names: `step-20` before
/// `step-100`. Of a run's folder these are its checkpoints.
///
/// # Errors
/// [`Error::Io`] for a folder that cannot be read, [`Error::Config`] for one without models.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let checkpoints = RunFolder::new(path).checkpoints();
        let path = if checkpoints.is_dir() { &checkpoints } else { path };
        let mut found = models(path).map_err(|error| Error::io("read", path, error))?;
        if found.is_empty() {
            return Err(Error::config(format!("there is no .safetensors file in {}", path.display())));
        }
        found.sort_by_cached_key(|path| parts(&path.to_string_lossy()));
        files.extend(found);
    }
    Ok(files)
}

fn models(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "safetensors")).collect())
}

/// A name as words and numbers between them.
fn parts(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0u64)];
    let mut in_number = false;
    for symbol in name.chars() {
        match (symbol.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((_, number))) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
                in_number = true;
            }
            (None, Some((word, _))) if !in_number => word.push(symbol),
            _ => {
                parts.push((symbol.to_string(), 0));
                in_number = false;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_there_is_room_for() {
        for (evaluations, bytes, expected) in
            [(0, 4, 1), (1, 4, 1), (30, 4, 1), (31, 4, 2), (66, 160_000, 3), (66, 100 << 20, 33), (66, 1 << 40, 33)]
        {
            assert_eq!(stride(evaluations, bytes), expected, "{evaluations} of {bytes} bytes");
        }
    }

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = ["step-100", "step-20", "step-3b", "step-3a", "a2-10", "a2-9"];
        names.sort_by_cached_key(|name| parts(name));
        assert_eq!(names, ["a2-9", "a2-10", "step-3a", "step-3b", "step-20", "step-100"]);
    }
}
