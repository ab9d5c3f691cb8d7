//! `mutualformer score sod`: a folder of predictions against a folder of masks.
//!
//! Pictures are paired by file stem, whatever their formats: `preds/0001.png` answers `masks/0001.jpg`.
//! Every mask needs a prediction and every prediction a mask of its size. A prediction without a mask is
//! an error too: most likely one of the two folders is the wrong one, and a score over the overlap would
//! not be the score of the data set. All problems are reported at once, each by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data::image_io::{Grey, read_grey};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use crate::metrics::sod::{Curves, ImageScores, Scores, SetScores, score_image};
use crate::plots::{Series, line_plot};

/// The scores of a folder of predictions. Serialises to one JSON object: `images` and the nine numbers.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct SodReport {
    /// The whole set.
    pub set: SetScores,
    /// Every picture by its stem, sorted.
    #[serde(skip)]
    pub images: Vec<(String, ImageScores)>,
}

/// Scores every mask in the folder `gt` against the prediction of the same stem in the folder `pred`.
///
/// # Errors
/// One error that names everything wrong: missing predictions, predictions without a mask, stems that occur
/// twice, sizes that differ, files that cannot be read.
pub fn score_folders(pred: &Path, gt: &Path) -> Result<SodReport> {
    let mut problems = Vec::new();
    let predictions = pictures_by_stem(pred, &mut problems)?;
    let masks = pictures_by_stem(gt, &mut problems)?;
    if masks.is_empty() {
        bail!("no PNG or JPG masks in {}", gt.display());
    }
    for (stem, mask) in &masks {
        if !predictions.contains_key(stem) {
            problems.push(format!("{stem}: no prediction for {}", mask.display()));
        }
    }
    for (stem, prediction) in &predictions {
        if !masks.contains_key(stem) {
            problems.push(format!("{stem}: no mask for {}", prediction.display()));
        }
    }

    let pairs: Vec<(&String, &PathBuf, &PathBuf)> = masks
        .iter()
        .filter_map(|(stem, mask)| predictions.get(stem).map(|prediction| (stem, prediction, mask)))
        .collect();
    // Collected in order: the averages are the same for any number of threads.
    let scored: Vec<Result<ImageScores>> =
        pairs.par_iter().map(|(_, prediction, mask)| score_files(prediction, mask)).collect();
    let mut images = Vec::with_capacity(pairs.len());
    for ((stem, ..), scores) in pairs.into_iter().zip(scored) {
        match scores {
            Ok(scores) => images.push((stem.clone(), scores)),
            Err(error) => problems.push(format!("{stem}: {error:#}")),
        }
    }
    if !problems.is_empty() {
        bail!(
            "cannot score {} against {}; problems: {}\n  {}",
            pred.display(),
            gt.display(),
            problems.len(),
            problems.join("\n  ")
        );
    }
    let scores: Vec<ImageScores> = images.iter().map(|(_, scores)| scores.clone()).collect();
    Ok(SodReport { set: SetScores::average(&scores), images })
}

impl SodReport {
    /// The table for people: one line per measure.
    pub fn table(&self) -> String {
        let mut text = format!("{:<9}{:>10}\n", "pictures", self.set.images);
        for (key, value) in numbers(&self.set.scores) {
            writeln!(text, "{key:<9}{value:>10.6}").expect("writing to a string succeeds");
        }
        text
    }

    /// One line per picture, every digit that the numbers have.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let keys = numbers(&self.set.scores).map(|(key, _)| key);
        let mut text = format!("name,{}\n", keys.join(","));
        for (name, image) in &self.images {
            let values = numbers(&image.scores).map(|(_, value)| value.to_string());
            writeln!(text, "{},{}", csv_field(name), values.join(",")).expect("writing to a string succeeds");
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Draws the set's curves into a folder: `pr.svg`, and `f.svg` and `e.svg` over the threshold.
    ///
    /// # Errors
    /// If the folder or a file in it cannot be written.
    pub fn write_curves(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let Curves { precision, recall, f, e } = &self.set.curves;
        let thresholds: Vec<f64> = (0..f.len()).map(|t| t as f64).collect();
        let plot = |file: &str, title: &str, x_label: &str, x: &[f64], y_label: &str, y: &[f64]| {
            let points = x.iter().copied().zip(y.iter().copied()).collect();
            line_plot(&folder.join(file), title, x_label, y_label, &[Series::new(y_label, points)])
        };
        plot("pr.svg", "Precision over recall", "recall", recall, "precision", precision)?;
        plot("f.svg", "F-measure over the threshold", "threshold", &thresholds, "F", f)?;
        plot("e.svg", "E-measure over the threshold", "threshold", &thresholds, "E", e)
    }
}

/// The nine numbers with their usual keys, in the order of tables.
fn numbers(s: &Scores) -> [(&'static str, f64); 9] {
    [
        ("S", s.structure),
        ("MAE", s.mae),
        ("adpF", s.adaptive_f),
        ("meanF", s.mean_f),
        ("maxF", s.max_f),
        ("adpE", s.adaptive_e),
        ("meanE", s.mean_e),
        ("maxE", s.max_e),
        ("wF", s.weighted_f),
    ]
}

/// A name as a CSV field: in quotes if it holds a comma, a quote or a line break.
fn csv_field(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_string()
    }
}

/// The PNG and JPG files of a folder by stem; hidden files, other files and folders are passed over.
fn pictures_by_stem(folder: &Path, problems: &mut Vec<String>) -> Result<BTreeMap<String, PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, extension) = (name(path.file_stem()), name(path.extension()).to_lowercase());
        let is_picture = ["png", "jpg", "jpeg"].contains(&extension.as_str());
        if !is_picture || stem.starts_with('.') || !path.is_file() {
            continue;
        }
        if let Some(other) = found.get(&stem) {
            problems.push(format!("{stem}: both {} and {}", other.display(), path.display()));
        }
        found.insert(stem, path);
    }
    Ok(found)
}

fn score_files(prediction: &Path, mask: &Path) -> Result<ImageScores> {
    let (p, m) = (read_bytes(prediction)?, read_bytes(mask)?);
    let (height, width) = m.dim();
    if p.dim() != m.dim() {
        bail!(
            "the prediction is {} x {}, the mask {width} x {height} (width x height); predict at the mask's size",
            p.ncols(),
            p.nrows(),
        );
    }
    let bytes = |picture: &Array2<u8>| picture.iter().copied().collect::<Vec<u8>>();
    Ok(score_image(&bytes(&p), &bytes(&m), height, width))
}

/// A picture as PIL's grey in 8 bits, `[H, W]`; of 16 bits the upper 8 count.
fn read_bytes(path: &Path) -> Result<Array2<u8>> {
    let Grey { values, full_scale } = read_grey(path)?;
    let step = if full_scale > 255.0 { 256.0 } else { 1.0 };
    Ok(values.mapv(|v| (v / step) as u8))
}
