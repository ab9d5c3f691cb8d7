//! Compiled pipelines on disk, so that the next run need not compile them again: one file for each driver.
//!
//! The file goes where the system keeps caches, in a folder `mutualformer`; deleting it is harmless. What cannot be read
//! is ignored and what cannot be written is not kept: a cache is no reason to fail.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vulkano::device::Device;
use vulkano::pipeline::cache::{PipelineCache, PipelineCacheCreateInfo};

/// The file's first bytes; the number is raised when its layout changes.
const MAGIC: &[u8] = b"mutualformer pipelines 1\n";

/// The driver's cache and the file it is kept in.
pub(crate) struct DiskCache {
    cache: Arc<PipelineCache>,
    file: PathBuf,
    /// Bytes that came from the file.
    loaded: usize,
    /// [`MAGIC`] and what tells this driver from all others.
    head: Vec<u8>,
}

/// Where caches of this user go; `None` if the system does not say.
pub(crate) fn folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|caches| caches.join("mutualformer"))
}

impl DiskCache {
    /// The cache of a device in `folder`; `None` if the driver has none.
    #[allow(unsafe_code)]
    pub fn open(device: &Arc<Device>, folder: &Path) -> Option<DiskCache> {
        let properties = device.physical_device().properties();
        let identity = properties.pipeline_cache_uuid;
        let name: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
        let head = [MAGIC, &identity, &properties.driver_version.to_le_bytes()].concat();
        let file = folder.join(format!("pipelines-{name}.bin"));
        let initial_data =
            std::fs::read(&file).ok().and_then(|bytes| unpack(&head, &bytes)).unwrap_or_default();
        let loaded = initial_data.len();
        let info = PipelineCacheCreateInfo { initial_data, ..Default::default() };
        // SAFETY: Vulkan asks for data that this driver gave out. `unpack` lets through only what `save` wrote for a
        // driver of the same identity and version, with a checksum over every byte.
        let cache = unsafe { PipelineCache::new(device.clone(), info) }.ok()?;
        Some(DiskCache { cache, file, loaded, head })
    }

    /// What pipelines are made with.
    pub fn handle(&self) -> Arc<PipelineCache> {
        self.cache.clone()
    }

    /// Bytes of compiled pipelines that came from the file.
    pub fn loaded(&self) -> usize {
        self.loaded
    }

    /// Writes the file anew, whole or not at all, if pipelines have come to what it held.
    pub fn save(&self) {
        let Ok(data) = self.cache.get_data() else { return };
        if data.len() == self.loaded {
            return;
        }
        let written = self.file.with_extension(std::process::id().to_string());
        let saved = std::fs::create_dir_all(self.file.parent().unwrap_or(Path::new(".")))
            .and_then(|()| std::fs::write(&written, pack(&self.head, &data)))
            .and_then(|()| std::fs::rename(&written, &self.file));
        if saved.is_err() {
            drop(std::fs::remove_file(&written));
        }
    }
}

fn pack(head: &[u8], data: &[u8]) -> Vec<u8> {
    [head, &checksum(data).to_le_bytes(), data].concat()
}

/// The data of a file with this head, if it is whole.
fn unpack(head: &[u8], file: &[u8]) -> Option<Vec<u8>> {
    let (sum, data) = file.strip_prefix(head)?.split_first_chunk()?;
    (u64::from_le_bytes(*sum) == checksum(data)).then(|| data.to_vec())
}

fn checksum(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn only_whole_files_of_the_same_driver_are_used() {
        let file = pack(b"driver 1", b"compiled");
        assert_eq!(unpack(b"driver 1", &file), Some(b"compiled".to_vec()));
        assert_eq!(unpack(b"driver 2", &file), None);
        for cut in 0..file.len() {
            assert_eq!(unpack(b"driver 1", &file[..cut]), None);
            let mut changed = file.clone();
            changed[cut] ^= 1;
            assert_eq!(unpack(b"driver 1", &changed), None);
        }
    }
}
