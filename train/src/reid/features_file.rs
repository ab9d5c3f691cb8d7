//! `mutualformer embed`: features of a folder, in the file that `mutualformer score reid` reads.
//!
//! The file holds, for `query` and `gallery`, `feat` `[pictures, D]`, `id` and `cam` `[pictures]`; an identity that a file's
//! name does not tell is [`UNKNOWN_ID`](crate::metrics::reid::UNKNOWN_ID). Its metadata holds the pictures' names in the same
//! order, a line each.

use super::config::ReidDataConfig;
use super::{Embedder, Pictures};
use crate::predict::create_folder_of;
use anyhow::Result;
use autograd::checkpoint::HostTensor;
use autograd::{Indices, Tensor, TensorFile};
use data::reid::{Part, ReidFolder};
use indicatif::ProgressBar;
use std::path::Path;

/// Features of a data set's queries and gallery, or of a folder of pictures, which becomes a gallery; returns how many.
///
/// # Errors
/// If the folder is neither, or a picture cannot be read.
pub fn embed(embedder: &Embedder, dir: &Path) -> Result<(TensorFile, usize)> {
    let spectra = ReidDataConfig::spectra(&embedder.config.model.streams);
    let parts = if is_set(dir) {
        vec![
            ("query", ReidFolder::open(dir, Part::Query, spectra)?),
            ("gallery", ReidFolder::open(dir, Part::Gallery, spectra)?),
        ]
    } else {
        vec![("gallery", ReidFolder::open_plain(dir, spectra)?)]
    };
    let mut file = TensorFile::new();
    let all: usize = parts.iter().map(|(_, folder)| folder.len()).sum();
    let (bar, mut before) = (ProgressBar::new(all as u64), 0);
    for (part, folder) in parts {
        let names: Vec<&str> = folder.names().collect();
        file.metadata.insert(format!("{part}.names"), names.join("\n"));
        let pictures = Pictures::from(folder);
        let features = embedder.embed(&pictures, &|done| bar.set_position((before + done) as u64))?;
        before += pictures.len();
        file.push(format!("{part}.feat"), HostTensor::of(&Tensor::from_array(features.into_dyn()))?);
        let (ids, cams) = pictures.labels();
        file.push(format!("{part}.id"), integers(ids));
        file.push(format!("{part}.cam"), integers(cams));
    }
    bar.finish_and_clear();
    Ok((file, all))
}

/// Whether a folder has the layout of RGBN300, or a part of it: what is missing is an error then.
pub fn is_set(dir: &Path) -> bool {
    Part::ALL.into_iter().any(|part| part.find(dir).is_dir())
}

fn integers(values: Vec<i64>) -> HostTensor {
    let shape = [values.len()];
    HostTensor::I64(Indices::new(values, &shape))
}

/// Writes the features of `dir`; returns how many pictures there are.
///
/// # Errors
/// As [`embed`], and if the file cannot be written.
pub fn write_features(embedder: &Embedder, dir: &Path, out: &Path) -> Result<usize> {
    let (file, count) = embed(embedder, dir)?;
    create_folder_of(out)?;
    file.write(out)?;
    Ok(count)
}
