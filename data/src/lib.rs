//! Data sets, procedural scenes and loaders.
pub mod sample;
pub use sample::Sample;

pub mod augment;
pub mod depth;
pub mod error;
pub mod image_io;
pub mod import;
pub mod layout;
pub mod loader;
mod numpy;
pub mod transform;
pub use augment::{Augment, augment};
pub use depth::DepthFormat;
pub use error::DataError;
pub use layout::RgbdFolder;
pub use loader::{Batch, Batches, Order, batches};
