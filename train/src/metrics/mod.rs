//! Evaluation measures.

pub mod reid;
pub mod sod;
