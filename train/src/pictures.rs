//! The pictures of a folder.

use anyhow::{Context, Result};
use data::image_io::is_picture;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The PNG and JPEG files of a folder by stem; hidden files, other files and folders are passed over. Of two files with
/// the same stem one is taken, and both are named in `problems`.
///
/// # Errors
/// If the folder cannot be read.
pub fn pictures_by_stem(folder: &Path, problems: &mut Vec<String>) -> Result<BTreeMap<String, PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !is_picture(&path) || stem.starts_with('.') || !path.is_file() {
            continue;
        }
        if let Some(other) = found.get(&stem) {
            problems.push(format!("{stem}: both {} and {}", other.display(), path.display()));
        }
        found.insert(stem, path);
    }
    Ok(found)
}

/// One error for everything wrong, after `what`; none if nothing is.
pub fn report(what: &str, problems: &[String]) -> Result<()> {
    anyhow::ensure!(problems.is_empty(), "{what}; problems: {}\n  {}", problems.len(), problems.join("\n  "));
    Ok(())
}
