//! What can go wrong between a file and a batch.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A problem with a file, a folder or a sample. The message names the culprit and carries its cause, so printing
/// the error is enough: there is no chain of sources to walk.
#[derive(Debug, Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not a picture that can be decoded.
    #[error("cannot decode {path}: {cause} (expected a whole PNG or JPEG picture)")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        cause: image::ImageError,
    },
    /// The file stops in the middle of its pixels.
    #[error("{path} is cut short: the JPEG has no end marker (copy or download it again)")]
    CutShort {
        /// The file.
        path: PathBuf,
    },
    /// The picture cannot be written.
    #[error("cannot write {path}: {cause} (does the folder exist, and is there room?)")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the encoder or the system said.
        cause: image::ImageError,
    },
    /// A folder that should hold pictures and holds none.
    #[error("{path} holds no PNG or JPEG picture")]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A NumPy file without a depth map that can be read.
    #[error("cannot take a depth map from {path}: {reason}")]
    Array {
        /// The `.npy` or `.npz` file.
        path: PathBuf,
        /// What was found, and what was expected.
        reason: String,
    },
    /// A depth file in which no pixel holds a measurement.
    #[error("{path} holds no valid depth when read as {format}: is that the right --format?")]
    NoValidDepth {
        /// The file.
        path: PathBuf,
        /// How it was read.
        format: crate::depth::DepthFormat,
    },
    /// Pictures that must have the same size do not.
    #[error("{name}: {part} is {} x {}, but {} x {} (height x width) was expected", found.0, found.1, expected.0, expected.1)]
    SizeMismatch {
        /// The sample.
        name: String,
        /// The part that differs: `rgb`, `depth` or `mask`.
        part: &'static str,
        /// (H, W) of what came first.
        expected: (usize, usize),
        /// (H, W) of this part.
        found: (usize, usize),
    },
    /// Pictures that should show the same view, but whose sides have different ratios.
    #[error(
        "{name}: {part} is {} x {}, the colour picture {} x {} (height x width): these are not two sizes of one view",
        found.0, found.1, expected.0, expected.1
    )]
    OtherView {
        /// The sample.
        name: String,
        /// The part that differs: `depth` or `mask`.
        part: &'static str,
        /// (H, W) of the colour picture.
        expected: (usize, usize),
        /// (H, W) of this part.
        found: (usize, usize),
    },
    /// A re-identification set without one of its folders.
    #[error("{dir} has neither a folder rgbir/{folder} nor {folder}")]
    NoReidFolder {
        /// The set.
        dir: PathBuf,
        /// The folder's name.
        folder: &'static str,
    },
    /// A picture in a format that is not read.
    #[error("{path} is neither PNG nor JPEG: convert it")]
    Unsupported {
        /// The picture.
        path: PathBuf,
    },
    /// A picture of a re-identification set whose name does not tell what it shows.
    #[error("{path}: {cause}")]
    NoLabel {
        /// The picture.
        path: PathBuf,
        /// What its name lacks.
        cause: crate::reid::LabelError,
    },
    /// A picture whose sides do not tell where one spectrum ends and the next begins.
    #[error(
        "{path} is {} x {} (height x width), which is no row of crops twice as wide as high, one for each spectrum",
        size.0, size.1
    )]
    NotInCrops {
        /// The picture.
        path: PathBuf,
        /// (H, W).
        size: (usize, usize),
    },
    /// A picture without some of the spectra that are asked for.
    #[error(
        "{path} is {} x {} (height x width), room for {found} of the {wanted} spectra that are asked for (some readers \
         take black for what is missing; this one does not)",
        size.0, size.1
    )]
    FewerSpectra {
        /// The picture.
        path: PathBuf,
        /// (H, W).
        size: (usize, usize),
        /// Spectra that it holds.
        found: usize,
        /// Spectra that are asked for.
        wanted: usize,
    },
    /// Everything wrong with a folder of a re-identification set, found in one go.
    #[error("{dir} cannot be used for re-identification:{}", Listed(problems))]
    ReidSet {
        /// The folder as it was given.
        dir: PathBuf,
        /// All problems, by file name.
        problems: Vec<DataError>,
    },
    /// A setting outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Setting {
        /// The setting, by the name it has in a config.
        name: &'static str,
        /// The value given.
        value: f32,
        /// What is accepted.
        expected: &'static str,
    },
    /// Loading code panicked; the loader turns that into an error so that training stops instead of waiting.
    #[error("loading sample {index} panicked: {message}")]
    Panicked {
        /// Index of the sample in the data set.
        index: usize,
        /// The panic's message.
        message: String,
    },
}

/// Problems, a line each. Where there are many, the last ones are only counted.
pub(crate) struct Listed<'a, P>(pub &'a [P]);

impl<P: fmt::Display> fmt::Display for Listed<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        const PRINTED: usize = 20;
        for problem in self.0.iter().take(PRINTED) {
            write!(f, "\n  {problem}")?;
        }
        match self.0.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more problems"),
        }
    }
}

impl DataError {
    /// For `map_err` on reading.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> DataError + '_ {
        move |cause| DataError::Read { path: path.to_owned(), cause }
    }

    /// For `map_err` on decoding.
    pub(crate) fn decode(path: &Path) -> impl FnOnce(image::ImageError) -> DataError + '_ {
        move |cause| DataError::Decode { path: path.to_owned(), cause }
    }
}
