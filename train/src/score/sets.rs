//! Scoring one folder of predictions, or a folder of such folders: one for every data set.

use super::{SodReport, csv_header, score_folders};
use crate::pictures::pictures_by_stem;
use crate::sets_table::sets_table;
use anyhow::{Context, Result, bail, ensure};
use data::layout::{Part, find_sets, part_folder, set_name};
use serde::{Serialize, Serializer};
use std::fs;
use std::path::{Path, PathBuf};

/// What was scored. Serialises to the object of [`SodReport`], or to one with such an object for every set.
pub enum Report {
    /// A folder of predictions.
    Folder(Box<SodReport>),
    /// Several data sets by name, sorted.
    Sets(Vec<(String, SodReport)>),
}

/// Scores the predictions in `pred` against the masks in `gt`. If `pred` holds no pictures but folders of pictures,
/// each is scored as a data set, against the folder of the same name in `gt`. Masks may lie in the folder itself or
/// where one of the public layouts keeps them.
///
/// # Errors
/// One error that names everything wrong, see [`score_folders`]; sets without truth among it.
pub fn score(pred: &Path, gt: &Path) -> Result<Report> {
    let folders = prediction_sets(pred)?;
    if folders.is_empty() {
        let report = score_folders(pred, &mask_folder(gt)?)?;
        return Ok(Report::Folder(Box::new(report)));
    }
    let (mut sets, mut problems) = (Vec::new(), Vec::new());
    for (name, folder) in folders {
        match truth_of(&name, gt).and_then(|masks| score_folders(&folder, &masks)) {
            Ok(report) => sets.push((name, report)),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let scored = |name: &String| sets.iter().any(|(other, _)| other == name);
    for set in find_sets(gt, &[Part::Mask]).unwrap_or_default().iter().filter(|set| !scored(&set.name)) {
        eprintln!("not in the table: {} has masks, but there are no predictions for it", set.name);
    }
    Ok(Report::Sets(sets))
}

/// The folders of pictures in `pred` by name, sorted; none if it holds pictures itself.
fn prediction_sets(pred: &Path) -> Result<Vec<(String, PathBuf)>> {
    if holds_pictures(pred)? {
        return Ok(Vec::new());
    }
    let mut sets = Vec::new();
    for entry in fs::read_dir(pred).with_context(|| format!("cannot read the folder {}", pred.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() && holds_pictures(&entry.path())? {
            sets.push((name, entry.path()));
        }
    }
    sets.sort();
    Ok(sets)
}

fn holds_pictures(folder: &Path) -> Result<bool> {
    Ok(!pictures_by_stem(folder, &mut Vec::new())?.is_empty())
}

/// Where the masks of the set `name` lie: in a folder of this name in `gt`, or in `gt` if that is the set itself.
fn truth_of(name: &str, gt: &Path) -> Result<PathBuf> {
    let folder = gt.join(name);
    if folder.is_dir() {
        mask_folder(&folder)
    } else if set_name(gt) == name {
        mask_folder(gt)
    } else {
        bail!("{name}: no folder of this name in {}", gt.display())
    }
}

/// The truth folder of a public layout, otherwise the folder itself if it holds pictures.
fn mask_folder(dir: &Path) -> Result<PathBuf> {
    match part_folder(dir, Part::Mask) {
        Err(_) if holds_pictures(dir)? => Ok(dir.to_owned()),
        found => Ok(found?),
    }
}

impl Report {
    /// For people: the nine measures of a folder, or the table of papers with a row for every set.
    pub fn table(&self) -> String {
        match self {
            Report::Folder(report) => report.table(),
            Report::Sets(sets) => {
                sets_table(sets.iter().map(|(name, set)| (name.as_str(), (&set.set).into())))
            }
        }
    }

    /// One line per picture, every digit that the numbers have; pictures of sets are called `SET/STEM`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let text: String = match self {
            Report::Folder(report) => report.csv_lines(""),
            Report::Sets(sets) => sets.iter().map(|(name, set)| set.csv_lines(&format!("{name}/"))).collect(),
        };
        fs::write(path, csv_header() + &text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Draws `pr.svg`, `f.svg` and `e.svg` into a folder, or for sets into a folder of each set's name in it.
    ///
    /// # Errors
    /// If a folder or a file in it cannot be written.
    pub fn write_curves(&self, folder: &Path) -> Result<()> {
        match self {
            Report::Folder(report) => report.write_curves(folder),
            Report::Sets(sets) => {
                sets.iter().try_for_each(|(name, set)| set.write_curves(&folder.join(name)))
            }
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Report::Folder(report) => report.serialize(serializer),
            Report::Sets(sets) => serializer.collect_map(sets.iter().map(|(name, set)| (name, set))),
        }
    }
}
