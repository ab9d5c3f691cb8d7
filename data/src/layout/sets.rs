//! Several data sets side by side, as published collections have them: `ROOT/NJU2K/…`, `ROOT/LFSD/…`.

use std::path::{Path, PathBuf};

use super::{LayoutError, Part, Problem, file_name, find_folders, list};

/// A data set's folder and the name under which it stands in tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFolder {
    /// The last part of the path that says something: `NJU2K` of `data/NJU2K/test`.
    pub name: String,
    /// What [`part_folder`] and [`super::RgbdFolder::open`] take.
    pub dir: PathBuf,
}

/// The data sets in `root`, sorted by name: `root` itself if it has a folder for each of `parts`, otherwise its
/// subfolders that have. Of a set with two halves the test half is meant.
///
/// # Errors
/// If a folder cannot be listed, or there is no set: then the error is that of `root` taken as one.
pub fn find_sets(root: &Path, parts: &[Part]) -> Result<Vec<SetFolder>, LayoutError> {
    let mut problems = Vec::new();
    if let Some(dir) = test_half(root, parts, &mut problems) {
        return Ok(vec![SetFolder { name: set_name(root), dir }]);
    }
    let subfolders = list(root, &mut Vec::new()).unwrap_or_default().into_iter().filter(|path| path.is_dir());
    let sets: Vec<SetFolder> = subfolders
        .filter_map(|folder| {
            let dir = test_half(&folder, parts, &mut Vec::new())?;
            Some(SetFolder { name: file_name(&folder), dir })
        })
        .collect();
    if sets.is_empty() {
        return Err(LayoutError { dir: root.to_owned(), problems });
    }
    Ok(sets)
}

/// The folder in which the data set `dir` (or its half, `DIR/test`) keeps one part; of two halves the test half is meant.
///
/// # Errors
/// If there is none, or more than one.
pub fn part_folder(dir: &Path, part: Part) -> Result<PathBuf, LayoutError> {
    let mut problems = Vec::new();
    let folders =
        test_half(dir, &[part], &mut problems).and_then(|dir| find_folders(&dir, &[part], &mut Vec::new()));
    let folder = folders.unwrap_or_default().into_iter().next().map(|(_, folder)| folder);
    folder.ok_or_else(|| LayoutError { dir: dir.to_owned(), problems })
}

/// The name of the data set in a folder: the last component that is not merely `train`, `test` or `val`.
pub fn set_name(dir: &Path) -> String {
    // `..` gets its name from the disk; a half need not exist there as a folder.
    let full = dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_owned());
    let says_nothing =
        |name: &String| ["", "train", "test", "val", "validation"].contains(&name.to_lowercase().as_str());
    let name = full.ancestors().map(file_name).find(|name| !says_nothing(name));
    name.unwrap_or_else(|| dir.display().to_string())
}

/// `dir`, or `dir/test` if only that holds all parts.
fn test_half(dir: &Path, parts: &[Part], problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let half = dir.join("test");
    let holds = |dir: &Path, problems: &mut Vec<Problem>| find_folders(dir, parts, problems).is_some();
    if holds(dir, problems) {
        return Some(dir.to_owned());
    }
    holds(&half, &mut Vec::new()).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const SEEN: [Part; 2] = [Part::Rgb, Part::Depth];

    /// Empty folders under a root.
    fn tree(folders: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        root
    }

    fn found(root: &TempDir, parts: &[Part]) -> Vec<(String, String)> {
        let relative = |dir: &Path| dir.strip_prefix(root.path()).unwrap().display().to_string();
        let sets = find_sets(root.path(), parts).unwrap();
        sets.iter().map(|set| (set.name.clone(), relative(&set.dir))).collect()
    }

    #[test]
    fn every_public_layout_in_a_collection_is_a_set() {
        let root = tree(&[
            "SIP/RGB",
            "SIP/depth",
            "SIP/GT",
            "NJU2K/test/images",
            "NJU2K/test/depths",
            "NJU2K/train/images",
            "NJU2K/train/depths",
            "LFSD/test_images",
            "LFSD/test_depth",
            "LFSD/test_masks",
            "LFSD/train_images",
            "LFSD/train_depth",
            "papers",
            ".cache/RGB",
            ".cache/depth",
            "maps/GT",
        ]);
        let pair = |name: &str, dir: &str| (name.to_owned(), dir.to_owned());
        let expected = [pair("LFSD", "LFSD/test"), pair("NJU2K", "NJU2K/test"), pair("SIP", "SIP")];
        assert_eq!(found(&root, &SEEN), expected);
        let expected = [pair("LFSD", "LFSD"), pair("SIP", "SIP"), pair("maps", "maps")];
        assert_eq!(found(&root, &[Part::Mask]), expected);
        let depth = part_folder(&root.path().join("LFSD/test"), Part::Depth).unwrap();
        assert_eq!(depth.file_name().unwrap(), "test_depth");
    }

    #[test]
    fn a_set_is_a_collection_of_one() {
        let root = tree(&["DUT-RGBD/test/RGB", "DUT-RGBD/test/Depth"]);
        for dir in ["DUT-RGBD", "DUT-RGBD/test"] {
            let sets = find_sets(&root.path().join(dir), &SEEN).unwrap();
            assert_eq!(sets.len(), 1);
            assert_eq!(
                sets[0],
                SetFolder { name: "DUT-RGBD".to_owned(), dir: root.path().join("DUT-RGBD/test") }
            );
        }
    }

    #[test]
    fn names_are_the_last_words_that_say_something() {
        for (dir, name) in
            [("a/NJU2K", "NJU2K"), ("a/NJU2K/test", "NJU2K"), ("SIP/Test/", "SIP"), ("b/x.y", "x.y")]
        {
            assert_eq!(set_name(Path::new(dir)), name);
        }
        // The tests of a crate run in its folder.
        for here in [".", "src/..", "test", "val/test"] {
            assert_eq!(set_name(Path::new(here)), "data", "{here}");
        }
    }

    #[test]
    fn no_set_is_an_error_that_says_what_was_looked_for() {
        let root = tree(&["a/b"]);
        let error = find_sets(root.path(), &SEEN).unwrap_err().to_string();
        assert!(error.contains("no colour folder") && error.contains("no depth folder"), "{error}");
        let error = find_sets(&root.path().join("absent"), &SEEN).unwrap_err().to_string();
        assert!(error.contains("cannot list") && error.contains("absent"), "{error}");
        let error = part_folder(&root.path().join("a"), Part::Mask).unwrap_err().to_string();
        assert!(error.contains("no truth folder"), "{error}");
    }
}
