//! The tool as a user types it, and the promises it makes: resumed = uninterrupted, one thread = eight, nothing lost.

mod bench;
mod check;
mod checkpointing;
mod config;
mod demo;
mod depth;
mod desk;
mod device;
mod folder_run;
mod help;
mod large_networks;
mod mistakes;
mod nothing_lost;
mod predict;
mod reid;
mod replay;
mod resume;
mod run_files;
mod same_bits;
mod score;
mod score_reid;
mod stop;
mod tensor_files;
mod test_sets;
mod trunks;
mod vehicles;
