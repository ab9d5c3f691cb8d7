//! Data sets, procedural scenes and loaders.
pub mod sample;
pub use sample::Sample;

pub mod depth;
pub mod error;
pub mod image_io;
pub mod import;
pub mod layout;
mod numpy;
pub mod transform;
pub use depth::DepthFormat;
pub use error::DataError;
pub use layout::RgbdFolder;
