//! What holds the crates together, a module for each promise. One program: the kernels, generic over the scalar type, are
//! compiled once for all of them.

mod book;
mod convolutions;
mod device;
mod device_diffusion;
mod device_network;
mod fused;
mod goldens;
mod gradients;
mod networks;
mod properties;
mod reid;
mod reid_snapshots;
mod snapshots;
mod threads;
mod trainer;
mod values;
mod vulkan;
mod vulkan_goldens;
mod vulkan_training;
