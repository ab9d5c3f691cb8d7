//! Networks built from the MutualFormer block.

pub mod layers;
pub mod sod;

pub use sod::{Modality, SodOutput, TinyConfig, TinySod, TokenLevel};
