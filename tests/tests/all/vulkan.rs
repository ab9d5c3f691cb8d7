//! The Vulkan device against the host: the tables and the training that the reference device passes, on shaders.
//!
//! Buffers are guarded where many shaders run on small tensors: an element left unwritten, or one written past the end,
//! fails the dispatch that did it. Without a Vulkan device these tests say so and end.

use crate::device::{
    Subject, compare_batch_statistics, compare_dropout_masks, compare_optimizers, compare_rows,
};
use crate::device_diffusion::compare_paths;
use crate::device_network::compare_training;
use autograd::device::DeviceHandle;
use shaders::VulkanDevice;
use tests::op_table::{large_rows, rows};
use tests::vulkan;

fn subject(device: VulkanDevice) -> Subject {
    let handle = DeviceHandle::new(device.clone());
    Subject { handle, downloads: Box::new(move || device.statistics().downloads as usize) }
}

#[test]
fn every_row_gives_the_same_numbers_and_copies_nothing_back() {
    let Some(device) = vulkan::device(true) else { return };
    compare_rows(&rows(), &subject(device));
}

#[test]
fn large_inputs_give_the_same_numbers_and_copy_nothing_back() {
    let Some(device) = vulkan::device(false) else { return };
    compare_rows(&large_rows(), &subject(device));
}

#[test]
fn statistics_masks_and_optimisers_agree() {
    let Some(device) = vulkan::device(true) else { return };
    let subject = subject(device);
    compare_batch_statistics(&subject.handle);
    compare_dropout_masks(&subject.handle);
    compare_optimizers(&subject);
}

#[test]
fn training_on_vulkan_equals_training_on_the_host() {
    let Some(device) = vulkan::device(false) else { return };
    compare_training(&subject(device));
}

#[test]
fn diffusion_with_matrices_and_without_equals_the_host() {
    let Some(device) = vulkan::device(true) else { return };
    compare_paths(&subject(device));
}
