//! Which Vulkan devices there are and what they can do.

use std::fmt;
use std::sync::Arc;
use vulkano::device::QueueFlags;
use vulkano::device::physical::{PhysicalDevice, PhysicalDeviceType, SubgroupFeatures};
use vulkano::instance::{Instance, InstanceCreateFlags, InstanceCreateInfo};
use vulkano::memory::MemoryHeapFlags;
use vulkano::shader::ShaderStages;
use vulkano::{Validated, VulkanError, VulkanLibrary};

/// Why no device could be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The loader library is not installed.
    #[error(
        "the Vulkan loader was not found: install it (Debian, Ubuntu: libvulkan1; Fedora: vulkan-loader; Windows: it \
         comes with the graphics driver; macOS: MoltenVK from the Vulkan SDK)"
    )]
    NoLoader,
    /// The loader works, but no driver offers a device.
    #[error(
        "no Vulkan device was found: install your graphics card's driver, or mesa-vulkan-drivers for one that runs on \
         the processor"
    )]
    NoDevice,
    /// There is no device of that number.
    #[error("there is no Vulkan device {index}: there are {count}, counted from 0")]
    OutOfRange {
        /// The number asked for.
        index: usize,
        /// How many devices there are.
        count: usize,
    },
    /// The driver refused.
    #[error("{device}: {reason}")]
    Refused {
        /// What was being opened.
        device: String,
        /// What the driver said.
        reason: String,
    },
}

/// A device as a user chooses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Its place in [`adapters`]: the number after `vulkan:`.
    pub index: usize,
    /// The name its driver gives it.
    pub name: String,
    /// "discrete", "integrated", "virtual", "cpu" or "other".
    pub kind: &'static str,
    /// The driver's name, where it tells.
    pub driver: String,
    /// Invocations that run in lock-step, where the driver tells.
    pub subgroup_size: Option<u32>,
    /// Whether these can add their values without shared memory, in shaders.
    pub subgroup_sums: bool,
    /// Bytes a workgroup can share.
    pub shared_memory: u32,
    /// Invocations of a workgroup.
    pub workgroup_invocations: u32,
    /// Bytes a shader can reach through one binding: the largest tensor.
    pub binding_limit: u64,
    /// Bytes of the largest heap of device memory.
    pub memory: u64,
    /// Whether shaders may calculate with 16-bit floats.
    pub fp16: bool,
    /// Whether work on the device can be timed by itself.
    pub timestamps: bool,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        write!(f, "vulkan:{} {} ({}", self.index, self.name, self.kind)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        write!(f, "): memory {} MiB, tensors to {} MiB", self.memory / MIB, self.binding_limit / MIB)?;
        write!(f, ", workgroups of {}", self.workgroup_invocations)?;
        write!(f, " sharing {} KiB", self.shared_memory / 1024)?;
        if let Some(size) = self.subgroup_size {
            write!(f, ", subgroups of {size}")?;
        }
        let yes = |has: bool, what: &'static str| if has { what } else { "" };
        write!(f, "{}{}", yes(self.fp16, ", fp16"), yes(self.timestamps, ", timestamps"))
    }
}

/// All devices that can compute: discrete ones first, then integrated, virtual, and those that run on the processor.
///
/// # Errors
/// No Vulkan loader, or no driver that offers a device: the message says what to install.
pub fn adapters() -> Result<Vec<Adapter>, OpenError> {
    Ok(physical_devices()?.iter().enumerate().map(|(index, device)| describe(index, device)).collect())
}

/// Device number `index` of [`adapters`], and what it can do.
pub(crate) fn choose(index: usize) -> Result<(Arc<PhysicalDevice>, Adapter), OpenError> {
    let devices = physical_devices()?;
    let device = devices.get(index).ok_or(OpenError::OutOfRange { index, count: devices.len() })?;
    Ok((device.clone(), describe(index, device)))
}

/// The first family of queues that can compute.
pub(crate) fn compute_family(device: &PhysicalDevice) -> Option<u32> {
    let families = device.queue_family_properties().iter();
    let first = families.into_iter().position(|family| family.queue_flags.contains(QueueFlags::COMPUTE));
    first.map(|index| index as u32)
}

/// Bits of a time stamp that count in that family; `None` where it takes none.
pub(crate) fn timestamp_bits(device: &PhysicalDevice) -> Option<u32> {
    device.queue_family_properties()[compute_family(device)? as usize].timestamp_valid_bits
}

fn physical_devices() -> Result<Vec<Arc<PhysicalDevice>>, OpenError> {
    let refused = |reason: String| OpenError::Refused { device: "the Vulkan loader".to_owned(), reason };
    let library = VulkanLibrary::new().map_err(|_| OpenError::NoLoader)?;
    // Without this flag macOS, where Vulkan is translated to Metal, shows no devices.
    let flags = InstanceCreateFlags::ENUMERATE_PORTABILITY;
    let info = InstanceCreateInfo { flags, ..InstanceCreateInfo::application_from_cargo_toml() };
    let instance = Instance::new(library, info).map_err(|error| match error {
        Validated::Error(VulkanError::IncompatibleDriver) => OpenError::NoDevice, // a loader without a driver
        error => refused(error.to_string()),
    })?;
    let devices = instance.enumerate_physical_devices().map_err(|error| refused(error.to_string()))?;
    let mut devices: Vec<_> = devices.filter(|device| compute_family(device).is_some()).collect();
    devices.sort_by_key(|device| kind(device).0); // stable: the driver's order within a kind
    if devices.is_empty() { Err(OpenError::NoDevice) } else { Ok(devices) }
}

/// Rank and name of a device's kind.
fn kind(device: &PhysicalDevice) -> (u8, &'static str) {
    match device.properties().device_type {
        PhysicalDeviceType::DiscreteGpu => (0, "discrete"),
        PhysicalDeviceType::IntegratedGpu => (1, "integrated"),
        PhysicalDeviceType::VirtualGpu => (2, "virtual"),
        PhysicalDeviceType::Cpu => (3, "cpu"),
        _ => (4, "other"),
    }
}

fn describe(index: usize, device: &PhysicalDevice) -> Adapter {
    let properties = device.properties();
    let heaps = device.memory_properties().memory_heaps.iter();
    let own = heaps.filter(|heap| heap.flags.contains(MemoryHeapFlags::DEVICE_LOCAL));
    Adapter {
        index,
        name: properties.device_name.clone(),
        kind: kind(device).1,
        driver: properties.driver_name.clone().unwrap_or_default(),
        subgroup_size: properties.subgroup_size,
        subgroup_sums: properties
            .subgroup_supported_stages
            .is_some_and(|stages| stages.contains(ShaderStages::COMPUTE))
            && properties.subgroup_supported_operations.is_some_and(|operations| {
                operations.contains(SubgroupFeatures::BASIC | SubgroupFeatures::ARITHMETIC)
            }),
        shared_memory: properties.max_compute_shared_memory_size,
        workgroup_invocations: properties.max_compute_work_group_invocations,
        binding_limit: u64::from(properties.max_storage_buffer_range),
        memory: own.map(|heap| heap.size).max().unwrap_or(0),
        fp16: device.supported_features().shader_float16,
        timestamps: timestamp_bits(device).is_some(),
    }
}
