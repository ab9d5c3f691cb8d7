//! Parameters into a file and back.

use super::{CheckpointError, HostTensor, TensorFile};
use crate::device::DeviceError;
use crate::params::{ParamId, ParamKind, Params};
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
    ///
    /// # Errors
    /// A file that cannot be written, or a failure of the device the values live on.
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
    ///
    /// # Errors
    /// A file that cannot be read; with [`LoadMode::Strict`] names or shapes that differ, all of them listed, and
    /// then nothing has changed.
    pub fn load(&mut self, path: impl AsRef<Path>, mode: LoadMode) -> Result<LoadReport, CheckpointError> {
        self.import("", &TensorFile::read(path)?, mode)
    }

    /// Appends all parameters and buffers under `prefix` and their names.
    ///
    /// # Errors
    /// A failure of the device the values live on.
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
    ///
    /// # Errors
    /// With [`LoadMode::Strict`] names or shapes that differ, all of them listed; then nothing has changed.
    pub fn import(
        &mut self,
        prefix: &str,
        file: &TensorFile,
        mode: LoadMode,
    ) -> Result<LoadReport, CheckpointError> {
        let wanted: Vec<(ParamId, &str)> = self.ids().map(|id| (id, self.name(id))).collect();
        let (mut report, fitting) = self.compare(&wanted, prefix, file);
        let others = file.tensors.iter().filter_map(|(name, _)| name.strip_prefix(prefix));
        report.unexpected = others.filter(|name| self.find(name).is_none()).map(str::to_owned).collect();
        if mode == LoadMode::Strict && !report.is_exact() {
            return Err(file.mismatch(report));
        }
        self.set_all(fitting);
        Ok(report)
    }

    /// Loads the part of a model whose names begin with `prefix` from a file of that part alone: a network that serves as
    /// a layer of a larger one, such as `rgb.trunk.`. Names in the report are the file's.
    ///
    /// Everything must fit, or nothing is loaded, with two exceptions: the file may have layers of its own, whose names
    /// begin with one of `surplus` (a classifier), and files from before PyTorch 0.4.1 lack the counters of batch norms,
    /// which then stay as they are. The report tells.
    /// PyTorch equivalent: `model.rgb.trunk.load_state_dict(state)` after dropping the keys of `surplus`.
    ///
    /// # Errors
    /// Names or shapes that differ, all of them listed; then nothing has changed.
    pub fn import_part(
        &mut self,
        prefix: &str,
        file: &TensorFile,
        surplus: &[&str],
    ) -> Result<LoadReport, CheckpointError> {
        let part = |id| Some((id, self.name(id).strip_prefix(prefix)?));
        let wanted: Vec<(ParamId, &str)> = self.ids().filter_map(part).collect();
        let (mut report, fitting) = self.compare(&wanted, "", file);
        let own = |name: &String| self.find(&format!("{prefix}{name}")).is_some();
        report.unexpected =
            file.tensors.iter().map(|(name, _)| name.clone()).filter(|name| !own(name)).collect();
        let mut misfits = report.clone();
        misfits.unexpected.retain(|name| !surplus.iter().any(|layer| name.starts_with(layer)));
        let is_counter = |&(id, _): &(ParamId, &str)| self.kind(id) == ParamKind::Counter;
        let counters: Vec<&str> =
            wanted.iter().filter(|entry| is_counter(entry)).map(|&(_, name)| name).collect();
        misfits.missing.retain(|name| !counters.contains(&name.as_str()));
        if !misfits.is_exact() {
            return Err(file.mismatch(misfits));
        }
        self.set_all(fitting);
        Ok(report)
    }

    /// Finds every wanted parameter in the file, under `prefix` and its name: what is missing or has another shape, and
    /// what fits.
    fn compare<'f>(
        &self,
        wanted: &[(ParamId, &str)],
        prefix: &str,
        file: &'f TensorFile,
    ) -> (LoadReport, Vec<(ParamId, &'f HostTensor)>) {
        let mut report = LoadReport::default();
        let mut fitting = Vec::new();
        for &(id, name) in wanted {
            let (name, shape) = (name.to_owned(), self.get(id).shape());
            match file.get(&format!("{prefix}{name}")) {
                None => report.missing.push(name),
                Some(found) if found.shape() != shape => {
                    report.misshaped.push((name, shape.to_vec(), found.shape().to_vec()));
                }
                Some(found) => fitting.push((id, found)),
            }
        }
        (report, fitting)
    }

    fn set_all(&mut self, values: Vec<(ParamId, &HostTensor)>) {
        for (id, found) in values {
            let value = self.get(id).constant_like(&found.to());
            self.set(id, value);
        }
    }
}
