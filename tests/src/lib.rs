//! Shared parts of the cross-crate tests.
pub mod levels;
pub mod op_table;
pub mod ref_device;
pub mod vulkan;
