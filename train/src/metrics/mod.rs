//! Evaluation measures.
