//! Writes scenes to disk in the folder layout of public RGB-D data sets.

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageError, Luma, Rgb, RgbImage};
use ndarray::Array2;
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Album, SIZES, Scene, render_with_photos};
use crate::Sample;

/// JPEG quality of the colour pictures: artefacts stay below the camera's noise.
const QUALITY: u8 = 92;
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
    #[error("cannot write the picture {path}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        source: ImageError,
    },
}

/// Writes scenes `first .. first + count` of a series as `RGB/<name>.jpg`, `depth/<name>.png` (8 bit, near bright,
/// 0 missing), `GT/<name>.png` (0 or 255) and lists names and kinds in `kinds.csv`, all under `dir`. Surfaces may wear
/// photographs of the album. `progress` is told now and then how many scenes are written.
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
fn write_sample(dir: &Path, sample: &Sample) -> Result<(), ExportError> {
    let name = &sample.name;
    let path = dir.join("RGB").join(format!("{name}.jpg"));
    let file = File::create(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
    rgb_image(sample)
        .write_with_encoder(JpegEncoder::new_with_quality(BufWriter::new(file), QUALITY))
        .map_err(|source| ExportError::Picture { path, source })?;
    for (folder, values) in [("depth", &sample.depth), ("GT", &sample.mask)] {
        let path = dir.join(folder).join(format!("{name}.png"));
        grey_image(values).save(&path).map_err(|source| ExportError::Picture { path, source })?;
    }
    Ok(())
}

/// `[3, H, W]` in [0, 1] to 8-bit pixels.
fn rgb_image(sample: &Sample) -> RgbImage {
    let (_, height, width) = sample.rgb.dim();
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb([0, 1, 2].map(|channel| eight_bit(sample.rgb[[channel, y as usize, x as usize]])))
    })
}

/// `[H, W]` in [0, 1] to 8-bit pixels.
fn grey_image(values: &Array2<f32>) -> GrayImage {
    let (height, width) = values.dim();
    GrayImage::from_fn(width as u32, height as u32, |x, y| {
        Luma([eight_bit(values[[y as usize, x as usize]])])
    })
}

fn eight_bit(value: f32) -> u8 {
    (value * 255.0).round() as u8
}
