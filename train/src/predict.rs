//! Saliency maps for files and folders.

use crate::detector::Detector;
use anyhow::{Context, Result, bail, ensure};
use data::depth::to_convention;
use data::image_io::{read_grey, read_rgb, write_grey};
use data::{DepthFormat, Sample};
use indicatif::ProgressBar;
use ndarray::Array2;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::metrics::sod::quantise;

/// Predicts one picture into the file `out`, or a folder of pictures (paired with `depth` by stem) into the folder
/// `out`. Returns how many maps were written, each at its picture's own size.
pub fn predict(
    detector: &Detector,
    rgb: &Path,
    depth: &Path,
    format: DepthFormat,
    out: &Path,
) -> Result<usize> {
    if rgb.is_file() && depth.is_file() {
        let extension = out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        ensure!(extension.as_deref() == Some("png"), "--out {}: a map is a PNG, name it so", out.display());
        write(detector, &[(rgb.to_owned(), depth.to_owned(), out.to_owned())], format)?;
        return Ok(1);
    }
    ensure!(
        rgb.is_dir() && depth.is_dir(),
        "--rgb {} and --depth {} must be two files or two folders that exist",
        rgb.display(),
        depth.display()
    );
    let (pictures, mut depths) = (by_stem(rgb)?, by_stem(depth)?);
    let missing: Vec<&str> =
        pictures.keys().filter(|stem| !depths.contains_key(*stem)).map(String::as_str).collect();
    if !missing.is_empty() {
        bail!("{} pictures have no depth in {}: {}", missing.len(), depth.display(), missing.join(", "));
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let jobs: Vec<(PathBuf, PathBuf, PathBuf)> = pictures
        .into_iter()
        .map(|(stem, picture)| {
            let depth = depths.remove(&stem).expect("missing ones were reported");
            (picture, depth, out.join(format!("{stem}.png")))
        })
        .collect();
    ensure!(!jobs.is_empty(), "{} holds no picture", rgb.display());
    write(detector, &jobs, format)?;
    Ok(jobs.len())
}

/// Predicts and writes one picture after the other, so that memory does not grow with their number.
fn write(detector: &Detector, jobs: &[(PathBuf, PathBuf, PathBuf)], format: DepthFormat) -> Result<()> {
    let bar = ProgressBar::new(jobs.len() as u64);
    for (rgb, depth, out) in jobs {
        let sample = read(rgb, depth, format)?;
        let maps = detector.predict(std::slice::from_ref(&sample))?;
        write_grey(out, maps[0].mapv(quantise).view())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A picture and its depth; the truth is unknown and left empty.
fn read(rgb: &Path, depth: &Path, format: DepthFormat) -> Result<Sample> {
    let name = rgb.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let rgb_values = read_rgb(rgb)?;
    let depth_values = to_convention(&read_grey(depth)?, format);
    let (_, height, width) = rgb_values.dim();
    ensure!(
        depth_values.dim() == (height, width),
        "{} has {height} x {width} pixels, {} has {} x {}; they must show the same view",
        rgb.display(),
        depth.display(),
        depth_values.nrows(),
        depth_values.ncols()
    );
    Ok(Sample { name, rgb: rgb_values, depth: depth_values, mask: Array2::zeros((height, width)) })
}

/// PNG and JPEG files of a folder by their stem.
fn by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if ["png", "jpg", "jpeg"].contains(&extension.as_str()) {
            let stem =
                path.file_stem().expect("a file with an extension has a stem").to_string_lossy().into_owned();
            if let Some(other) = found.insert(stem, path.clone()) {
                bail!("{} and {} have the same stem", other.display(), path.display());
            }
        }
    }
    Ok(found)
}
