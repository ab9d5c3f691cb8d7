//! The Vulkan device of this machine, if it has one.

use shaders::{OpenError, VulkanDevice};

/// The first Vulkan device, with guarded buffers if asked for; `None`, said on standard error, where there is none, so
/// that the test can end. With `MUTUALFORMER_REQUIRE_VULKAN=1` a missing device is a failure.
pub fn device(guarded: bool) -> Option<VulkanDevice> {
    let open = if guarded { VulkanDevice::open_guarded } else { VulkanDevice::open };
    match open(0) {
        Ok(device) => Some(device),
        Err(error @ (OpenError::NoLoader | OpenError::NoDevice)) => {
            let required = std::env::var("MUTUALFORMER_REQUIRE_VULKAN").is_ok_and(|value| value == "1");
            assert!(!required, "MUTUALFORMER_REQUIRE_VULKAN is set, but {error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
