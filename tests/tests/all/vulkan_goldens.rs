//! Parity with PyTorch on a Vulkan device: every recorded case in `f32`, on both paths, with the tolerances that the host
//! has in `f32`.

use crate::goldens::{F32, compare_all};
use autograd::device::DeviceHandle;
use tests::vulkan;
use train::device::Place;
use train::replay::replay_at;

#[test]
fn cda_and_block_cases_on_vulkan() {
    let Some(device) = vulkan::device(false) else { return };
    let place = Place::on(DeviceHandle::new(device.clone()));
    for (folder, count) in [("cda", 10), ("block", 6)] {
        compare_all(folder, count, &F32, |case, how| replay_at(case, how, &place).unwrap());
    }
    assert!(device.statistics().dispatches > 1000, "the device did the work");
}
