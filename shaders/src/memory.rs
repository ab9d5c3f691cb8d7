//! Buffers on the device and the pool they return to.
//!
//! The driver's allocations are few and large (vulkano cuts them into buffers); a dropped buffer goes to a list of its
//! size and serves the next one, so a training step allocates nothing after the first. Reuse needs no waiting: all work
//! runs in one queue in the order it was recorded, so whoever gets the buffer next comes after whoever had it before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vulkano::buffer::{AllocateBufferError, Buffer, BufferCreateInfo, BufferUsage, Subbuffer};
use vulkano::device::Device;
use vulkano::memory::allocator::{
    AllocationCreateInfo, MemoryAllocatorError, MemoryTypeFilter, StandardMemoryAllocator,
};
use vulkano::{Validated, VulkanError};

/// Raw memory in 32-bit words: floats by their bits, indices as they are.
pub(crate) type Words = Subbuffer<[u32]>;

/// What a buffer is for, which decides the memory it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Read and written by shaders.
    Compute,
    /// Written by the host, copied to the device.
    Upload,
    /// Copied from the device, read by the host.
    Download,
}

/// Where buffers come from and go to.
pub(crate) struct Pool {
    allocator: Arc<StandardMemoryAllocator>,
    /// Bytes that compute buffers may take. The driver has the last word, but one that runs on the processor hands out
    /// more than there is, and then the operating system ends the process.
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Buffers nobody uses, by purpose and size.
    free: BTreeMap<(Purpose, usize), Vec<Words>>,
    /// Bytes of compute buffers that exist, used or free.
    reserved: u64,
    /// Bytes of compute buffers in use, and the most there have been.
    used: u64,
    peak: u64,
}

/// A buffer in use; dropping it gives it back.
pub(crate) struct Block {
    words: Words,
    purpose: Purpose,
    /// Elements that belong to the user; the buffer may be longer.
    len: usize,
    pool: Arc<Pool>,
}

impl Block {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first `words` of the buffer, spare ones included; one at least, for Vulkan knows no empty ranges.
    pub fn first(&self, words: usize) -> Words {
        self.words.clone().slice(0..words.max(1) as u64)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if self.purpose == Purpose::Compute {
            state.used -= self.words.size();
        }
        let class = self.words.len() as usize;
        state.free.entry((self.purpose, class)).or_default().push(self.words.clone());
    }
}

impl Pool {
    /// A pool that takes `limit` bytes of the device at most.
    pub fn new(device: Arc<Device>, limit: u64) -> Arc<Pool> {
        let allocator = Arc::new(StandardMemoryAllocator::new_default(device));
        Arc::new(Pool { allocator, limit, state: Mutex::default() })
    }

    /// A buffer for `len` elements and `spare` more behind them, with whatever its last user left in it; `None` when
    /// the device's memory is exhausted.
    pub fn take(
        self: &Arc<Pool>,
        purpose: Purpose,
        len: usize,
        spare: usize,
    ) -> Result<Option<Block>, String> {
        let class = size_class(len + spare);
        let free = self.state().free.get_mut(&(purpose, class)).and_then(Vec::pop);
        let words = match free {
            Some(words) => Some(words),
            None => self.allocate(purpose, class)?,
        };
        let Some(words) = words else { return Ok(None) };
        if purpose == Purpose::Compute {
            let mut state = self.state();
            state.used += words.size();
            state.peak = state.peak.max(state.used);
        }
        Ok(Some(Block { words, purpose, len, pool: self.clone() }))
    }

    /// Returns what nobody uses to the driver.
    pub fn release_unused(&self) {
        let mut state = self.state();
        let free = std::mem::take(&mut state.free);
        let compute = free.iter().filter(|((purpose, _), _)| *purpose == Purpose::Compute);
        state.reserved -= compute.flat_map(|(_, list)| list).map(Subbuffer::size).sum::<u64>();
    }

    /// Bytes of compute buffers: (reserved from the driver, most in use at a time).
    pub fn usage(&self) -> (u64, u64) {
        let state = self.state();
        (state.reserved, state.peak)
    }

    fn allocate(&self, purpose: Purpose, words: usize) -> Result<Option<Words>, String> {
        let usage = match purpose {
            Purpose::Compute => {
                BufferUsage::STORAGE_BUFFER | BufferUsage::TRANSFER_SRC | BufferUsage::TRANSFER_DST
            }
            Purpose::Upload => BufferUsage::TRANSFER_SRC,
            Purpose::Download => BufferUsage::TRANSFER_DST,
        };
        let memory_type_filter = match purpose {
            Purpose::Compute => MemoryTypeFilter::PREFER_DEVICE,
            Purpose::Upload => MemoryTypeFilter::PREFER_HOST | MemoryTypeFilter::HOST_SEQUENTIAL_WRITE,
            Purpose::Download => MemoryTypeFilter::PREFER_HOST | MemoryTypeFilter::HOST_RANDOM_ACCESS,
        };
        if purpose == Purpose::Compute && self.state().reserved + 4 * words as u64 > self.limit {
            return Ok(None);
        }
        let info = BufferCreateInfo { usage, ..BufferCreateInfo::default() };
        let place = AllocationCreateInfo { memory_type_filter, ..AllocationCreateInfo::default() };
        match Buffer::new_slice::<u32>(self.allocator.clone(), info, place, words as u64) {
            Ok(buffer) => {
                if purpose == Purpose::Compute {
                    self.state().reserved += buffer.size();
                }
                Ok(Some(buffer))
            }
            Err(error) if is_exhaustion(&error) => Ok(None),
            Err(error) => Err(format!("a buffer of {words} words could not be made: {error}")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_exhaustion(error: &Validated<AllocateBufferError>) -> bool {
    let full =
        |error: &VulkanError| matches!(error, VulkanError::OutOfDeviceMemory | VulkanError::OutOfHostMemory);
    match error {
        Validated::Error(AllocateBufferError::CreateBuffer(error)) => full(error),
        Validated::Error(AllocateBufferError::AllocateMemory(error)) => match error {
            MemoryAllocatorError::AllocateDeviceMemory(Validated::Error(error)) => full(error),
            MemoryAllocatorError::OutOfPoolMemory => true,
            _ => false,
        },
        _ => false,
    }
}

/// Sizes in steps of an eighth of the power of two below, so that tensors of nearly one size share buffers and no more
/// than an eighth is wasted.
fn size_class(words: usize) -> usize {
    let words = words.max(64);
    let step = (1 << words.ilog2()) / 8;
    words.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_waste_an_eighth_at_most() {
        assert_eq!(
            [0, 1, 64, 65, 72, 73, 1000, 1024, 1025].map(size_class),
            [64, 64, 64, 72, 72, 80, 1024, 1024, 1152]
        );
        for words in (64..100_000).step_by(37) {
            let class = size_class(words);
            assert!(class >= words && class * 8 <= words * 9 + 8, "{words} words in {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
