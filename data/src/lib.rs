//! Data sets, procedural scenes and loaders.
pub mod sample;
pub use sample::Sample;

pub mod depth;
pub mod error;
pub mod image_io;
pub mod import;
mod numpy;
pub use depth::DepthFormat;
pub use error::DataError;
