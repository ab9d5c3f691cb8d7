//! `mutualformer score`. Here `score sod`: a folder of predictions against a folder of masks.
//!
//! Pictures are paired by file stem, whatever their formats: `preds/0001.png` answers `masks/0001.jpg`.
//! Every mask needs a prediction and every prediction a mask of its size. A prediction without a mask is
//! an error too: most likely one of the two folders is the wrong one, and a score over the overlap would
//! not be the score of the data set. All problems are reported at once, each by name.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data::image_io::{Grey, read_grey};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use crate::metrics::sod::{Curves, ImageScores, Scores, SetScores, score_image};
use crate::pictures::{pictures_by_stem, report};
use crate::plots::{Series, line_plot};

mod reid;
mod sets;
pub use reid::score_features;
pub use sets::{Report, score};

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
    report(&format!("cannot score {} against {}", pred.display(), gt.display()), &problems)?;
    let scores: Vec<ImageScores> = images.iter().map(|(_, scores)| scores.clone()).collect();
    Ok(SodReport { set: SetScores::average(&scores), images })
}

impl SodReport {
    /// The table for people: one line per measure.
    pub fn table(&self) -> String {
        let mut text = format!("{:<9}{:>10}\n", "pictures", self.set.images);
        for (key, value) in KEYS.into_iter().zip(numbers(&self.set.scores)) {
            writeln!(text, "{key:<9}{value:>10.6}").expect("writing to a string succeeds");
        }
        text
    }

    /// One CSV line per picture, every digit that the numbers have; `prefix` stands before its name.
    fn csv_lines(&self, prefix: &str) -> String {
        let line = |(name, image): &(String, ImageScores)| {
            let values = numbers(&image.scores).map(|value| value.to_string());
            format!("{},{}\n", csv_field(&format!("{prefix}{name}")), values.join(","))
        };
        self.images.iter().map(line).collect()
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

/// The usual keys of the nine numbers, in the order of tables.
const KEYS: [&str; 9] = ["S", "MAE", "adpF", "meanF", "maxF", "adpE", "meanE", "maxE", "wF"];

/// The nine numbers in the order of [`KEYS`].
fn numbers(s: &Scores) -> [f64; 9] {
    [s.structure, s.mae, s.adaptive_f, s.mean_f, s.max_f, s.adaptive_e, s.mean_e, s.max_e, s.weighted_f]
}

/// The first line of a CSV file.
fn csv_header() -> String {
    format!("name,{}\n", KEYS.join(","))
}

/// A name as a CSV field: in quotes if it holds a comma, a quote or a line break.
fn csv_field(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_string()
    }
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
