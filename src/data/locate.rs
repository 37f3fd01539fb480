//! Where the files of a data set are.

use std::env;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::{Error, Result};

/// The files of a set: training images and labels, test images and labels; each may have `.gz` appended.
pub const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The environment variable that names the data folder.
const DATA_DIR_VARIABLE: &str = "GPU_TRAIN_DATA_DIR";

/// The sets that are looked for in the data folder, with the places that offer their files.
const NAMED: [(&str, &str); 2] = [
    ("mnist", "https://storage.googleapis.com/cvdf-datasets/mnist/ or https://ossci-datasets.s3.amazonaws.com/mnist/"),
    ("fashion-mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
];

/// Where a data set is.
pub(super) enum Location {
    /// In the program itself.
    Embedded,
    /// In files, in the order of [`FILES`].
    Files([PathBuf; 4]),
}

impl Location {
    /// Finds what [`Dataset::open`](super::Dataset::open) calls `spec`.
    pub(super) fn find(spec: &str, data_dir: Option<&Path>) -> Result<Self> {
        if spec == "digits" {
            return Ok(Self::Embedded);
        }
        if let Some((name, source)) = NAMED.iter().find(|(name, _)| *name == spec) {
            let hint = format!(
                "get the files from {source}; --data-dir or {DATA_DIR_VARIABLE} names the folder above {name}/; \
                 --dataset digits is embedded"
            );
            return find_files(spec, &data_folder(data_dir)?.join(name), hint);
        }
        let folder = Path::new(spec);
        if folder.is_dir() {
            let hint = "each file is taken as it is or with .gz; --dataset digits is embedded";
            return find_files(spec, folder, hint.into());
        }
        let problem = if folder.exists() { "it is a file, not a folder" } else { "no such name and no such folder" };
        let hint = "there are digits (embedded), mnist, fashion-mnist, or a folder with the four IDX files";
        Err(Error::Dataset { name: spec.into(), problem: problem.into(), hint: Some(hint.into()) })
    }
}

/// The folder that the folders `mnist/` and `fashion-mnist/` are in: `data_dir`, else what the environment variable
/// `GPU_TRAIN_DATA_DIR` names, else the platform's folder for this program's data.
///
/// # Errors
/// [`Error::Config`] if nothing is named and the platform knows no such folder.
pub fn data_folder(data_dir: Option<&Path>) -> Result<PathBuf> {
    let named = data_dir.map(PathBuf::from).or_else(|| env::var_os(DATA_DIR_VARIABLE).map(PathBuf::from));
    named
        .filter(|folder| !folder.as_os_str().is_empty())
        .or_else(|| ProjectDirs::from("", "", "gpu-train").map(|dirs| dirs.data_dir().into()))
        .ok_or_else(|| {
            let hint = format!("name one with --data-dir or {DATA_DIR_VARIABLE}; --dataset digits is embedded");
            Error::config_hint("this user has no folder for data", hint)
        })
}

/// The four files in `folder`; where one is there plain and gzipped, the plain one, which is read faster.
fn find_files(name: &str, folder: &Path, hint: String) -> Result<Location> {
    let mut missing = Vec::new();
    let mut paths = FILES.map(|file| folder.join(file));
    for (path, file) in paths.iter_mut().zip(FILES) {
        let there = |path: &Path| path.try_exists().map_err(|error| Error::io("read", path, error));
        if !there(path)? {
            *path = folder.join(format!("{file}.gz"));
            if !there(path)? {
                missing.push(file.to_string());
            }
        }
    }
    if missing.is_empty() {
        return Ok(Location::Files(paths));
    }
    Err(Error::MissingDataset { name: name.into(), files: missing, folder: folder.into(), hint })
}
