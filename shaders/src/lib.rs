//! A compute device on Vulkan: the primitives of [`autograd::device::Device`] as shaders.
//!
//! The shaders are written in WGSL (`wgsl/`), a text that naga translates to SPIR-V, the format Vulkan takes, when a
//! pipeline is first needed. Nothing is compiled at build time, and the Vulkan loader is opened at run time: a program
//! with this crate in it starts on machines without Vulkan, and [`VulkanDevice::open`] says there what to install.
//!
//! Read in this order: [`adapter`] finds a device, `memory` hands out its buffers, `queue` collects work and submits it,
//! `shader` and `pipeline` turn WGSL into something to dispatch (`cache` keeps it on disk), `stopwatch` times it, `gpu`
//! puts these together, and the files named after families of primitives (`elementwise`, `linear`, `convolution`,
//! `norm`, `attention`, `cda`, `picture`, `optim`) say which shader computes what over how many invocations. `device` is the
//! table of contents: the trait itself.
//!
//! A tensor brought to the device stays there: everything computed from it is computed there.
//!
//! ```
//! use autograd::device::DeviceHandle;
//! use autograd::{Tensor, Var};
//! use shaders::VulkanDevice;
//!
//! # fn main() -> Result<(), autograd::device::DeviceError> {
//! match VulkanDevice::open(0) {
//!     Err(reason) => println!("{reason}"), // what to install
//!     Ok(device) => {
//!         let handle = DeviceHandle::new(device);
//!         let x = Tensor::from_vec(vec![1.0, 2.0, 3.0], &[3]).to_device(&handle)?;
//!         let y = Var::constant(x).mul_scalar(2.0).sum_all(); // nothing is read back yet
//!         assert_eq!(y.value().item()?, 12.0); // an error of any op before would come out here
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything is `f32`. Results are the same from run to run on one device (no atomics, fixed order of sums), but not
//! the same bits as on the host: sums are cut differently and devices round `exp` and `1/x` in their own ways.

#![warn(missing_docs)]

pub mod adapter;
mod attention;
mod cache;
mod cda;
mod convolution;
mod device;
mod elementwise;
mod gpu;
mod linear;
mod memory;
mod norm;
mod optim;
mod picture;
mod pipeline;
mod queue;
mod shader;
mod stopwatch;
#[cfg(test)]
mod tests;

pub use adapter::{Adapter, OpenError, adapters};
pub use device::VulkanDevice;
pub use gpu::Statistics;
pub use linear::Gemm;
