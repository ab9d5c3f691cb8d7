//! A file of named tensors.

use super::host::{Floats, decode};
use super::{CheckpointError, HostTensor, LoadReport, half, pytorch};
use crate::tensor::shape::numel;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Named tensors and free text, in memory.
#[derive(Clone, Debug, Default)]
pub struct TensorFile {
    /// The tensors. Larger types are written first, so that every tensor is aligned; apart from that the order is kept.
    pub tensors: Vec<(String, HostTensor)>,
    /// Free text by key: configuration, epoch, format version.
    pub metadata: BTreeMap<String, String>,
    /// Where it was read from, for messages.
    origin: Option<PathBuf>,
    /// Types of the tensors in the file they were read from.
    stored: BTreeMap<String, Dtype>,
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

    /// Type of a tensor in the file it was read from, by its name in safetensors: F16, where the tensor here is
    /// [`HostTensor::F32`]. `None` for tensors that do not come from a file.
    pub fn stored_dtype(&self, name: &str) -> Option<String> {
        self.stored.get(name).map(Dtype::to_string)
    }

    /// Writes everything to `path` by way of a second file beside it, which takes its place only when it is complete
    /// and on the disk. Whatever goes wrong, the old file stays as it was. Equal contents give equal bytes.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        self.write_as(Floats::Own, path.as_ref())
    }

    /// As [`TensorFile::write`], with 32-bit floats rounded to the nearest of 16 bits (of two equally near ones to the
    /// even one): half the size, three significant digits. A number above 65504, which would become infinite, is an
    /// error, and then nothing is written. PyTorch equivalent: `x.half()` for every `x`, before saving.
    ///
    /// Only matrices and kernels are rounded. Vectors are a fiftieth of a network but make half of the error: running
    /// variances of batch norms may lie where 16 bits end (on MobileNetV2's last map, 0.9 % with them, 0.45 % without).
    pub fn write_half(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        for (name, tensor) in &self.tensors {
            let overflows = |x: f32| x.is_finite() && half::widen(half::narrow(x)).is_infinite();
            if let HostTensor::F32(tensor) = tensor
                && tensor.shape().len() >= 2
                && let Some(&value) = tensor.as_slice().iter().find(|&&x| overflows(x))
            {
                return Err(CheckpointError::Overflow { name: name.clone(), value });
            }
        }
        self.write_as(Floats::Half, path.as_ref())
    }

    fn write_as(&self, floats: Floats, path: &Path) -> Result<(), CheckpointError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(name);
        let written = self.write_synced(floats, &partial).and_then(|()| fs::rename(&partial, path));
        written.map_err(|cause| {
            // The first failure is the one to report; the partial file may not even exist.
            let _ = fs::remove_file(&partial);
            CheckpointError::Io { action: "write", path: path.to_owned(), cause }
        })
    }

    fn write_synced(&self, floats: Floats, path: &Path) -> io::Result<()> {
        let (header, order) = self.header(floats);
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for tensor in order {
            tensor.write(floats, &mut out)?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// The JSON header, padded to 8 bytes, and the tensors in the order of their bytes.
    fn header(&self, floats: Floats) -> (String, Vec<&HostTensor>) {
        let mut entries = Map::new();
        if !self.metadata.is_empty() {
            entries.insert("__metadata__".to_owned(), json!(self.metadata));
        }
        let mut sorted: Vec<&(String, HostTensor)> = self.tensors.iter().collect();
        sorted.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype(floats).bitsize()));
        let mut start = 0;
        for (name, tensor) in &sorted {
            let dtype = tensor.dtype(floats);
            let end = start + numel(tensor.shape()) * dtype.bitsize() / 8;
            let entry =
                json!({ "dtype": dtype.to_string(), "shape": tensor.shape(), "data_offsets": [start, end] });
            assert!(entries.insert(name.clone(), entry).is_none(), "two tensors are named {name}");
            start = end;
        }
        let mut header = Value::Object(entries).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        (header, sorted.into_iter().map(|(_, tensor)| tensor).collect())
    }

    /// Reads a whole file: safetensors, or a state dict of `torch.save` in either of its formats, which its first bytes
    /// tell apart. 16-bit floats are widened to `f32`, narrow integers and truth values to `i64`.
    /// PyTorch equivalent: `load_file(path)`, `torch.load(path, map_location="cpu", weights_only=True)`.
    ///
    /// # Errors
    /// A file that cannot be read, is cut short, or is of no format known here.
    pub fn read(path: impl AsRef<Path>) -> Result<TensorFile, CheckpointError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|cause| CheckpointError::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        })?;
        TensorFile::parse(&bytes, path)
    }

    /// Reads the content of a file from memory; `path` names it in messages.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<TensorFile, CheckpointError> {
        if pytorch::is_pytorch(bytes) { parse_pytorch(bytes, path) } else { parse_safetensors(bytes, path) }
    }

    fn push_stored(&mut self, name: String, dtype: Dtype, tensor: HostTensor) {
        self.stored.insert(name.clone(), dtype);
        self.push(name, tensor);
    }

    /// The error that says what does not fit.
    pub(crate) fn mismatch(&self, report: LoadReport) -> CheckpointError {
        let origin = self.origin.as_ref().map(|path| path.display().to_string());
        CheckpointError::Mismatch { origin: origin.unwrap_or_else(|| "the state".to_owned()), report }
    }
}

fn parse_safetensors(bytes: &[u8], path: &Path) -> Result<TensorFile, CheckpointError> {
    let broken = |reason: SafeTensorError| CheckpointError::Format {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let content = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut file = TensorFile { origin: Some(path.to_owned()), ..TensorFile::new() };
    file.metadata.extend(header.metadata().clone().unwrap_or_default());
    for name in header.offset_keys() {
        let view = content.tensor(&name).map_err(broken)?;
        if !is_addressable(view.shape()) {
            return Err(broken(SafeTensorError::ValidationOverflow));
        }
        let tensor = decode(view.dtype(), view.data(), view.shape()).ok_or_else(|| {
            let (path, dtype) = (path.to_owned(), view.dtype().to_string());
            CheckpointError::Dtype { path, name: name.clone(), dtype }
        })?;
        file.push_stored(name, view.dtype(), tensor);
    }
    Ok(file)
}

fn parse_pytorch(bytes: &[u8], path: &Path) -> Result<TensorFile, CheckpointError> {
    let tensors =
        pytorch::read(bytes).map_err(|reason| CheckpointError::PyTorch { path: path.to_owned(), reason })?;
    let mut file = TensorFile { origin: Some(path.to_owned()), ..TensorFile::new() };
    for (name, dtype, tensor) in tensors {
        file.push_stored(name, dtype, tensor);
    }
    Ok(file)
}

/// Whether an array of this shape can exist: the sizes of its axes other than 0 must multiply to an address, even where
/// another axis is empty.
pub(super) fn is_addressable(shape: &[usize]) -> bool {
    let count =
        shape.iter().filter(|&&size| size > 0).try_fold(1usize, |count, &size| count.checked_mul(size));
    count.is_some_and(|count| isize::try_from(count).is_ok())
}
