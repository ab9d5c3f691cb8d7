//! A device in use: memory, queue and pipelines behind a few calls, which the primitives are written with.

use crate::adapter::{Adapter, OpenError, choose, compute_family};
use crate::cache;
use crate::memory::{Block, Pool, Purpose};
use crate::pipeline::Pipelines;
use crate::queue::{Command, PARAMS, Queue};
use crate::shader::{Shader, Values};
use autograd::device::Buffer;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vulkano::Version;
use vulkano::device::physical::PhysicalDevice;
use vulkano::device::{Device, DeviceCreateInfo, QueueCreateInfo};

/// Words behind every buffer of a guarded device.
const GUARD: usize = 64;

/// What a guarded device fills buffers with: a NaN that no computation produces.
const POISON: u32 = 0x7fc0_dead;

/// The largest number of workgroups that every device takes; shaders loop when there is more to do.
const MAX_GROUPS: usize = 65_535;

/// Tables kept on the device; a network has a few dozen.
const MAX_TABLES: usize = 1024;

/// The most buffers a shader binds: `normalize_channels_backward.wgsl` has 9.
const MOST_BINDINGS: u32 = 9;

/// What a device has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Copies to the device: tensors and lists of indices. Tables that depend on shapes alone are copied once.
    pub uploads: u64,
    /// Tensors copied to the host.
    pub downloads: u64,
    /// Shaders run.
    pub dispatches: u64,
    /// Command buffers submitted.
    pub submissions: u64,
    /// Bytes of compiled pipelines that came from the cache on disk.
    pub cached_bytes: u64,
    /// Bytes of device memory taken from the driver.
    pub reserved_bytes: u64,
    /// The most bytes that were in use at a time.
    pub peak_bytes: u64,
}

/// The device and everything it holds.
pub(crate) struct Gpu {
    pub adapter: Adapter,
    pool: Arc<Pool>,
    queue: Mutex<Queue>,
    pipelines: Mutex<Pipelines>,
    /// Tables by their contents.
    tables: Mutex<BTreeMap<Vec<u32>, Arc<Block>>>,
    /// Whether buffers are poisoned, have guards, and are looked through after every dispatch.
    guarded: bool,
    uploads: AtomicU64,
    downloads: AtomicU64,
    dispatches: AtomicU64,
}

/// One run of a shader.
pub(crate) struct Dispatch<'a> {
    pub shader: &'a Shader,
    /// Values of its constants.
    pub values: Values<'a>,
    /// What it writes, then what it reads.
    pub outputs: &'a [&'a Block],
    pub inputs: &'a [&'a Block],
    /// The fields of its `Params`, in order.
    pub params: &'a [u32],
    /// Workgroups there is work for.
    pub groups: usize,
}

/// A size or count as shaders take it. A tensor has at most as many elements as a binding has words, which drivers keep
/// below 2³⁰, and a loop's stride is at most 2²⁴ invocations: a shader's counters do not wrap either.
pub(crate) fn int(x: usize) -> u32 {
    u32::try_from(x).expect("sizes on the device are below 2^32")
}

/// A number as shaders take it: rounded once.
pub(crate) fn float(x: f64) -> u32 {
    (x as f32).to_bits()
}

/// The buffer behind a tensor.
pub(crate) fn block(buffer: &Buffer) -> &Block {
    buffer.downcast_ref().expect("the buffer was made by a Vulkan device")
}

impl Gpu {
    /// Device number `index` of `adapters`.
    pub fn open(index: usize, guarded: bool) -> Result<Gpu, OpenError> {
        let (physical, adapter) = choose(index)?;
        Gpu::on(physical, adapter, guarded, cache::folder().as_deref())
    }

    /// Such a device, with a folder for compiled pipelines.
    pub fn on(
        physical: Arc<PhysicalDevice>,
        adapter: Adapter,
        guarded: bool,
        cache: Option<&Path>,
    ) -> Result<Gpu, OpenError> {
        let refused = |reason: String| OpenError::Refused { device: adapter.name.clone(), reason };
        let family =
            compute_family(&physical).ok_or_else(|| refused("it has no queue that computes".to_owned()))?;
        if adapter.workgroup_invocations < 256 {
            let has = adapter.workgroup_invocations;
            return Err(refused(format!("its workgroups have {has} invocations, the shaders need 256")));
        }
        let limits = physical.properties();
        let across = limits.max_compute_work_group_size[0];
        let bindings = limits.max_per_stage_descriptor_storage_buffers;
        if across < 256 || bindings < MOST_BINDINGS || physical.api_version() < Version::V1_1 {
            let version = physical.api_version();
            return Err(refused(format!(
                "it has Vulkan {version}, workgroups {across} invocations across and {bindings} buffers a shader; needed are \
                 1.1, 256 and {MOST_BINDINGS}"
            )));
        }
        let queue = QueueCreateInfo { queue_family_index: family, ..Default::default() };
        let info = DeviceCreateInfo { queue_create_infos: vec![queue], ..Default::default() };
        let (device, mut queues) = Device::new(physical, info).map_err(|error| refused(error.to_string()))?;
        let queue = queues.next().ok_or_else(|| refused("it gave no queue".to_owned()))?;
        Ok(Gpu {
            pool: Pool::new(device.clone(), adapter.memory),
            queue: Mutex::new(Queue::new(&device, queue)),
            // With guards an access past the end must happen to be seen.
            pipelines: Mutex::new(Pipelines::new(device, cfg!(debug_assertions) && !guarded, cache)),
            tables: Mutex::default(),
            guarded,
            uploads: AtomicU64::new(0),
            downloads: AtomicU64::new(0),
            dispatches: AtomicU64::new(0),
            adapter,
        })
    }

    pub fn statistics(&self) -> Statistics {
        let (reserved_bytes, peak_bytes) = self.pool.usage();
        Statistics {
            uploads: self.uploads.load(Ordering::Relaxed),
            downloads: self.downloads.load(Ordering::Relaxed),
            dispatches: self.dispatches.load(Ordering::Relaxed),
            submissions: self.queue().submissions(),
            cached_bytes: self.pipelines().cached_bytes() as u64,
            reserved_bytes,
            peak_bytes,
        }
    }

    /// A buffer for `len` elements, contents undefined.
    pub fn allocate(&self, len: usize) -> Result<Block, String> {
        let spare = if self.guarded { GUARD } else { 0 };
        let bytes = 4 * (len as u64 + spare as u64);
        let limit = self.adapter.binding_limit;
        if bytes > limit {
            return Err(format!(
                "a tensor of {len} elements ({} MiB) is larger than the {} MiB that one binding of this device reaches \
                 (maxStorageBufferRange = {limit} bytes); use a smaller batch or picture",
                bytes >> 20,
                limit >> 20,
            ));
        }
        let block = self.take(Purpose::Compute, len, spare)?;
        if self.guarded {
            self.push(Command::Fill { dst: block.first(len + GUARD), word: POISON })?;
        }
        Ok(block)
    }

    fn take(&self, purpose: Purpose, len: usize, spare: usize) -> Result<Block, String> {
        if let Some(block) = self.pool.take(purpose, len, spare)? {
            return Ok(block);
        }
        // Buffers of other sizes may lie unused; they can go once nothing that is recorded needs them.
        self.wait()?;
        self.pool.release_unused();
        let full = || {
            let [used, all] = [self.pool.usage().0, self.adapter.memory].map(|bytes| bytes >> 20);
            let mib = (4 * len) >> 20;
            format!(
                "out of device memory: {mib} MiB asked for, {used} of {all} MiB in use; use a smaller batch or picture"
            )
        };
        self.pool.take(purpose, len, spare)?.ok_or_else(full)
    }

    /// A table that follows from shapes alone, such as the windows of a pooling: copied to the device the first time.
    pub fn table(&self, words: Vec<u32>) -> Result<Arc<Block>, String> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(&words) {
            return Ok(table.clone());
        }
        if tables.len() >= MAX_TABLES {
            tables.clear(); // pictures of ever other sizes: begin anew
        }
        let table = Arc::new(self.upload(&words)?);
        tables.insert(words, table.clone());
        Ok(table)
    }

    /// Copies words to the device.
    pub fn upload(&self, words: &[u32]) -> Result<Block, String> {
        self.uploads.fetch_add(1, Ordering::Relaxed);
        let block = self.allocate(words.len())?;
        if !words.is_empty() {
            let staging = self.take(Purpose::Upload, words.len(), 0)?;
            let range = staging.first(words.len());
            range.write().map_err(|error| format!("staging memory: {error}"))?.copy_from_slice(words);
            self.queue().push_upload(staging, block.first(words.len()))?;
        }
        Ok(block)
    }

    /// Copies a tensor to the host.
    pub fn download(&self, block: &Block) -> Result<Vec<u32>, String> {
        self.downloads.fetch_add(1, Ordering::Relaxed);
        self.read(block, block.len())
    }

    fn read(&self, block: &Block, words: usize) -> Result<Vec<u32>, String> {
        if words == 0 {
            return Ok(Vec::new());
        }
        let staging = self.take(Purpose::Download, words, 0)?;
        let range = staging.first(words);
        self.push(Command::Copy { src: block.first(words), dst: range.clone() })?;
        self.wait()?;
        let found = range.read().map_err(|error| format!("staging memory: {error}"))?;
        Ok(found.to_vec())
    }

    /// Sets every element.
    pub fn fill(&self, block: &Block, value: f64) -> Result<(), String> {
        if block.len() == 0 {
            return Ok(());
        }
        self.push(Command::Fill { dst: block.first(block.len()), word: float(value) })
    }

    /// Copies all elements of one buffer to another of the same length.
    pub fn copy(&self, src: &Block, dst: &Block) -> Result<(), String> {
        if src.len() == 0 {
            return Ok(());
        }
        self.push(Command::Copy { src: src.first(src.len()), dst: dst.first(src.len()) })
    }

    /// Runs a shader, unless there is nothing to do.
    pub fn dispatch(&self, dispatch: Dispatch) -> Result<(), String> {
        if dispatch.groups == 0 {
            return Ok(());
        }
        let bound = dispatch.outputs.iter().chain(dispatch.inputs);
        let spare = if self.guarded { GUARD } else { 0 };
        let buffers: Vec<_> = bound.map(|block| block.first(block.len() + spare)).collect();
        let pipeline = self.pipelines().get(dispatch.shader, dispatch.values, buffers.len())?;
        let mut params = [0; PARAMS];
        params[..dispatch.params.len()].copy_from_slice(dispatch.params);
        let groups = dispatch.groups.min(MAX_GROUPS) as u32;
        self.dispatches.fetch_add(1, Ordering::Relaxed);
        self.push(Command::Dispatch { pipeline, buffers, params, groups })?;
        if self.guarded {
            for (i, output) in dispatch.outputs.iter().enumerate() {
                self.look_through(dispatch.shader.name, i, output)?;
            }
        }
        Ok(())
    }

    /// Every element written, and nothing behind the last.
    fn look_through(&self, shader: &str, i: usize, output: &Block) -> Result<(), String> {
        let words = self.read(output, output.len() + GUARD)?;
        let (elements, guard) = words.split_at(output.len());
        if let Some(e) = elements.iter().position(|&word| word == POISON) {
            let len = output.len();
            return Err(format!("shader {shader} left element {e} of {len} of its result {i} unwritten"));
        }
        if let Some(e) = guard.iter().position(|&word| word != POISON) {
            return Err(format!("shader {shader} wrote {e} elements behind the end of its result {i}"));
        }
        Ok(())
    }

    /// Milliseconds the device works on what `f` gives it, by its own clock, and the result of `f`.
    pub fn timed<R>(&self, f: impl FnOnce() -> R) -> Result<(R, Option<f64>), String> {
        self.wait()?;
        let before = self.queue().busy_ns();
        let result = f();
        self.wait()?;
        let after = self.queue().busy_ns();
        Ok((result, after.zip(before).map(|(after, before)| (after - before) * 1e-6)))
    }

    /// Waits until nothing is left to do.
    pub fn wait(&self) -> Result<(), String> {
        self.queue().wait()
    }

    fn push(&self, command: Command) -> Result<(), String> {
        self.queue().push(command)
    }

    fn pipelines(&self) -> MutexGuard<'_, Pipelines> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
