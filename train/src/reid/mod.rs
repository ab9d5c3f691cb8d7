//! Re-identification: training and use of networks that find the pictures of one object.

pub mod config;
mod embedder;
pub mod losses;
pub mod sheet;
pub mod source;
mod summary;
mod task;

pub use embedder::Embedder;
pub use summary::ReidSummary;
