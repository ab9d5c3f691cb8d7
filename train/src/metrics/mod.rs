//! Evaluation measures.

pub mod sod;
