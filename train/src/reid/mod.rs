//! Re-identification: training and use of networks that find the pictures of one object.

pub mod config;
pub mod demo;
mod embedder;
pub mod features_file;
pub mod find;
pub mod losses;
pub mod sheet;
pub mod source;
mod summary;
mod task;

pub use embedder::Embedder;
pub use source::Pictures;
pub use summary::ReidSummary;
