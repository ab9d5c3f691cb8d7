//! The library behind the `mutualformer` tool.

pub mod memory;
pub mod metrics;
pub mod plots;
pub mod score;
