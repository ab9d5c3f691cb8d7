//! `mutualformer predict reid`: what a search finds, as a list and as a sheet.

use super::config::ReidDataConfig;
use super::features_file::is_set;
use super::sheet::{Found, Row, Shot};
use super::{Embedder, Pictures};
use crate::metrics::reid::{Hit, rank};
use crate::predict::refuse_overwriting;
use anyhow::{Context, Result};
use data::reid::{Label, LabelError, Part, ReidFolder, ReidSample, UNKNOWN, read_spectra};
use indicatif::ProgressBar;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found for some queries, best first.
pub struct Finds {
    queries: Pictures,
    gallery: Pictures,
    hits: Vec<Vec<Hit>>,
}

/// Searches for every query picture in a folder of pictures, or in the gallery of a data set; keeps the `top` nearest.
/// Of identities that file names tell, pictures of the query's own camera are left out, as in the measures. `out` is where
/// the sheet is to go.
///
/// # Errors
/// If a picture cannot be read, or is the file `out`.
pub fn find(
    embedder: &Embedder,
    queries: &[PathBuf],
    gallery: &Path,
    top: usize,
    out: &Path,
) -> Result<Finds> {
    let spectra = ReidDataConfig::spectra(&embedder.config.model.streams);
    let folder = match is_set(gallery) {
        true => ReidFolder::open(gallery, Part::Gallery, spectra)?,
        false => ReidFolder::open_plain(gallery, spectra)?,
    };
    let files = (0..folder.len()).map(|index| folder.file(index));
    refuse_overwriting(out, queries.iter().map(PathBuf::as_path).chain(files))?;
    let queries: Vec<ReidSample> = queries.iter().map(|path| read(path, spectra)).collect::<Result<_>>()?;
    let (queries, gallery) = (Pictures::Drawn(Arc::new(queries)), Pictures::from(folder));
    let bar = ProgressBar::new(gallery.len() as u64);
    let finds = Finds::search(embedder, queries, gallery, top, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(finds)
}

/// A file's picture; its identity and camera are unknown if its name does not tell them.
pub(crate) fn read(path: &Path, spectra: usize) -> Result<ReidSample> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let label = Label::of_name(&name);
    if let Err(error @ (LabelError::Id { .. } | LabelError::Cam { .. })) = &label {
        eprintln!("warning: {}: {error}; nothing found will count as right or wrong", path.display());
    }
    let Label { id, cam } = label.unwrap_or(Label { id: UNKNOWN, cam: UNKNOWN });
    Ok(ReidSample { pictures: read_spectra(path, spectra)?, name, id, cam })
}

impl Finds {
    /// The `top` nearest pictures of the gallery for every query; `progress` is told how many of the gallery's features
    /// there are.
    pub(super) fn search(
        embedder: &Embedder,
        queries: Pictures,
        gallery: Pictures,
        top: usize,
        progress: &dyn Fn(usize),
    ) -> Result<Finds> {
        let query = embedder.labelled(&queries, &|_| ()).context("query")?;
        let hits = rank(&query, &embedder.labelled(&gallery, progress).context("gallery")?, top);
        Ok(Finds { queries, gallery, hits })
    }

    /// A line for each hit: rank, name, distance of the normalised features (0 to 2), and whether it is right.
    ///
    /// # Errors
    /// None that can happen: it is text in memory that is written.
    pub fn table(&self) -> Result<String> {
        let mut text = String::new();
        for (query, hits) in self.hits.iter().enumerate() {
            let name = format!("query {}", self.queries.name(query));
            writeln!(text, "rank  {name:<24} distance")?;
            for (rank, hit) in (1..).zip(hits) {
                let judgement = match hit.right {
                    Some(true) => "right",
                    Some(false) => "wrong",
                    None => "unknown",
                };
                let (name, distance) = (self.gallery.name(hit.row), hit.distance.sqrt());
                writeln!(text, "{rank:>4}  {name:<24} {distance:.4}  {judgement}")?;
            }
        }
        Ok(text)
    }

    /// A row of the sheet for every query.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn rows(&self) -> Result<Vec<Row>> {
        let row = |(query, hits): (usize, &Vec<Hit>)| -> Result<Row> {
            let found = |hit: &Hit| -> Result<Found> {
                let shot = shot(self.gallery.load(hit.row)?, Some(hit.distance.sqrt()));
                Ok(Found { shot, right: hit.right })
            };
            Ok(Row {
                query: shot(self.queries.load(query)?, None),
                found: hits.iter().map(found).collect::<Result<_>>()?,
            })
        };
        self.hits.iter().enumerate().map(row).collect()
    }
}

/// A picture with its captions.
fn shot(sample: ReidSample, distance: Option<f64>) -> Shot {
    let ReidSample { name, id, cam, pictures } = sample;
    let known = id != UNKNOWN;
    let label = if known { format!("id {id} cam {cam}") } else { name };
    let distance = distance.map(|distance| format!("distance {distance:.3}"));
    Shot { spectra: pictures, caption: std::iter::once(label).chain(distance).collect() }
}
