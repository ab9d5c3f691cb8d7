//! How long the device works, by its own clock: a time stamp before and after every command buffer.

use crate::adapter::timestamp_bits;
use std::sync::Arc;
use vulkano::command_buffer::{AutoCommandBufferBuilder, PrimaryAutoCommandBuffer};
use vulkano::device::Queue;
use vulkano::query::{QueryPool, QueryPoolCreateInfo, QueryResultFlags, QueryType};
use vulkano::sync::PipelineStage;

type Builder = AutoCommandBufferBuilder<PrimaryAutoCommandBuffer>;

/// Two time stamps, used anew by every command buffer: one runs at a time.
pub(crate) struct Stopwatch {
    stamps: Arc<QueryPool>,
    /// Nanoseconds a tick.
    period: f64,
    /// Bits of a time stamp that count.
    mask: u64,
    total_ns: f64,
}

impl Stopwatch {
    /// `None` where the queue takes no time stamps.
    pub fn new(queue: &Queue) -> Option<Stopwatch> {
        let physical = queue.device().physical_device();
        let bits = timestamp_bits(physical)?;
        let info =
            QueryPoolCreateInfo { query_count: 2, ..QueryPoolCreateInfo::query_type(QueryType::Timestamp) };
        Some(Stopwatch {
            stamps: QueryPool::new(queue.device().clone(), info).ok()?,
            period: f64::from(physical.properties().timestamp_period),
            mask: u64::MAX >> (64 - bits),
            total_ns: 0.0,
        })
    }

    /// Nanoseconds from start to end of all command buffers so far.
    pub fn total_ns(&self) -> f64 {
        self.total_ns
    }

    /// Adds the command buffer that has just been finished.
    pub fn add_last(&mut self) -> Result<(), String> {
        let mut ticks = [0u64; 2];
        let read = self.stamps.get_results(0..2, &mut ticks, QueryResultFlags::empty());
        if read.map_err(|error| format!("the time stamps could not be read: {error}"))? {
            let [start, end] = ticks;
            self.total_ns += (end.wrapping_sub(start) & self.mask) as f64 * self.period;
        }
        Ok(())
    }

    /// Notes the time before everything else in a command buffer.
    #[allow(unsafe_code)]
    pub fn record_start(&self, builder: &mut Builder) -> Result<(), String> {
        // SAFETY: Vulkan asks that no other command buffer in flight uses the two stamps while they are cleared. The
        // queue waits for a command buffer before it submits the next.
        unsafe { builder.reset_query_pool(self.stamps.clone(), 0..2) }.map_err(|error| error.to_string())?;
        self.record(builder, 0, PipelineStage::TopOfPipe)
    }

    /// Notes the time when everything before it is done.
    pub fn record_end(&self, builder: &mut Builder) -> Result<(), String> {
        self.record(builder, 1, PipelineStage::BottomOfPipe)
    }

    #[allow(unsafe_code)]
    fn record(&self, builder: &mut Builder, stamp: u32, stage: PipelineStage) -> Result<(), String> {
        // SAFETY: Vulkan asks that a stamp is cleared before it is set: `record_start` clears both.
        unsafe { builder.write_timestamp(self.stamps.clone(), stamp, stage) }
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
