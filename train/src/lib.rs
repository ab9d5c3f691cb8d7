//! The library behind the `mutualformer` tool.

mod bench;
pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod detection;
pub mod detector;
pub mod inspect;
pub mod losses;
pub mod memory;
pub mod metrics;
pub mod optimisation;
pub mod picture;
pub mod pictures;
pub mod plots;
pub mod predict;
pub mod reid;
pub mod replay;
pub mod report;
pub mod run_folder;
pub mod score;
pub mod sets_table;
pub mod shrink;
pub mod source;
pub mod summary;
pub mod task;
pub mod trainer;
