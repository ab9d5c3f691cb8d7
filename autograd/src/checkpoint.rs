//! Named tensors in files: the safetensors format, which PyTorch, JAX and browsers read as well.
//!
//! A file is a JSON header (names, types, shapes, free text) followed by the numbers. [`TensorFile`] is its content in
//! memory; weights ([`Params::save`]) and training state (optimiser, averages, counters) are both written through it.

use crate::device::DeviceError;
use crate::params::{ParamKind, Params};
use crate::plain::Indices;
use crate::real::{Dtype, Real};
use crate::tensor::Tensor;
use crate::tensor::shape::numel;
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What can go wrong with a checkpoint, in words for the user.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The content is not safetensors, or not all of it is there.
    #[error("{path} is cut short or not a safetensors file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What the format's reader found.
        reason: String,
    },
    /// A tensor of a type the engine has no use for.
    #[error("{path}: tensor {name} has type {dtype}; F64, F32, F16, BF16 and I64 can be read")]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type in the file.
        dtype: String,
    },
    /// Names or shapes are not those of the model (or of the optimiser's state).
    #[error("{origin} does not fit:{report}")]
    Mismatch {
        /// Where the tensors came from.
        origin: String,
        /// What does not fit.
        report: LoadReport,
    },
    /// A tensor could not be read from its device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A tensor in host memory of one of the types a checkpoint holds.
#[derive(Clone, Debug)]
pub enum HostTensor {
    /// 32-bit floats.
    F32(Tensor<f32>),
    /// 64-bit floats.
    F64(Tensor<f64>),
    /// 64-bit integers: counters.
    I64(Indices),
}

impl HostTensor {
    /// A copy of a tensor, brought to host memory, in its own type.
    pub fn of<T: Real>(tensor: &Tensor<T>) -> Result<HostTensor, DeviceError> {
        let host = tensor.to_host()?;
        Ok(match T::DTYPE {
            Dtype::F32 => HostTensor::F32(host.cast()),
            Dtype::F64 => HostTensor::F64(host.cast()),
        })
    }

    /// A whole number without axes.
    pub fn count(count: u64) -> HostTensor {
        HostTensor::I64(Indices::new(vec![count as i64], &[]))
    }

    /// The values in the type asked for, rounded to the nearest where it is narrower.
    pub fn to<T: Real>(&self) -> Tensor<T> {
        match self {
            HostTensor::F32(tensor) => tensor.cast(),
            HostTensor::F64(tensor) => tensor.cast(),
            HostTensor::I64(integers) => Tensor::from_vec(
                integers.values().iter().map(|&x| T::of(x as f64)).collect(),
                integers.shape(),
            ),
        }
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            HostTensor::F32(tensor) => tensor.shape(),
            HostTensor::F64(tensor) => tensor.shape(),
            HostTensor::I64(integers) => integers.shape(),
        }
    }

    /// The format's name of the type and the bytes of one element.
    fn dtype(&self) -> (&'static str, usize) {
        match self {
            HostTensor::F32(_) => ("F32", 4),
            HostTensor::F64(_) => ("F64", 8),
            HostTensor::I64(_) => ("I64", 8),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            HostTensor::F32(tensor) => {
                tensor.as_slice().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
            HostTensor::F64(tensor) => {
                tensor.as_slice().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
            HostTensor::I64(integers) => {
                integers.values().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
        }
    }
}

/// Named tensors and free text, in memory.
#[derive(Clone, Debug, Default)]
pub struct TensorFile {
    /// The tensors. The format stores 8-byte types first, so that every tensor is aligned; apart from that the order
    /// is kept.
    pub tensors: Vec<(String, HostTensor)>,
    /// Free text by key: configuration, epoch, format version.
    pub metadata: BTreeMap<String, String>,
    /// Where it was read from, for messages.
    origin: Option<PathBuf>,
}

impl TensorFile {
    /// No tensors, no text.
    pub fn new() -> TensorFile {
        TensorFile::default()
    }

    /// Appends a tensor.
    pub fn push(&mut self, name: impl Into<String>, tensor: HostTensor) {
        self.tensors.push((name.into(), tensor));
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor)
    }

    /// Writes everything to `path` by way of a second file beside it, which takes its place only when it is complete
    /// and on the disk. Whatever goes wrong, the old file stays as it was. Equal contents give equal bytes.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(name);
        let written = self.write_synced(&partial).and_then(|()| fs::rename(&partial, path));
        written.map_err(|source| {
            // The first failure is the one to report; the partial file may not even exist.
            let _ = fs::remove_file(&partial);
            CheckpointError::Io { action: "write", path: path.to_owned(), source }
        })
    }

    fn write_synced(&self, path: &Path) -> io::Result<()> {
        let (header, order) = self.header();
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for tensor in order {
            tensor.write(&mut out)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// The JSON header, padded to 8 bytes, and the tensors in the order of their bytes.
    fn header(&self) -> (String, Vec<&HostTensor>) {
        let mut entries = Map::new();
        if !self.metadata.is_empty() {
            entries.insert("__metadata__".to_owned(), json!(self.metadata));
        }
        let mut sorted: Vec<&(String, HostTensor)> = self.tensors.iter().collect();
        sorted.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().1));
        let mut start = 0;
        for (name, tensor) in &sorted {
            let (dtype, size) = tensor.dtype();
            let end = start + numel(tensor.shape()) * size;
            let entry = json!({ "dtype": dtype, "shape": tensor.shape(), "data_offsets": [start, end] });
            assert!(entries.insert(name.clone(), entry).is_none(), "two tensors are named {name}");
            start = end;
        }
        let mut header = Value::Object(entries).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        (header, sorted.into_iter().map(|(_, tensor)| tensor).collect())
    }

    /// Reads a whole file. 16-bit floats are widened to `f32`.
    pub fn read(path: impl AsRef<Path>) -> Result<TensorFile, CheckpointError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| CheckpointError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        TensorFile::parse(&bytes, path)
    }

    /// Reads the content of a file from memory; `path` names it in messages.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<TensorFile, CheckpointError> {
        let broken = |reason: safetensors::SafeTensorError| CheckpointError::Format {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let content = SafeTensors::deserialize(bytes).map_err(broken)?;
        let mut file = TensorFile { origin: Some(path.to_owned()), ..TensorFile::new() };
        file.metadata.extend(header.metadata().clone().unwrap_or_default());
        for name in header.offset_keys() {
            let view = content.tensor(&name).map_err(broken)?;
            let tensor = decode(view.dtype(), view.data(), view.shape()).ok_or_else(|| {
                let (path, dtype) = (path.to_owned(), view.dtype().to_string());
                CheckpointError::Dtype { path, name: name.clone(), dtype }
            })?;
            file.push(name, tensor);
        }
        Ok(file)
    }

    /// The error that says what does not fit.
    pub(crate) fn mismatch(&self, report: LoadReport) -> CheckpointError {
        let origin = self.origin.as_ref().map(|path| path.display().to_string());
        CheckpointError::Mismatch { origin: origin.unwrap_or_else(|| "the state".to_owned()), report }
    }
}

/// Little-endian bytes as a tensor, or `None` for a type without a counterpart here.
fn decode(dtype: safetensors::Dtype, bytes: &[u8], shape: &[usize]) -> Option<HostTensor> {
    use safetensors::Dtype::{BF16, F16, F32, F64, I64};
    let singles = |values: Vec<f32>| HostTensor::F32(Tensor::from_vec(values, shape));
    Some(match dtype {
        F64 => HostTensor::F64(Tensor::from_vec(words(bytes, f64::from_le_bytes), shape)),
        F32 => singles(words(bytes, f32::from_le_bytes)),
        F16 => singles(words(bytes, |half| widen_f16(u16::from_le_bytes(half)))),
        // bfloat16 is the upper half of an f32.
        BF16 => singles(words(bytes, |half| f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16))),
        I64 => HostTensor::I64(Indices::new(words(bytes, i64::from_le_bytes), shape)),
        _ => return None,
    })
}

fn words<const SIZE: usize, N>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> N) -> Vec<N> {
    bytes.as_chunks().0.iter().map(|&word| number(word)).collect()
}

/// IEEE half precision: 1 sign, 5 exponent and 10 fraction bits. The exponent is moved by the difference of the biases,
/// 127 − 15, which a product with 2¹¹² does for normal and subnormal numbers alike; infinities and NaN keep theirs.
fn widen_f16(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half >> 15) << 31, u32::from(half & 0x7fff) << 13);
    let infinite = half & 0x7c00 == 0x7c00;
    let magnitude =
        if infinite { rest | 0x7f80_0000 } else { (f32::from_bits(rest) * 2f32.powi(112)).to_bits() };
    f32::from_bits(sign | magnitude)
}

/// Whether a model may be loaded from a file that does not fit it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadMode {
    /// Names and shapes must agree; otherwise nothing is loaded.
    Strict,
    /// What fits is loaded, the report says what does not: a backbone without its old head.
    Lenient,
}

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
        for name in &self.missing {
            write!(f, "\n  missing in the file: {name}")?;
        }
        for name in &self.unexpected {
            write!(f, "\n  not expected: {name}")?;
        }
        for (name, own, other) in &self.misshaped {
            write!(f, "\n  {name} should have shape {own:?}, not {other:?}")?;
        }
        Ok(())
    }
}

impl<T: Real> Params<T> {
    /// Writes all parameters and buffers under their `state_dict` names.
    /// PyTorch equivalent: `safetensors.torch.save_file(model.state_dict(), path, metadata)`.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        metadata: BTreeMap<String, String>,
    ) -> Result<(), CheckpointError> {
        let mut file = TensorFile { metadata, ..TensorFile::new() };
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

    /// Reads back what [`Params::export`] wrote under `prefix`; other names of the file do not matter.
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
