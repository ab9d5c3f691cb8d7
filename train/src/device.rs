//! Where to compute: what `--device` says, and the only place where weights and tensors are sent there.
//!
//! Nothing else mentions devices. A network whose weights live on one computes there: its inputs follow the weights
//! ([`Ctx::constant`](autograd::Ctx::constant)), optimisers keep their state beside them, and files are written from
//! copies on the host and read by name, so that a checkpoint does not know where it was made.

use anyhow::{Context, Result};
use autograd::device::{DeviceError, DeviceHandle};
use autograd::{Params, Tensor};
use clap::Args;
use shaders::VulkanDevice;
use std::fmt;
use std::str::FromStr;

/// `--device`, for the commands that have it.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DeviceArgs {
    /// Where to compute: cpu, vulkan (the first Vulkan device) or vulkan:N (`mutualformer devices` lists them)
    #[arg(long, default_value = "cpu", value_name = "NAME", display_order = 99)]
    device: DeviceName,
}

/// A device as it is called on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// Host memory and the processor's cores.
    Cpu,
    /// The Vulkan device of that number.
    Vulkan(usize),
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceName, String> {
        let number = match text {
            "cpu" => return Ok(DeviceName::Cpu),
            "vulkan" => Some(0),
            _ => text.strip_prefix("vulkan:").and_then(|number| number.parse().ok()),
        };
        number.map(DeviceName::Vulkan).ok_or_else(|| {
            "a device is called cpu, vulkan (the first Vulkan device) or vulkan:N, N counted from 0; `mutualformer \
             devices` lists them"
                .to_owned()
        })
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DeviceName::Cpu => write!(f, "cpu"),
            DeviceName::Vulkan(index) => write!(f, "vulkan:{index}"),
        }
    }
}

impl DeviceArgs {
    /// Opens the device and says which it is.
    pub(crate) fn open(self) -> Result<Place> {
        let place = self.vulkan()?.map_or(Place::default(), |device| Place::on(DeviceHandle::new(device)));
        place.device.iter().for_each(|device| eprintln!("computing on {}", device.name()));
        Ok(place)
    }

    /// Opens the device, if it is not the processor.
    ///
    /// # Errors
    /// Without Vulkan's loader, without a driver, or if there is no such device: what to do about it.
    pub(crate) fn vulkan(self) -> Result<Option<VulkanDevice>> {
        match self.device {
            DeviceName::Cpu => Ok(None),
            DeviceName::Vulkan(index) => {
                VulkanDevice::open(index).map(Some).with_context(|| format!("--device {}", self.device))
            }
        }
    }
}

/// Where weights live: host memory (the default) or a device.
#[derive(Clone, Debug, Default)]
pub struct Place {
    device: Option<DeviceHandle>,
}

impl Place {
    /// On a device.
    pub fn on(device: DeviceHandle) -> Place {
        Place { device: Some(device) }
    }

    /// The device, unless it is the host.
    pub fn device(&self) -> Option<&DeviceHandle> {
        self.device.as_ref()
    }

    /// The same parameters here.
    ///
    /// # Errors
    /// Weights that the device has no memory for.
    pub fn params(&self, params: &Params) -> Result<Params, DeviceError> {
        self.device.as_ref().map_or_else(|| Ok(params.clone()), |device| params.to_device(device))
    }

    /// The same tensor here.
    ///
    /// # Errors
    /// A tensor that the device has no memory for.
    pub fn tensor(&self, tensor: &Tensor) -> Result<Tensor, DeviceError> {
        self.device.as_ref().map_or_else(|| tensor.to_host(), |device| tensor.to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, name) in [
            ("cpu", DeviceName::Cpu),
            ("vulkan:0", DeviceName::Vulkan(0)),
            ("vulkan:12", DeviceName::Vulkan(12)),
        ] {
            assert_eq!(text.parse(), Ok(name));
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("vulkan".parse(), Ok(DeviceName::Vulkan(0)));
        for text in ["", "gpu", "cuda:0", "vulkan:", "vulkan:-1", "vulkan:one", "cpu:0"] {
            let error = text.parse::<DeviceName>().unwrap_err();
            assert!(error.contains("vulkan:N"), "{text}: {error}");
        }
    }
}
