//! Writes scenes to disk in the folder layout of public RGB-D data sets.

use rayon::prelude::*;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Album, SIZES, Scene, render_with_photos};
use crate::error::DataError;
use crate::image_io::{to_u8, write_grey, write_jpeg};
use crate::sample::Sample;

/// Scenes drawn between two reports of progress.
const BATCH: usize = 64;

/// Why scenes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The generator does not draw this size.
    #[error("a scene has {} to {} pixels a side, not {size}", SIZES.start(), SIZES.end())]
    Size {
        /// The size asked for.
        size: usize,
    },
    /// A folder or file could not be made.
    #[error("cannot write {path}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture could not be encoded or written.
    #[error(transparent)]
    Picture(#[from] DataError),
}

/// Writes scenes `first .. first + count` of a series as `RGB/<name>.jpg`, `depth/<name>.png` (8 bit, near bright,
/// 0 missing), `GT/<name>.png` (0 or 255) and lists names and kinds in `kinds.csv`, all under `dir`. Surfaces may wear
/// photographs of the album. `progress` is told now and then how many scenes are written.
///
/// # Errors
/// A folder or picture that cannot be written; the message names it.
pub fn write_layout(
    dir: &Path,
    album: &Arc<Album>,
    seed: u64,
    first: u64,
    count: usize,
    size: usize,
    progress: &dyn Fn(usize),
) -> Result<(), ExportError> {
    if !SIZES.contains(&size) {
        return Err(ExportError::Size { size });
    }
    for folder in ["RGB", "depth", "GT"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).map_err(|source| ExportError::Io { path, source })?;
    }
    let mut list = String::from("name,kind\n");
    for start in (0..count).step_by(BATCH) {
        let end = (start + BATCH).min(count);
        let lines: Result<Vec<String>, ExportError> = (start..end)
            .into_par_iter()
            .map(|number| {
                let Scene { sample, kind } = render_with_photos(album, seed, first + number as u64, size);
                write_sample(dir, &sample)?;
                Ok(format!("{},{kind}\n", sample.name))
            })
            .collect();
        list.extend(lines?);
        progress(end);
    }
    let path = dir.join("kinds.csv");
    fs::write(&path, list).map_err(|source| ExportError::Io { path, source })
}

/// The three pictures of one sample.
fn write_sample(dir: &Path, sample: &Sample) -> Result<(), DataError> {
    let place = |folder: &str, extension: &str| dir.join(folder).join(format!("{}.{extension}", sample.name));
    write_jpeg(&place("RGB", "jpg"), sample.rgb.view())?;
    write_grey(&place("depth", "png"), sample.depth.mapv(to_u8).view())?;
    write_grey(&place("GT", "png"), sample.mask.mapv(to_u8).view())
}
