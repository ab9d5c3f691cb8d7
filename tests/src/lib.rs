//! Shared parts of the cross-crate tests.
pub mod op_table;
pub mod ref_device;
