//! The library behind the `mutualformer` tool.
pub mod metrics;
