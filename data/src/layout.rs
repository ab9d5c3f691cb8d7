//! RGB-D data sets as they are published: three folders of pictures, paired by file stem.
//!
//! Folder names, in any case, may be
//!
//! | colour                   | depth      | truth         |
//! |--------------------------|------------|---------------|
//! | `RGB`, `Image`, `Images` | `Depth(s)` | `GT`, `Mask(s)` |
//!
//! or those with `train_` or `test_` before them. A data set with both halves in one folder is opened by half:
//! `DIR/test` stands for `DIR/test_images`, `DIR/test_depth` and `DIR/test_masks`. A list file ([`list`]) takes some
//! samples of a set and leaves the rest.
//!
//! Depth and truth may have another resolution than the colour picture, as sensors have; the view must be the same.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::depth::{DepthFormat, to_convention};
use crate::error::DataError;
use crate::image_io::{is_picture, read_grey, read_mask, read_rgb, read_size};
use crate::sample::Sample;
use crate::transform::{depth_at, mask_at, same_view};
use ndarray::Array2;

pub mod list;
mod problem;
mod sets;
pub use problem::{LayoutError, Problem};
pub use sets::{SetFolder, find_sets, part_folder, set_name};

/// One of the three pictures of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Colour.
    Rgb,
    /// Depth.
    Depth,
    /// Truth.
    Mask,
}

impl Part {
    const ALL: [Part; 3] = [Part::Rgb, Part::Depth, Part::Mask];

    /// The names, in lower case, under which data sets keep this part.
    fn folder_names(self) -> &'static [&'static str] {
        match self {
            Part::Rgb => &["rgb", "image", "images"],
            Part::Depth => &["depth", "depths"],
            Part::Mask => &["gt", "mask", "masks"],
        }
    }

    /// The part that a folder of this name holds; `half` is `train` or `test` if only that half is wanted.
    fn of_folder(name: &str, half: Option<&str>) -> Option<Part> {
        let name = name.to_lowercase();
        let bare = match half {
            Some(half) => name.strip_prefix(half)?.strip_prefix('_')?,
            None => name.strip_prefix("train_").or(name.strip_prefix("test_")).unwrap_or(&name),
        };
        Part::ALL.into_iter().find(|part| part.folder_names().contains(&bare))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Part::Rgb => "colour",
            Part::Depth => "depth",
            Part::Mask => "truth",
        })
    }
}

/// A data set in one of the public layouts, paired and checked, its pixels still on disk.
#[derive(Clone, Debug)]
pub struct RgbdFolder {
    format: DepthFormat,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    rgb: PathBuf,
    depth: PathBuf,
    mask: Option<PathBuf>,
    /// Bytes of all its files.
    bytes: u64,
}

impl RgbdFolder {
    /// Pairs colour, depth and truth by stem, sorted by name, and checks that they can show the same view. Reads
    /// headers only. With a `list` file, only the samples it names are looked at, in its order ([`list`]).
    ///
    /// # Errors
    /// All missing partners, doubled stems, odd sizes, unreadable headers and faults of the list at once.
    pub fn open(dir: &Path, format: DepthFormat, list: Option<&Path>) -> Result<RgbdFolder, LayoutError> {
        whole(dir, open_parts(dir, format, &Part::ALL, list))
    }

    /// As [`RgbdFolder::open`], for pictures to predict on: the truth is not looked for, and masks load as zeros.
    ///
    /// # Errors
    /// As [`RgbdFolder::open`].
    pub fn open_unlabelled(dir: &Path, format: DepthFormat) -> Result<RgbdFolder, LayoutError> {
        whole(dir, open_parts(dir, format, &[Part::Rgb, Part::Depth], None))
    }

    /// As [`RgbdFolder::open`], for a look at a data set that may have faults: the samples that have none, maybe not
    /// one, and all that is wrong with the others.
    pub fn open_sound(dir: &Path, format: DepthFormat, list: Option<&Path>) -> (RgbdFolder, Vec<Problem>) {
        open_parts(dir, format, &Part::ALL, list)
    }

    /// Number of samples; at least one, unless [`RgbdFolder::open_sound`] found none.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The samples' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// A line for every sample, its name and the bytes of its files: it changes with the data set, unless a picture is
    /// replaced by another of as many bytes.
    pub fn inventory(&self) -> String {
        self.entries.iter().map(|entry| format!("{} {}\n", entry.name, entry.bytes)).collect()
    }

    /// (H, W) of the depth file of sample `index`.
    pub(crate) fn depth_size(&self, index: usize) -> Result<(usize, usize), DataError> {
        read_size(&self.entries[index].depth)
    }

    /// The mask file of sample `index`, where masks were looked for.
    pub(crate) fn mask_file(&self, index: usize) -> Option<&Path> {
        self.entries[index].mask.as_deref()
    }

    /// Reads sample `index` at the size of its colour picture, depth in the convention of [`crate::depth`].
    ///
    /// # Errors
    /// If a file is corrupt, or since the data set was opened its sides have got another ratio.
    ///
    /// # Panics
    /// If `index` is not below [`RgbdFolder::len`].
    pub fn load(&self, index: usize) -> Result<Sample, DataError> {
        let sample = self.load_to_score(index)?;
        let mask = mask_at(&sample.name, sample.mask, sample.depth.dim())?;
        Ok(Sample { mask, ..sample })
    }

    /// As [`RgbdFolder::load`], the mask at its own size, at which it is to be compared with a prediction.
    ///
    /// # Errors
    /// As [`RgbdFolder::load`].
    ///
    /// # Panics
    /// As [`RgbdFolder::load`].
    pub fn load_to_score(&self, index: usize) -> Result<Sample, DataError> {
        let Entry { name, rgb, depth, mask, .. } = &self.entries[index];
        let rgb = read_rgb(rgb)?;
        let (_, height, width) = rgb.dim();
        let depth = depth_at(name, to_convention(&read_grey(depth)?, self.format), (height, width))?;
        let mask = mask.as_deref().map_or_else(|| Ok(Array2::zeros((height, width))), read_mask)?;
        same_view(name, "mask", (height, width), mask.dim())?;
        Ok(Sample { name: name.clone(), rgb, depth, mask })
    }
}

/// The data set, if nothing is wrong with it.
fn whole(dir: &Path, (set, problems): (RgbdFolder, Vec<Problem>)) -> Result<RgbdFolder, LayoutError> {
    if problems.is_empty() { Ok(set) } else { Err(LayoutError { dir: dir.to_owned(), problems }) }
}

fn open_parts(
    dir: &Path,
    format: DepthFormat,
    parts: &[Part],
    list: Option<&Path>,
) -> (RgbdFolder, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    if let Some(folders) = find_folders(dir, parts, &mut problems) {
        let groups = group_by_stem(&folders, &mut problems);
        let groups = match list {
            None => groups.into_iter().collect(),
            Some(list) => select(groups, list, dir, &mut problems),
        };
        for (name, files) in groups {
            entries.extend(pair(name, files, parts, &mut problems));
        }
        if entries.is_empty() && problems.is_empty() {
            problems.push(Problem::Empty);
        }
    }
    (RgbdFolder { format, entries }, problems)
}

/// The groups that the list names, in its order.
fn select(
    mut groups: BTreeMap<String, Files>,
    list: &Path,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Files)> {
    let mut selected = Vec::new();
    for (name, line) in list::read(list, dir, problems) {
        match groups.remove(&name) {
            Some(files) => selected.push((name, files)),
            None => problems.push(Problem::OnlyListed { name, list: list.to_owned(), line }),
        }
    }
    selected
}

/// The folder of each part, or `None` if one is missing or ambiguous.
fn find_folders(dir: &Path, parts: &[Part], problems: &mut Vec<Problem>) -> Option<Vec<(Part, PathBuf)>> {
    let (dir, half) = split_half(dir);
    let subfolders: Vec<PathBuf> = list(&dir, problems)?.into_iter().filter(|path| path.is_dir()).collect();
    let mut folders = Vec::new();
    for &part in parts {
        let holds_part = |path: &&PathBuf| Part::of_folder(&file_name(path), half.as_deref()) == Some(part);
        let mut candidates = subfolders.iter().filter(holds_part).cloned();
        match (candidates.next(), candidates.next()) {
            (None, _) => problems.push(Problem::NoFolder { part }),
            (Some(only), None) => folders.push((part, only)),
            (Some(first), Some(second)) => problems.push(Problem::TwoFolders { part, first, second }),
        }
    }
    (folders.len() == parts.len()).then_some(folders)
}

/// Whether `dir` is a folder, or one half of a folder by its name (`DIR/train`, `DIR/test`).
pub fn is_folder(dir: &Path) -> bool {
    split_half(dir).0.is_dir()
}

/// `DIR/test`, where there is no such folder, stands for the `test_*` folders of `DIR`.
fn split_half(dir: &Path) -> (PathBuf, Option<String>) {
    let name = dir.file_name().map(|name| name.to_string_lossy().to_lowercase());
    match (name, dir.parent()) {
        (Some(half), Some(parent)) if !dir.is_dir() && (half == "train" || half == "test") => {
            // The parent of a bare `test` is the empty path, which names no folder: hence the dot.
            (Path::new(".").join(parent), Some(half))
        }
        _ => (dir.to_owned(), None),
    }
}

/// The files of one stem, by part.
type Files = [Vec<PathBuf>; Part::ALL.len()];

/// Every picture of every folder under its stem, sorted.
fn group_by_stem(folders: &[(Part, PathBuf)], problems: &mut Vec<Problem>) -> BTreeMap<String, Files> {
    let mut groups: BTreeMap<String, Files> = BTreeMap::new();
    for (part, folder) in folders {
        for path in list(folder, problems).unwrap_or_default() {
            // Not notes, indices, thumbnails' caches.
            if is_picture(&path) || is_unsupported(&path) {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                groups.entry(stem).or_default()[*part as usize].push(path);
            }
        }
    }
    groups
}

/// Whether a file is called a picture in a format that is not read.
pub(crate) fn is_unsupported(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["bmp", "tif", "tiff", "gif", "webp"].contains(&extension.as_str())
}

/// One sample, if each part has exactly one file and all show one view by their sizes.
fn pair(name: String, files: Files, parts: &[Part], problems: &mut Vec<Problem>) -> Option<Entry> {
    let known = problems.len();
    let unsupported = files.iter().flatten().filter(|path| is_unsupported(path)).cloned();
    problems.extend(unsupported.map(|path| Problem::Unsupported { path }));
    if problems.len() > known {
        return None;
    }
    for &part in parts {
        match files[part as usize].as_slice() {
            [] => problems.push(Problem::Missing { name: name.clone(), part }),
            [_] => {}
            [first, second, ..] => {
                let (first, second) = (first.clone(), second.clone());
                problems.push(Problem::Duplicate { name: name.clone(), first, second });
            }
        }
    }
    let [rgb, depth, mask] = files.map(|files| files.into_iter().next());
    let mut first_size = None;
    let mut bytes = 0;
    for (part, path) in [("rgb", &rgb), ("depth", &depth), ("mask", &mask)] {
        let Some(path) = path else { continue };
        let agrees =
            read_size(path).and_then(|size| same_view(&name, part, *first_size.get_or_insert(size), size));
        problems.extend(agrees.err().map(Problem::Picture));
        bytes += fs::metadata(path).map_or(0, |about| about.len());
    }
    if problems.len() > known {
        return None;
    }
    Some(Entry { name, rgb: rgb?, depth: depth?, mask, bytes })
}

/// As [`list_folder`], its failure being a problem among others.
fn list(folder: &Path, problems: &mut Vec<Problem>) -> Option<Vec<PathBuf>> {
    let unlistable = |cause| problems.push(Problem::Unlistable { path: folder.to_owned(), cause });
    list_folder(folder).map_err(unlistable).ok()
}

/// The sorted contents of a folder, hidden files left out (macOS writes a `._a.png` beside every `a.png`).
pub(crate) fn list_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| !file_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
