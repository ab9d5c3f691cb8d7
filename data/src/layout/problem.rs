//! What can be wrong with a data set, told all at once.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Part;
use crate::error::{DataError, Listed};

/// One thing wrong with a data set.
#[derive(Debug, Error)]
pub enum Problem {
    /// A folder cannot be listed.
    #[error("cannot list {path}: {cause}")]
    Unlistable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No folder has one of the names of this part.
    #[error("no {part} folder: looked for {}, in any case", .part.folder_names().join(", "))]
    NoFolder {
        /// The part without a folder.
        part: Part,
    },
    /// Several folders have names of the same part.
    #[error(
        "{first} and {second} could both hold the {part} pictures (with train_ and test_ folders, name DIR/train or DIR/test)"
    )]
    TwoFolders {
        /// The part they could hold.
        part: Part,
        /// The one folder.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Nothing to load.
    #[error("there are no PNG or JPEG pictures in its folders")]
    Empty,
    /// A picture in a format that is not read.
    #[error("{path} is neither PNG nor JPEG: convert it")]
    Unsupported {
        /// The picture.
        path: PathBuf,
    },
    /// A stem that one of the folders lacks.
    #[error("{name}: no {part} picture")]
    Missing {
        /// The stem.
        name: String,
        /// The part it lacks.
        part: Part,
    },
    /// Two files of the same stem in one folder.
    #[error("{name}: {first} and {second} have the same stem")]
    Duplicate {
        /// The stem.
        name: String,
        /// The one file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The list file cannot be read.
    #[error("cannot read the list {path}: {cause}")]
    UnreadableList {
        /// The list file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A list without a line for this data set.
    #[error(
        "the list {list} names none of its samples (one stem a line, or FOLDER/stem where the path ends in FOLDER)"
    )]
    NothingListed {
        /// The list file.
        list: PathBuf,
    },
    /// A stem that the list names and no folder has.
    #[error("{name}: named in line {line} of {list}, but there is no such picture")]
    OnlyListed {
        /// The stem.
        name: String,
        /// The list file.
        list: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A stem that the list names twice.
    #[error("{name}: named twice, in lines {first} and {second} of {list}")]
    ListedTwice {
        /// The stem.
        name: String,
        /// The list file.
        list: PathBuf,
        /// The one line, from 1.
        first: usize,
        /// The other line.
        second: usize,
    },
    /// A picture that cannot be read, or that does not show the view of its partner.
    #[error("{0}")]
    Picture(DataError),
}

/// Everything wrong with a data set, found in one go.
#[derive(Debug, Error)]
pub struct LayoutError {
    /// The folder as it was given.
    pub dir: PathBuf,
    /// All problems: folders and odd files first, then sample by sample.
    pub problems: Vec<Problem>,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} cannot be used as an RGB-D data set:{}", self.dir.display(), Listed(&self.problems))
    }
}
