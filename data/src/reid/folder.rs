//! Re-identification sets as RGBN300 and RGBNT100 are published: three folders of pictures, in which every file holds
//! all spectra of a picture side by side.
//!
//! The folders are `rgbir/bounding_box_train`, `rgbir/query` and `rgbir/bounding_box_test` of a set; `rgbir` itself may
//! be named as the set, too. In a file every spectrum is a crop twice as wide as high: colour, near infrared, thermal
//! infrared from left to right. So the width tells how many there are.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array3, s};
use rayon::prelude::*;

use super::label::Label;
use super::{ReidSample, SPECTRA};
use crate::error::DataError;
use crate::image_io::{is_picture, read_rgb, read_size};
use crate::layout::{is_unsupported, list_folder};

/// One of the three folders of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To train on.
    Train,
    /// Pictures whose identity is looked for.
    Query,
    /// Pictures among which it is looked for.
    Gallery,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 3] = [Part::Train, Part::Query, Part::Gallery];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Part::Train => "bounding_box_train",
            Part::Query => "query",
            Part::Gallery => "bounding_box_test",
        }
    }

    /// Its folder in a set: in `dir/rgbir` if that exists, else in `dir`.
    pub fn find(self, dir: &Path) -> PathBuf {
        let inner = dir.join("rgbir");
        let root = if inner.is_dir() { inner } else { dir.to_owned() };
        root.join(self.folder())
    }
}

/// Identity and camera of a picture whose name does not tell them, in a folder opened by [`ReidFolder::open_plain`].
pub const UNKNOWN: u32 = 0;

/// A folder of pictures in several spectra, checked by name and size, the pixels still on disk.
#[derive(Clone, Debug)]
pub struct ReidFolder {
    spectra: usize,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    path: PathBuf,
    label: Option<Label>,
    /// Spectra that the file holds.
    crops: usize,
    bytes: u64,
}

impl ReidFolder {
    /// Lists one part of a set, sorted by file name, to read the first `spectra` of every picture. Reads headers only.
    ///
    /// # Errors
    /// All that is wrong at once: names without identity and camera ([`Label::of_name`]), proportions that are no row of
    /// crops, fewer spectra than are asked for, formats that are not read; or there is no such folder, or no picture.
    ///
    /// # Panics
    /// If `spectra` is zero or more than [`SPECTRA`] has.
    pub fn open(dir: &Path, part: Part, spectra: usize) -> Result<ReidFolder, DataError> {
        whole(dir, ReidFolder::open_sound(dir, part, spectra))
    }

    /// As [`ReidFolder::open`] for a folder that holds pictures itself, to search in. A picture whose name does not tell
    /// identity and camera has [`UNKNOWN`] ones.
    ///
    /// # Errors
    /// As [`ReidFolder::open`], names aside.
    ///
    /// # Panics
    /// As [`ReidFolder::open`].
    pub fn open_plain(dir: &Path, spectra: usize) -> Result<ReidFolder, DataError> {
        whole(dir, open_pictures(dir, spectra, false))
    }

    /// As [`ReidFolder::open`], for a look at a set that may have faults: the pictures that have none, maybe not one,
    /// and all that is wrong with the others.
    pub fn open_sound(dir: &Path, part: Part, spectra: usize) -> (ReidFolder, Vec<DataError>) {
        let folder = part.find(dir);
        if folder.is_dir() {
            return open_pictures(&folder, spectra, true);
        }
        let missing = DataError::NoReidFolder { dir: dir.to_owned(), folder: part.folder() };
        (ReidFolder { spectra, entries: Vec::new() }, vec![missing])
    }

    /// Number of pictures; at least one, unless [`ReidFolder::open_sound`] found none.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many spectra of a picture are read.
    pub fn spectra(&self) -> usize {
        self.spectra
    }

    /// The pictures' file stems in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The file stem of picture `index`.
    ///
    /// # Panics
    /// If `index` is not below [`ReidFolder::len`].
    pub fn name(&self, index: usize) -> &str {
        &self.entries[index].name
    }

    /// The identities of the pictures, as in their names.
    pub fn ids(&self) -> Vec<u32> {
        self.entries.iter().map(|entry| entry.id_and_cam().0).collect()
    }

    /// The cameras of the pictures, as in their names.
    pub fn cams(&self) -> Vec<u32> {
        self.entries.iter().map(|entry| entry.id_and_cam().1).collect()
    }

    /// The file of picture `index`.
    ///
    /// # Panics
    /// If `index` is not below [`ReidFolder::len`].
    pub fn file(&self, index: usize) -> &Path {
        &self.entries[index].path
    }

    /// How many spectra the file of picture `index` holds.
    pub(super) fn crops(&self, index: usize) -> usize {
        self.entries[index].crops
    }

    /// A line for every picture, its name and the bytes of its file, as [`crate::RgbdFolder::inventory`] has.
    pub fn inventory(&self) -> String {
        self.entries.iter().map(|entry| format!("{} {}\n", entry.name, entry.bytes)).collect()
    }

    /// Reads picture `index`, every spectrum at its own size, `[3, H, 2 H]`.
    ///
    /// # Errors
    /// If the file is corrupt, or since the folder was opened has got other sides.
    ///
    /// # Panics
    /// If `index` is not below [`ReidFolder::len`].
    pub fn load(&self, index: usize) -> Result<ReidSample, DataError> {
        let entry = &self.entries[index];
        let (id, cam) = entry.id_and_cam();
        let pictures = read_spectra(&entry.path, self.spectra)?;
        Ok(ReidSample { name: entry.name.clone(), id, cam, pictures })
    }
}

impl Entry {
    fn id_and_cam(&self) -> (u32, u32) {
        self.label.map_or((UNKNOWN, UNKNOWN), |Label { id, cam }| (id, cam))
    }
}

/// Reads the first `spectra` of a file, `[3, H, 2 H]` each, in [0, 1].
///
/// # Errors
/// If the file cannot be read, or its sides do not tell that many spectra.
pub fn read_spectra(path: &Path, spectra: usize) -> Result<Vec<Array3<f32>>, DataError> {
    let all = read_rgb(path)?; // [3, H, 2 H · spectra or more]
    let (_, height, width) = all.dim();
    count_crops(path, (height, width), spectra)?;
    let crop = |number: usize| s![.., .., 2 * height * number..2 * height * (number + 1)];
    Ok((0..spectra).map(|number| all.slice(crop(number)).as_standard_layout().into_owned()).collect())
}

/// How many crops, each twice as wide as high, a file of `(H, W)` holds: at least as many as are `wanted`.
fn count_crops(path: &Path, size: (usize, usize), wanted: usize) -> Result<usize, DataError> {
    let (height, width) = size;
    let path = || path.to_owned();
    match width.checked_div(2 * height).unwrap_or(0) {
        found if found == 0 || width != 2 * height * found => {
            Err(DataError::NotInCrops { path: path(), size })
        }
        found if found < wanted => Err(DataError::FewerSpectra { path: path(), size, found, wanted }),
        found => Ok(found),
    }
}

/// The folder, if nothing is wrong with it.
fn whole(dir: &Path, (folder, problems): (ReidFolder, Vec<DataError>)) -> Result<ReidFolder, DataError> {
    if problems.is_empty() { Ok(folder) } else { Err(DataError::ReidSet { dir: dir.to_owned(), problems }) }
}

/// The pictures of a folder; with `labelled`, those whose names do not tell identity and camera are faults.
fn open_pictures(folder: &Path, spectra: usize, labelled: bool) -> (ReidFolder, Vec<DataError>) {
    assert!((1..=SPECTRA.len()).contains(&spectra), "a picture has one to three spectra, not {spectra}");
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    match list_folder(folder) {
        Err(cause) => problems.push(DataError::Read { path: folder.to_owned(), cause }),
        Ok(mut files) => {
            files.retain(|path| is_picture(path) || is_unsupported(path)); // not notes, indices, thumbnails' caches
            let looks: Vec<_> = files.into_par_iter().map(|path| look(path, spectra, labelled)).collect();
            for look in looks {
                match look {
                    Ok(entry) => entries.push(entry),
                    Err(found) => problems.extend(found),
                }
            }
            if entries.is_empty() && problems.is_empty() {
                problems.push(DataError::NoPictures { path: folder.to_owned() });
            }
        }
    }
    (ReidFolder { spectra, entries }, problems)
}

/// A picture by its name and its header, or all that is wrong with them.
fn look(path: PathBuf, spectra: usize, labelled: bool) -> Result<Entry, Vec<DataError>> {
    if is_unsupported(&path) {
        return Err(vec![DataError::Unsupported { path }]);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let label = Label::of_name(&name);
    let crops = read_size(&path).and_then(|size| count_crops(&path, size, spectra));
    match (label, crops) {
        (label, Ok(crops)) if label.is_ok() || !labelled => {
            let bytes = fs::metadata(&path).map_or(0, |about| about.len());
            Ok(Entry { name, path, label: label.ok(), crops, bytes })
        }
        (label, crops) => {
            let unnamed = label.err().filter(|_| labelled);
            let unnamed = unnamed.map(|cause| DataError::NoLabel { path: path.clone(), cause });
            Err(unnamed.into_iter().chain(crops.err()).collect())
        }
    }
}

#[cfg(test)]
mod tests;
