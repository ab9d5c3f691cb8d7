//! Named tensors in files: the safetensors format, which PyTorch, JAX and browsers read as well; and, to be read only, the
//! files of `torch.save`.
//!
//! ```text
//! safetensors:  length of the header in 8 bytes │ JSON: names, types, shapes, free text │ the numbers
//! torch.save:   a pickle that describes tensors, and their numbers (see `pytorch.rs`, and `pickle.rs` for why reading
//!               one executes nothing)
//! ```
//!
//! [`TensorFile`] is a file's content in memory; weights ([`Params::save`](crate::Params::save)) and training state
//! (optimiser, averages, counters) are both written through it.

mod file;
mod half;
mod host;
mod load;
mod opcodes;
mod pickle;
mod pytorch;

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
    /// The content is not what `torch.save` writes for a state dict, or not all of it is there.
    #[error("{path} is cut short or not a PyTorch file that can be read: {reason}")]
    PyTorch {
        /// The file.
        path: PathBuf,
        /// What was refused and where.
        reason: String,
    },
    /// A tensor of a type the engine has no use for.
    #[error(
        "{path}: tensor {name} has type {dtype}; F64, F32, F16, BF16, BOOL and integers but U64 can be read"
    )]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type in the file.
        dtype: String,
    },
    /// A number that 16 bits cannot hold.
    #[error("tensor {name} holds {value:e}; the largest 16-bit float is {}", half::LARGEST)]
    Overflow {
        /// The tensor.
        name: String,
        /// The first such number in it.
        value: f32,
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
