//! Data sets, procedural scenes and loaders.
pub mod sample;
pub use sample::Sample;
pub mod scenes;
