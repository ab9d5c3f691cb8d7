//! A file of named tensors.

use super::host::decode;
use super::{CheckpointError, HostTensor, LoadReport};
use crate::tensor::shape::numel;
use safetensors::{SafeTensorError, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
        written.map_err(|cause| {
            // The first failure is the one to report; the partial file may not even exist.
            let _ = fs::remove_file(&partial);
            CheckpointError::Io { action: "write", path: path.to_owned(), cause }
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
        let bytes = fs::read(path).map_err(|cause| CheckpointError::Io {
            action: "read",
            path: path.to_owned(),
            cause,
        })?;
        TensorFile::parse(&bytes, path)
    }

    /// Reads the content of a file from memory; `path` names it in messages.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<TensorFile, CheckpointError> {
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

/// Whether an array of this shape can exist: the sizes of its axes other than 0 must multiply to an address, even where
/// another axis is empty.
fn is_addressable(shape: &[usize]) -> bool {
    let count =
        shape.iter().filter(|&&size| size > 0).try_fold(1usize, |count, &size| count.checked_mul(size));
    count.is_some_and(|count| isize::try_from(count).is_ok())
}
