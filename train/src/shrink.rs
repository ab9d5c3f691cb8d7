//! Weights in half the space, for files that travel.

use crate::run_folder::RunFolder;
use anyhow::{Context, Result, ensure};
use autograd::TensorFile;
use std::path::Path;

/// Writes the tensors of a file, or of a run's `best.safetensors`, with 16-bit floats in place of 32-bit ones
/// ([`TensorFile::write_half`]); metadata stays. Returns the sizes of both files in bytes.
///
/// # Errors
/// A file that cannot be read or written.
pub fn shrink(path: &Path, out: &Path) -> Result<(u64, u64)> {
    ensure!(path.exists(), "{}: there is no such run folder or file of weights", path.display());
    let path = if path.is_dir() { RunFolder::open(path)?.path("best.safetensors") } else { path.to_owned() };
    let file = TensorFile::read(&path)?;
    let size = |path: &Path| Ok::<u64, anyhow::Error>(std::fs::metadata(path)?.len());
    let before = size(&path)?; // `out` may be the same file
    file.write_half(out).with_context(|| format!("cannot shrink {}", path.display()))?;
    Ok((before, size(out)?))
}
