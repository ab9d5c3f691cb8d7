//! Named tensors in files: the safetensors format, which PyTorch, JAX and browsers read as well.
//!
//! A file is a JSON header (names, types, shapes, free text) followed by the numbers. [`TensorFile`] is its content in
//! memory; weights ([`Params::save`](crate::Params::save)) and training state (optimiser, averages, counters) are both
//! written through it.

mod file;
mod host;
mod load;

pub use file::TensorFile;
pub use host::HostTensor;
pub use load::{LoadMode, LoadReport};

use crate::device::DeviceError;
use std::io;
use std::path::PathBuf;

/// What can go wrong with a checkpoint, in words for the user.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its reason. Part of the message, hence not called `source`: printing a chain of causes would repeat it.
        cause: io::Error,
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
