//! What times are taken with: the host's clock, or a device's own.

use crate::device::{DeviceArgs, Place};
use crate::memory::peak_mb;
use anyhow::{Error, Result};
use autograd::device::{Device, DeviceHandle};
use serde::{Deserialize, Serialize};
use shaders::VulkanDevice;
use std::time::Instant;

/// Where something is measured, and the clock there.
pub(super) struct Clock {
    /// What its tensors are moved with.
    pub(super) place: Place,
    device: Option<VulkanDevice>,
}

/// What computed, in a report.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Machine {
    /// "cpu", or number and name of a device.
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<String>,
    /// "timestamps" of the device itself, or "host clock", which adds the way there and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<String>,
}

impl Clock {
    /// Opens the device that was asked for.
    pub(super) fn open(args: DeviceArgs) -> Result<Clock> {
        let device = args.vulkan()?;
        let handle = device.clone().map(DeviceHandle::new);
        Ok(Clock { place: handle.map_or(Place::default(), Place::on), device })
    }

    /// Milliseconds that `f` took, and its result. On a device: that the device worked for it, once all has been done.
    pub(super) fn timed<R>(&self, f: impl FnOnce() -> R) -> Result<(f64, R)> {
        let start = Instant::now();
        let (result, busy) = match &self.device {
            None => (f(), None),
            Some(device) => device.timed(f).map_err(Error::msg)?,
        };
        let ms = busy.unwrap_or(start.elapsed().as_secs_f64() * 1e3);
        self.place.device().map_or(Ok(()), |device| device.sync())?;
        Ok((ms, result))
    }

    /// What a report says of where it was measured.
    pub(super) fn machine(&self) -> Machine {
        let Some(device) = &self.device else {
            return Machine { device: "cpu".to_owned(), driver: None, timing: None };
        };
        let adapter = device.adapter();
        let timing = if adapter.timestamps { "timestamps" } else { "host clock" };
        Machine {
            device: device.name(),
            driver: Some(adapter.driver.clone()),
            timing: Some(timing.to_owned()),
        }
    }

    /// Largest resident set of the process so far in MiB; on a device, the most memory that its buffers took.
    pub(super) fn peak_mb(&self) -> Option<f64> {
        let on_device = |device: &VulkanDevice| device.statistics().peak_bytes as f64 / f64::from(1 << 20);
        self.device.as_ref().map_or_else(peak_mb, |device| Some(on_device(device)))
    }
}

impl Machine {
    /// Whether it is something else than the processor.
    pub(super) fn is_device(&self) -> bool {
        self.driver.is_some()
    }

    /// For a line of text: a device, or how many threads of the processor.
    pub(super) fn in_words(&self, threads: usize) -> String {
        let of_device = self.driver.iter().zip(&self.timing).next();
        of_device.map_or(format!("{threads} threads"), |(driver, timing)| {
            format!("on {}, driver {driver}, timed by {timing}", self.device)
        })
    }
}
