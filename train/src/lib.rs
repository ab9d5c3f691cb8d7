//! The library behind the `mutualformer` tool.

pub mod memory;
pub mod metrics;
pub mod picture;
pub mod plots;
pub mod score;
