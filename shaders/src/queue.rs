//! Work for the device, collected and submitted in one piece.
//!
//! Primitives only append to a list. When somebody waits for a result, or the list is long, it is written into one
//! command buffer and submitted; vulkano puts barriers between dispatches that depend on each other. A submission waits
//! for the one before it, so buffers pass from one to the next without further care, while the host records ahead. That
//! is why a training step is a few command buffers and not one: with one, the device would idle while the host records.
//! The host waits once a step all the same, for the loss.

use crate::memory::{Block, Words};
use crate::stopwatch::Stopwatch;
use std::sync::Arc;
use vulkano::command_buffer::allocator::StandardCommandBufferAllocator;
use vulkano::command_buffer::{
    AutoCommandBufferBuilder, CommandBufferExecFuture, CommandBufferUsage, CopyBufferInfo,
    PrimaryAutoCommandBuffer,
};
use vulkano::descriptor_set::allocator::{
    StandardDescriptorSetAllocator, StandardDescriptorSetAllocatorCreateInfo,
};
use vulkano::descriptor_set::{DescriptorSet, WriteDescriptorSet};
use vulkano::device::{Device, Queue as VulkanQueue};
use vulkano::pipeline::{ComputePipeline, Pipeline, PipelineBindPoint};
use vulkano::sync::future::{FenceSignalFuture, NowFuture};
use vulkano::sync::{self, GpuFuture};
use vulkano::{Validated, VulkanError};

/// Push constants of a dispatch: 128 bytes, what every Vulkan device has.
pub(crate) const PARAMS: usize = 32;

/// Commands in the list before it is submitted without being asked for.
const LONG: usize = 256;

/// One piece of work.
pub(crate) enum Command {
    /// Sets every word.
    Fill { dst: Words, word: u32 },
    /// Copies as many words as fit in both.
    Copy { src: Words, dst: Words },
    /// Runs a shader on buffers bound in this order.
    Dispatch { pipeline: Arc<ComputePipeline>, buffers: Vec<Words>, params: [u32; PARAMS], groups: u32 },
}

type Running = FenceSignalFuture<CommandBufferExecFuture<NowFuture>>;

/// The list, and what the device is working on.
pub(crate) struct Queue {
    queue: Arc<VulkanQueue>,
    command_buffers: Arc<StandardCommandBufferAllocator>,
    descriptor_sets: Arc<StandardDescriptorSetAllocator>,
    pending: Vec<Command>,
    /// Staging buffers that the pending commands read; they go back to the pool only after the device is done.
    pending_staging: Vec<Block>,
    running: Option<(Running, Vec<Block>)>,
    submissions: u64,
    /// `None` on devices without time stamps.
    stopwatch: Option<Stopwatch>,
}

impl Queue {
    pub fn new(device: &Arc<Device>, queue: Arc<VulkanQueue>) -> Queue {
        let sets = StandardDescriptorSetAllocatorCreateInfo { set_count: LONG, ..Default::default() };
        Queue {
            stopwatch: Stopwatch::new(&queue),
            queue,
            command_buffers: Arc::new(StandardCommandBufferAllocator::new(
                device.clone(),
                Default::default(),
            )),
            descriptor_sets: Arc::new(StandardDescriptorSetAllocator::new(device.clone(), sets)),
            pending: Vec::new(),
            pending_staging: Vec::new(),
            running: None,
            submissions: 0,
        }
    }

    /// Appends a command.
    pub fn push(&mut self, command: Command) -> Result<(), String> {
        self.pending.push(command);
        if self.pending.len() >= LONG { self.submit() } else { Ok(()) }
    }

    /// Appends a copy out of a staging buffer, which the queue keeps until the copy is done.
    pub fn push_upload(&mut self, staging: Block, dst: Words) -> Result<(), String> {
        let src = staging.first(staging.len());
        self.pending_staging.push(staging);
        self.push(Command::Copy { src, dst })
    }

    /// How many command buffers have been submitted.
    pub fn submissions(&self) -> u64 {
        self.submissions
    }

    /// Nanoseconds the device has worked so far, by its own clock.
    pub fn busy_ns(&self) -> Option<f64> {
        self.stopwatch.as_ref().map(Stopwatch::total_ns)
    }

    /// Submits the list and waits until the device has nothing left to do.
    pub fn wait(&mut self) -> Result<(), String> {
        self.submit()?;
        self.finish_running()
    }

    /// Hands the list over. Where that fails the work is lost, and the error goes to `autograd`, which from then on asks
    /// nothing more of the device and gives nobody a number from it.
    fn submit(&mut self) -> Result<(), String> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let commands = std::mem::take(&mut self.pending);
        let staging = std::mem::take(&mut self.pending_staging);
        let buffer = self.record(commands)?;
        self.finish_running()?;
        let device = self.queue.device().clone();
        let future = sync::now(device)
            .then_execute(self.queue.clone(), buffer)
            .map_err(|error| format!("the work could not be submitted: {error}"))?
            .then_signal_fence_and_flush()
            .map_err(|error| stopped(&error))?;
        self.running = Some((future, staging));
        self.submissions += 1;
        Ok(())
    }

    fn finish_running(&mut self) -> Result<(), String> {
        let Some((future, staging)) = self.running.take() else { return Ok(()) };
        let waited = future.wait(None);
        drop(future); // from here on the host may touch the staging buffers again
        drop(staging);
        waited.map_err(|error| stopped(&error))?;
        self.stopwatch.as_mut().map_or(Ok(()), Stopwatch::add_last)
    }

    fn record(&self, commands: Vec<Command>) -> Result<Arc<PrimaryAutoCommandBuffer>, String> {
        let failed = |error: String| format!("the work could not be recorded: {error}");
        let mut builder = AutoCommandBufferBuilder::primary(
            self.command_buffers.clone(),
            self.queue.queue_family_index(),
            CommandBufferUsage::OneTimeSubmit,
        )
        .map_err(|error| failed(error.to_string()))?;
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.record_start(&mut builder).map_err(failed)?;
        }
        for command in commands {
            self.record_one(&mut builder, command).map_err(failed)?;
        }
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.record_end(&mut builder).map_err(failed)?;
        }
        builder.build().map_err(|error| failed(error.to_string()))
    }

    fn record_one(
        &self,
        builder: &mut AutoCommandBufferBuilder<PrimaryAutoCommandBuffer>,
        command: Command,
    ) -> Result<(), String> {
        match command {
            Command::Fill { dst, word } => {
                builder.fill_buffer(dst, word).map_err(|error| error.to_string())?;
            }
            Command::Copy { src, dst } => {
                builder.copy_buffer(CopyBufferInfo::buffers(src, dst)).map_err(|error| error.to_string())?;
            }
            Command::Dispatch { pipeline, buffers, params, groups } => {
                let layout = pipeline.layout().clone();
                let set_layout = layout.set_layouts()[0].clone();
                let writes = (0..).zip(buffers).map(|(i, buffer)| WriteDescriptorSet::buffer(i, buffer));
                let set = DescriptorSet::new(self.descriptor_sets.clone(), set_layout, writes, [])
                    .map_err(|error| error.to_string())?;
                builder
                    .bind_pipeline_compute(pipeline)
                    .and_then(|b| b.bind_descriptor_sets(PipelineBindPoint::Compute, layout.clone(), 0, set))
                    .and_then(|b| b.push_constants(layout, 0, params))
                    .map_err(|error| error.to_string())?;
                dispatch(builder, groups)?;
            }
        }
        Ok(())
    }
}

/// Why the device does no more work, and what to do.
fn stopped(error: &Validated<VulkanError>) -> String {
    match error {
        Validated::Error(VulkanError::DeviceLost) => "the driver gave the device up (device lost), which it does when \
            something ran for too long or the device was reset; run again, training with --resume, and if it happens \
            again use a smaller batch or picture"
            .to_owned(),
        Validated::Error(VulkanError::OutOfDeviceMemory | VulkanError::OutOfHostMemory) => {
            "out of memory while submitting work; use a smaller batch or picture".to_owned()
        }
        error => format!("the device stopped working: {error}"),
    }
}

/// Records a dispatch of what is bound.
#[allow(unsafe_code)]
fn dispatch(
    builder: &mut AutoCommandBufferBuilder<PrimaryAutoCommandBuffer>,
    groups: u32,
) -> Result<(), String> {
    // SAFETY: Vulkan asks that a shader does nothing undefined. Ours come from naga, which rejects the rest, except
    // for accesses past the end of a buffer where its bounds checks are off. Every shader leaves its loop at the
    // number of elements it is told, and loops end because they count up to such numbers. Those numbers are lengths of
    // the bound buffers, or sizes and row numbers that `autograd` has checked against its tensors, which the contract
    // of its `Device` promises; `VulkanDevice::matmul_by`, which anybody may call, checks them itself.
    unsafe { builder.dispatch([groups, 1, 1]) }.map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::stopped;
    use vulkano::{Validated, VulkanError};

    #[test]
    fn a_device_that_stops_says_what_to_do() {
        let words = |error| stopped(&Validated::Error(error));
        assert!(
            words(VulkanError::DeviceLost).contains("device lost")
                && words(VulkanError::DeviceLost).contains("--resume")
        );
        assert!(words(VulkanError::OutOfDeviceMemory).contains("smaller batch"));
        assert!(words(VulkanError::Unknown).starts_with("the device stopped working: "));
    }
}
