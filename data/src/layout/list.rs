//! A list file: which samples of a folder belong to a split.
//!
//! One sample a line, by its file stem; a picture's extension may follow. Blank lines and what stands behind a `#` at
//! the start of a line are passed over. A folder before the stem (`NJU2K/000001`) restricts the line to data sets whose
//! path ends in that folder, so that one file can describe a split over several sets; separators are `/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Problem;
use crate::image_io::is_picture;

/// The stems that the list `file` names for the data set `dir`, in its order, each with its line (from 1).
pub(super) fn read(file: &Path, dir: &Path, problems: &mut Vec<Problem>) -> Vec<(String, usize)> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) => {
            problems.push(Problem::UnreadableList { path: file.to_owned(), cause });
            return Vec::new();
        }
    };
    let mut listed = Vec::new();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for (line, entry) in text.lines().enumerate().map(|(i, entry)| (i + 1, entry.trim())) {
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let (folder, name) = entry.rsplit_once('/').unwrap_or(("", entry));
        if !dir.ends_with(folder) {
            continue; // a sample of another set
        }
        let stem = without_extension(name).to_owned();
        match lines.insert(stem.clone(), line) {
            None => listed.push((stem, line)),
            Some(first) => {
                problems.push(Problem::ListedTwice { list: file.to_owned(), name: stem, first, second: line })
            }
        }
    }
    if listed.is_empty() {
        problems.push(Problem::NothingListed { list: file.to_owned() });
    }
    listed
}

/// A stem may hold dots itself, so only what names a picture's format is taken off.
fn without_extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if is_picture(Path::new(name)) => stem,
        _ => name,
    }
}
