//! Parameters into a file and back.

use super::{CheckpointError, HostTensor, TensorFile};
use crate::device::DeviceError;
use crate::params::{ParamKind, Params};
use crate::real::Real;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Whether a model may be loaded from a file that does not fit it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadMode {
    /// Names and shapes must agree; otherwise nothing is loaded.
    Strict,
    /// What fits is loaded, the report says what does not: a backbone without its old head.
    Lenient,
}

/// How many misfits of a kind are printed before they are only counted.
const PRINTED: usize = 5;

/// What did not fit between a model and a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names of the model that the file lacks.
    pub missing: Vec<String>,
    /// Names of the file that the model lacks.
    pub unexpected: Vec<String>,
    /// Names of both with different shapes: (name, model, file).
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl LoadReport {
    /// Whether everything fitted.
    pub fn is_exact(&self) -> bool {
        *self == LoadReport::default()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        list(f, self.missing.iter().map(|name| format!("missing in the file: {name}")))?;
        list(f, self.unexpected.iter().map(|name| format!("not expected: {name}")))?;
        let shapes = |(name, own, other): &(String, Vec<usize>, Vec<usize>)| {
            format!("{name} should have shape {own:?}, not {other:?}")
        };
        list(f, self.misshaped.iter().map(shapes))
    }
}

/// A line each, up to [`PRINTED`]: a file of another model differs in hundreds of names.
fn list(f: &mut fmt::Formatter, lines: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let more = lines.len().saturating_sub(PRINTED);
    for line in lines.take(PRINTED) {
        write!(f, "\n  {line}")?;
    }
    if more > 0 { write!(f, "\n  and {more} more") } else { Ok(()) }
}

impl<T: Real> Params<T> {
    /// Writes all parameters and buffers under their `state_dict` names.
    /// PyTorch equivalent: `safetensors.torch.save_file(model.state_dict(), path, metadata)`.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        metadata: BTreeMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let mut file = TensorFile::new();
        file.metadata = metadata;
        self.export("", &mut file)?;
        file.write(path)
    }

    /// Reads parameters and buffers by name, converting between `f32` and `f64`; values stay where the model lives.
    /// PyTorch equivalent: `model.load_state_dict(load_file(path), strict)`.
    pub fn load(&mut self, path: impl AsRef<Path>, mode: LoadMode) -> Result<LoadReport, CheckpointError> {
        self.import("", &TensorFile::read(path)?, mode)
    }

    /// Appends all parameters and buffers under `prefix` and their names.
    pub fn export(&self, prefix: &str, file: &mut TensorFile) -> Result<(), DeviceError> {
        for id in self.ids() {
            let tensor = match self.kind(id) {
                ParamKind::Counter => HostTensor::count(self.get(id).item()?.f64() as u64),
                _ => HostTensor::of(self.get(id))?,
            };
            file.push(format!("{prefix}{}", self.name(id)), tensor);
        }
        Ok(())
    }

    /// Reads back what [`Params::export`] wrote under `prefix`. Names of the file without the prefix do not matter; with
    /// an empty prefix, every name does.
    pub fn import(
        &mut self,
        prefix: &str,
        file: &TensorFile,
        mode: LoadMode,
    ) -> Result<LoadReport, CheckpointError> {
        let mut report = LoadReport::default();
        let mut fitting = Vec::new();
        for id in self.ids() {
            let (name, shape) = (self.name(id).to_owned(), self.get(id).shape());
            match file.get(&format!("{prefix}{name}")) {
                None => report.missing.push(name),
                Some(found) if found.shape() != shape => {
                    report.misshaped.push((name, shape.to_vec(), found.shape().to_vec()));
                }
                Some(found) => fitting.push((id, found)),
            }
        }
        let own = |name: &str| self.find(name).is_some();
        let others = file.tensors.iter().filter_map(|(name, _)| name.strip_prefix(prefix));
        report.unexpected = others.filter(|name| !own(name)).map(str::to_owned).collect();
        if mode == LoadMode::Strict && !report.is_exact() {
            return Err(file.mismatch(report));
        }
        for (id, found) in fitting {
            let value = self.get(id).constant_like(&found.to());
            self.set(id, value);
        }
        Ok(report)
    }
}
