//! Plain safetensors files: named float32 tensors, and nothing that says what they are for.

use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Error, Result};

/// A tensor's place among all values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTensor {
    /// Its name.
    pub name: String,
    /// Its shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Where its values stand, row-major.
    pub range: Range<usize>,
}

impl NamedTensor {
    /// One of its values, as `name[2, 5]`; `index` counts among all values.
    #[must_use]
    pub fn element(&self, index: usize) -> String {
        let mut rest = index.saturating_sub(self.range.start);
        let mut place = Vec::with_capacity(self.shape.len());
        for &extent in self.shape.iter().rev() {
            place.push((rest % extent.max(1)).to_string());
            rest /= extent.max(1);
        }
        place.reverse();
        if place.is_empty() { self.name.clone() } else { format!("{}[{}]", self.name, place.join(", ")) }
    }
}

/// Float32 tensors, one behind the other in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors {
    /// All values.
    pub values: Vec<f32>,
    /// Whose they are.
    pub tensors: Vec<NamedTensor>,
}

impl Tensors {
    /// Reads a safetensors file in which every tensor is float32 and finite.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Tensors`] when it is no safetensors file or holds something else,
    /// with the tensor's name.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| refused(path, format!("it is no safetensors file: {error}")))?;
        let mut named = file.tensors();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let mut all = Self { values: Vec::new(), tensors: Vec::new() };
        for (name, view) in named {
            if view.dtype() != Dtype::F32 {
                return Err(refused(path, format!("{name} is {}; expected F32", view.dtype())));
            }
            let start = all.values.len();
            all.values.extend(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            let tensor = NamedTensor { name, shape: view.shape().to_vec(), range: start..all.values.len() };
            if let Some(index) = tensor.range.clone().find(|index| !all.values[*index].is_finite()) {
                return Err(refused(path, format!("{} is {}", tensor.element(index), all.values[index])));
            }
            all.tensors.push(tensor);
        }
        if all.values.is_empty() {
            return Err(refused(path, "it holds no values"));
        }
        Ok(all)
    }

    /// Writes other values of the same names and shapes: complete, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses.
    pub fn write_like(&self, path: &Path, values: &[f32]) -> Result<()> {
        let refuse = |error| Error::io("write", path, error);
        let invalid = |error: safetensors::SafeTensorError| refuse(std::io::Error::other(error.to_string()));
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut views = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let data = bytes.get(tensor.range.start * 4..tensor.range.end * 4).unwrap_or_default();
            views.push((&tensor.name, TensorView::new(Dtype::F32, tensor.shape.clone(), data).map_err(invalid)?));
        }
        // Without metadata the crate's order is fixed.
        let file = safetensors::serialize(views, None).map_err(invalid)?;
        crate::files::write_whole(path, |out| out.write_all(&file)).map_err(refuse)
    }
}

/// [`Error::Tensors`] on one line, whatever the file put into names.
fn refused(path: &Path, problem: impl Into<String>) -> Error {
    Error::Tensors { path: PathBuf::from(path), problem: problem.into().replace(char::is_control, " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_names() {
        let tensor = NamedTensor { name: "w".into(), shape: vec![2, 3], range: 10..16 };
        assert_eq!([10, 14, 15].map(|index| tensor.element(index)), ["w[0, 0]", "w[1, 1]", "w[1, 2]"]);
        let scalar = NamedTensor { name: "s".into(), shape: vec![], range: 0..1 };
        assert_eq!(scalar.element(0), "s");
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("point.safetensors");
        let tensor = |name: &str, shape: &[usize], range| NamedTensor { name: name.into(), shape: shape.into(), range };
        let tensors = vec![tensor("a", &[2, 2], 0..4), tensor("b", &[], 4..5)];
        let point = Tensors { values: vec![1.0, 2.0, 3.0, 4.0, 5.0], tensors };
        point.write_like(&path, &point.values).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(Tensors::read(&path).unwrap(), point);
        point.write_like(&path, &point.values).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        point.write_like(&path, &[1.0, 2.0, f32::NAN, 4.0, 5.0]).unwrap();
        let error = Tensors::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("a[1, 0] is NaN"), "{error}");
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(Tensors::read(&path), Err(Error::Tensors { .. })));
        assert!(matches!(Tensors::read(folder.path()), Err(Error::Io { .. })));
    }
}
